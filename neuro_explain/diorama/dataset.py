"""The diorama as a concept set: `diorama:SEED:COUNT`, rendered as it is read.

    concepts = open_concepts("diorama:1:500")
    concepts.image(0), concepts.labels(0, 112)

Scene number i of a seed is the same in every set of that seed. All six of Broden's categories are carried: object,
part, material, texture and colour per pixel, the scene for the whole image.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from dissection.concepts import Concept, Labels
from dissection.scratch import PerThread
from dissection.writers.coco import PanopticImage
from neuro_explain.diorama.scene import LAYERS, SIZE, Scene, make_scene
from neuro_explain.diorama.words import CONCEPTS, MASSES

_CARRIED = frozenset({*LAYERS, "scene"})


class Diorama:
    """The first `count` scenes of the world `seed`; a `ConceptDataset`.

    Args:
        seed: which world.
        count: how many scenes, at least one.
        size: side of the rendered images, at which the labels are native too.

    Raises:
        ValueError: fewer than one scene, or a negative seed.
    """

    def __init__(self, seed: int, count: int, *, size: int = SIZE) -> None:
        if seed < 0:
            raise ValueError(f"seed: expected 0 or more, got {seed}")
        if count < 1:
            raise ValueError(f"count: expected at least one scene, got {count}")
        self.seed = seed
        self.count = count
        self.size = size
        self.name = f"diorama:{seed}:{count}"
        # image and labels of a scene are asked for one after the other, in the same thread
        self._last = PerThread()

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """All words of the diorama, whether or not these scenes show them."""
        return CONCEPTS

    @property
    def fingerprint(self) -> str:
        """Of seed, count, size, and the code that draws, with the versions of what it draws with."""
        text = f"{self.name} {self.size} {_code()} Pillow {PIL.__version__} NumPy {np.__version__}"
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def __len__(self) -> int:
        """The number of scenes."""
        return self.count

    def scene(self, index: int) -> Scene:
        """Scene number `index`.

        Raises:
            IndexError: outside 0 to count − 1.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"index: expected 0 to {self.count - 1}, got {index}")
        last: Scene | None = getattr(self._last, "scene", None)
        if last is None or last.index != index:
            last = self._last.scene = make_scene(self.seed, index)
        return last

    def image_id(self, index: int) -> str:
        """The seed, the number and the category, as a file name."""
        scene = self.scene(index)
        return f"{self.seed}-{index:05d}-{scene.category.replace(' ', '_')}.png"

    def image(self, index: int) -> Image.Image:
        """The rendered scene, RGB, square."""
        return self.scene(index).image(self.size)

    def labels(self, index: int, size: int) -> Labels:
        """The labels at `size`: those of the rendered size, nearest neighbour."""
        scene = self.scene(index)
        layers = scene.labels(self.size)
        if size != self.size:
            layers = np.stack([_nearest(layer, size) for layer in layers])
        return Labels(layers, (scene.whole,), _CARRIED)

    def panoptic(self, index: int) -> PanopticImage:
        """The scene's things as segments, for export as COCO panoptic; the backdrop and masses are stuff."""
        scene = self.scene(index)
        segments = {
            thing.number + 1: (Concept(thing.kind, "object"), thing.kind not in MASSES)
            for thing in scene.things
        }
        return PanopticImage(self.image_id(index), self.image(index), scene.segments(self.size) + 1, segments)


def open_diorama(text: str) -> Diorama:
    """The set behind `diorama:`: SEED:COUNT.

    Raises:
        ValueError: not two whole numbers.
    """
    seed, colon, count = text.partition(":")
    if not (colon and seed.isascii() and seed.isdigit() and count.isascii() and count.isdigit()):
        raise ValueError(f"concept set 'diorama:{text}': expected diorama:SEED:COUNT, such as diorama:1:500")
    return Diorama(int(seed), int(count))


def _nearest(layer: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    return np.asarray(Image.fromarray(layer).resize((size, size), Image.Resampling.NEAREST))


@lru_cache(maxsize=1)
def _code() -> str:
    """A hash of the modules that draw: other code may draw other scenes."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    own = [
        folder / f"{module}.py"
        for module in ("light", "paint", "pattern", "picture", "scene", "stage", "words")
    ]
    for path in [*own, *sorted(folder.glob("objects/*.py")), *sorted(folder.glob("scenes/*.py"))]:
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
