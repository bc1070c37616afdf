"""`ade20k:DIR`: ADE20K, scenes with their objects, and in the full set with parts.

Two layouts, looked for in this order:

1. SceneParse150, the benchmark of 150 objects (`ADEChallengeData2016`), described here;
2. the full set, described at the top of `ade20k_full`.

| file | what |
|---|---|
| `objectInfo150.txt` | a header, then Idx, Ratio, Train, Val, Name between tabs: `2 … building, edifice` |
| `images/SPLIT/NAME.jpg` | the photographs, SPLIT being `training` or `validation` |
| `annotations/SPLIT/NAME.png` | one channel: the Idx of each pixel's object; 0 is other, no label |
| `sceneCategories.txt` | `NAME scene` a line: `ADE_train_00000001 airport_terminal` |

A name's synonyms stand behind it, after `,` or `;`; the first one is the concept. Scenes are taken as they are
written. The scene "misc" is none: such an image, like one that is not listed, does not carry the category
"scene". Without `sceneCategories.txt` no image does, and `notes` says so. Images without annotation are no members.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dissection.concepts import Concept, Labels
from dissection.readers import masks
from dissection.readers.ade20k_full import NO_SCENE, FullAde20k, annotated_images
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.files import FileSet, set_folder
from dissection.readers.folder import paired
from dissection.readers.lines import read_lines

OBJECTS = "objectInfo150.txt"
SCENES = "sceneCategories.txt"


def open_ade20k(path: str | os.PathLike[str]) -> SceneParse150 | FullAde20k:
    """Open an ADE20K folder in whichever layout it has.

    Raises:
        ConceptSetError: neither layout is there, or what is there is broken.
    """
    root = set_folder(path)
    if _is_benchmark(root):
        return SceneParse150(root)
    images = annotated_images(root)
    if images:
        return FullAde20k(root, images)
    below = [child for child in sorted(root.iterdir()) if _is_benchmark(child) or _is_full(child)]
    meant = f"; did you mean 'ade20k:{below[0]}'?" if below else ""
    raise MissingFileError(
        f"{root}: neither {OBJECTS} with images/ and annotations/ (SceneParse150) nor "
        f"images/…/NAME.jpg with NAME_seg.png beside it (the full set) was found there{meant}"
    )


def _is_benchmark(folder: Path) -> bool:
    return (folder / OBJECTS).is_file() and (folder / "annotations").is_dir()


def _is_full(folder: Path) -> bool:
    return next((folder / "images").glob("**/*_seg.png"), None) is not None


class SceneParse150(FileSet):
    """The benchmark's images with an object for each pixel, and a scene.

    Args:
        root: the folder that holds `objectInfo150.txt`.

    Raises:
        ConceptSetError: a table is broken, or an annotation has no image.
    """

    def __init__(self, root: Path) -> None:
        names = _objects(root / OBJECTS)
        pairs = paired(root, "images", "annotations", only_labelled=True)
        images, drawn = [image for image, _ in pairs], [mask for _, mask in pairs]
        listed = (root / SCENES).is_file()
        scenes = _scenes(root / SCENES, images) if listed else [None] * len(images)
        concepts = [Concept(name, "object") for name in names.values()]
        self._numbers = masks.NumberTable({index: number for number, index in enumerate(names)})
        place = {
            scene: number
            for number, scene in enumerate(dict.fromkeys(filter(None, scenes)), start=len(concepts))
        }
        self._scenes = [place[scene] if scene else None for scene in scenes]
        super().__init__(
            root,
            images,
            [*concepts, *(Concept(scene, "scene") for scene in place)],
            tables=[OBJECTS, SCENES] if listed else [OBJECTS],
            masks=drawn,
            notes=() if listed else (f"{SCENES} is not there, so no image carries a scene",),
        )

    def labels(self, index: int, size: int) -> Labels:
        """The labels of an image: one layer of objects, and its scene.

        Raises:
            ConceptSetError: an annotation of another size than its image, or a value that the table lacks.
            ImageError: the annotation cannot be read.
        """
        mask, scene = self._masks[index], self._scenes[index]
        values = masks.one_channel(self.root / mask)
        self._check_size(index, mask, *values.shape)
        small = masks.nearest(values, size)
        numbers = self._numbers.look_up(small)
        for value in self._numbers.strangers(small, numbers):
            raise ConceptSetError(f"{self.root / mask}: value {value} is not in {OBJECTS}; add its line")
        if scene is None:
            return Labels(numbers[None], (), frozenset({"object"}))
        return Labels(numbers[None], (scene,), frozenset({"object", "scene"}))


def _objects(path: Path) -> dict[int, str]:
    """The name of each Idx."""
    header, *lines = read_lines(path)
    if header[1].split("\t")[0].strip() != "Idx":
        raise ConceptSetError(
            f"{header[0]}: a header that begins with 'Idx' was expected, tabs between columns"
        )
    names: dict[int, str] = {}
    first: dict[str, str] = {}
    for where, line in lines:
        cells = [cell.strip() for cell in line.split("\t")]
        name = re.split("[,;]", cells[-1])[0].strip()
        if len(cells) < 2 or not re.fullmatch("[0-9]{1,6}", cells[0]) or not int(cells[0]) or not name:
            raise ConceptSetError(
                f"{where}: is {line!r}; Idx (from 1), …, Name with tabs between was expected"
            )
        if int(cells[0]) in names:
            raise ConceptSetError(f"{where}: Idx {int(cells[0])} is there twice; drop one of the lines")
        if name in first:
            raise ConceptSetError(f"{where}: {name!r} is also the name in {first[name]}; rename one of them")
        first[name] = where
        names[int(cells[0])] = name
    if not names:
        raise ConceptSetError(f"{path}: has a header but no objects")
    return names


def _scenes(path: Path, images: Sequence[str]) -> list[str | None]:
    """The scene of each image, None where there is none."""
    scenes: dict[str, str] = {}
    for where, line in read_lines(path):
        words = line.split()
        if len(words) != 2:
            raise ConceptSetError(f"{where}: is {line!r}, an image's name and its scene were expected")
        name, scene = words
        if scenes.setdefault(name, scene) != scene:
            raise ConceptSetError(f"{where}: {name} is {scene!r} here and {scenes[name]!r} above; drop one")
    found = (scenes.get(PurePosixPath(image).stem) for image in images)
    return [None if scene == NO_SCENE else scene for scene in found]
