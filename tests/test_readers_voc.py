"""PASCAL VOC and the two sets of labels on its photographs: PASCAL-Context and PASCAL-Part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from concept_sets import write_coco_masks, write_mask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from dissection.concepts import NO_LABEL, Concept, ConceptDataset
from dissection.images import ImageError
from dissection.readers import open_concepts
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.voc import CLASSES, Voc
from dissection.readers.voc_context import VocContext
from dissection.readers.voc_part import PARTS, VocPart, plain_part

STEMS = ("2007_000032", "2007_000033")


def write_photographs(root: Path, width: int = 4, height: int = 2) -> None:
    """Two photographs that will have labels, and one that nobody labelled."""
    (root / "JPEGImages").mkdir(parents=True, exist_ok=True)
    for stem in (*STEMS, "2007_000027"):
        Image.new("RGB", (width, height), (90, 120, 150)).save(root / f"JPEGImages/{stem}.jpg")


def names(dataset: ConceptDataset, layer: Any) -> list[list[str]]:
    """Label names of a layer, "" for no label."""
    return [
        [dataset.concepts[n].name if n != NO_LABEL else "" for n in row] for row in np.asarray(layer).tolist()
    ]


# VOC

MASK = ((0, 1, 20, 255), (15, 0, 255, 2))


def write_palette(path: Path, values: Any) -> None:
    """A palette PNG with VOC's first colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, np.uint8))
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, *([77] * 3 * 252), 224, 224, 192])
    image.save(path)


def write_voc(root: Path) -> Path:
    write_photographs(root)
    for stem in STEMS:
        write_palette(root / f"SegmentationClass/{stem}.png", MASK)
    (root / "Annotations").mkdir(exist_ok=True)  # boxes, which nobody reads
    return root


def test_voc(tmp_path: Path) -> None:
    voc = Voc(write_voc(tmp_path))
    assert isinstance(voc, ConceptDataset)
    assert [concept.name for concept in voc.concepts] == list(CLASSES) and len(set(CLASSES)) == 20
    assert {concept.category for concept in voc.concepts} == {"object"}
    assert [voc.image_id(i) for i in range(len(voc))] == [f"JPEGImages/{stem}.jpg" for stem in STEMS]
    assert voc.image(0).size == (4, 2)
    labels = voc.labels(0, 4)
    rows = [["", "aeroplane", "tvmonitor", ""], ["person", "", "", "bicycle"]]
    assert labels.layers.shape == (1, 4, 4) and labels.layers.dtype == np.int32
    assert names(voc, labels.layers[0]) == [rows[y // 2] for y in range(4)]
    assert labels.whole == () and labels.categories == {"object"}


def test_a_value_that_is_no_class(tmp_path: Path) -> None:
    voc = Voc(write_voc(tmp_path))
    write_palette(tmp_path / "SegmentationClass/2007_000032.png", [[0, 21, 0, 0]] * 2)
    with pytest.raises(
        ConceptSetError, match=r"2007_000032\.png: value 21 is no class of VOC; 0 to 20 or 255 was"
    ):
        voc.labels(0, 4)
    Image.new("RGB", (4, 2)).save(tmp_path / "SegmentationClass/2007_000032.png")
    with pytest.raises(ImageError, match=r"2007_000032\.png: is an RGB image, a mask with one channel"):
        voc.labels(0, 4)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**31))
def test_voc_labels_equal_a_loop_over_pixels(
    tmp_path: Path, height: int, width: int, size: int, seed: int
) -> None:
    write_voc(tmp_path)
    write_photographs(tmp_path, width, height)
    values = np.random.default_rng(seed).choice([*range(21), 255], (height, width))
    write_palette(tmp_path / "SegmentationClass/2007_000032.png", values)
    found = Voc(tmp_path).labels(0, size).layers[0]
    kept = Image.fromarray(values.astype(np.int32)).resize((size, size), Image.Resampling.NEAREST)
    for y in range(size):
        for x in range(size):
            value = int(kept.getpixel((x, y)))
            assert found[y, x] == (value - 1 if 1 <= value <= 20 else NO_LABEL)


# PASCAL-Context

LABELS = ("1: accordion", "2: aeroplane", "23: bicycle", "431: unknown", "459: wool")
MAP = ((0, 2, 459, 431), (23, 1, 1, 0))
CONTEXT = [["", "aeroplane", "wool", ""], ["bicycle", "accordion", "accordion", ""]]


def write_context(root: Path, values: Any = MAP, dtype: Any = np.uint16) -> Path:
    """The 459 classes, one image."""
    write_photographs(root)
    (root / "trainval").mkdir(exist_ok=True)
    savemat(root / "trainval/2007_000032.mat", {"LabelMap": np.asarray(values, dtype)}, do_compression=True)
    (root / "labels.txt").write_text("\n".join(LABELS) + "\n")
    return root


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
def test_context(tmp_path: Path, dtype: Any) -> None:
    context = VocContext(write_context(tmp_path, dtype=dtype))
    assert isinstance(context, ConceptDataset)
    assert [str(concept) for concept in context.concepts] == [
        *("accordion (object)", "aeroplane (object)", "bicycle (object)", "wool (object)"),
    ]
    assert [context.image_id(i) for i in range(len(context))] == ["JPEGImages/2007_000032.jpg"]
    labels = context.labels(0, 4)
    assert labels.layers.shape == (1, 4, 4) and labels.layers.dtype == np.int32
    assert names(context, labels.layers[0]) == [CONTEXT[y // 2] for y in range(4)]
    assert labels.whole == () and labels.categories == {"object"}


@pytest.mark.parametrize("place", ["", "context/"])
@pytest.mark.parametrize("table", ["labels.txt", "459_labels.txt"])
def test_pngs_of_the_same_numbers(tmp_path: Path, place: str, table: str) -> None:
    write_photographs(tmp_path)
    write_mask(tmp_path / f"{place}trainval/2007_000032.png", MAP, np.uint16)
    (tmp_path / f"{place}{table}").write_text("\n".join(LABELS))
    context = VocContext(tmp_path)
    assert names(context, context.labels(0, 4).layers[0]) == [CONTEXT[y // 2] for y in range(4)]


def test_59_classes(tmp_path: Path) -> None:
    write_photographs(tmp_path)
    write_palette(tmp_path / "59_context_labels/2007_000033.png", [[0, 1, 59, 1]] * 2)
    (tmp_path / "59_labels.txt").write_text("0: background\n1: aeroplane \n59 : wood\n")
    context = VocContext(tmp_path)
    assert [concept.name for concept in context.concepts] == ["aeroplane", "wood"]
    assert names(context, context.labels(0, 2).layers[0]) == [["aeroplane", "aeroplane"]] * 2
    assert names(context, context.labels(0, 4).layers[0])[0] == ["", "aeroplane", "wood", "aeroplane"]
    write_context(tmp_path)
    assert len(VocContext(tmp_path).concepts) == 4, "the 459 go before the 59"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([*LABELS, "2: bag"], r"labels\.txt, line 6: number 2 is there twice; drop one"),
        (
            [*LABELS, "3: wool"],
            r"labels\.txt, line 6: 'wool' is also the name in labels\.txt, line 5; rename one",
        ),
        ([*LABELS, "3 bag"], r"labels\.txt, line 6: is '3 bag', 'NUMBER: NAME' was expected"),
        ([*LABELS, "3:"], r"line 6: is '3:', 'NUMBER: NAME'"),
        ([*LABELS, "-3: bag"], r"line 6: is '-3: bag', 'NUMBER: NAME'"),
        (["0: background"], r"labels\.txt: names no class"),
        ([], r"labels\.txt: is empty"),
    ],
)
def test_broken_names(tmp_path: Path, lines: Sequence[str], sentence: str) -> None:
    write_context(tmp_path)
    (tmp_path / "labels.txt").write_text("\n".join(lines))
    with pytest.raises(ConceptSetError, match=sentence):
        VocContext(tmp_path)


@pytest.mark.parametrize(
    ("values", "dtype", "sentence"),
    [
        ([[3, 1, 1, 1]] * 2, np.uint16, r"2007_000032\.mat: number 3 is not in labels\.txt; add its line"),
        ([[1] * 3] * 2, np.uint16, r"\.mat: the mask is 3 × 2 pixels, its upright image .* is 4 × 2"),
        ([[1.5] * 4] * 2, np.float64, "LabelMap holds other values than whole numbers from 0 on"),
        ([[-1] * 4] * 2, np.int32, "LabelMap holds other values than whole numbers from 0 on"),
        ([[np.nan] * 4] * 2, np.float64, "LabelMap holds other values than whole numbers from 0 on"),
        ([[[1] * 3] * 4] * 2, np.uint8, r"LabelMap is uint8 \[2, 4, 3\], numbers \[h, w\] were expected"),
        ([], np.uint8, r"LabelMap is uint8 \[0, 0\], numbers"),
        ("text", np.str_, "LabelMap is .*, numbers"),
    ],
)
def test_broken_label_maps(tmp_path: Path, values: Any, dtype: Any, sentence: str) -> None:
    context = VocContext(write_context(tmp_path, values, dtype))
    with pytest.raises(ConceptSetError, match=sentence):
        context.labels(0, 4)


def test_broken_matlab_files(tmp_path: Path) -> None:
    context = VocContext(write_context(tmp_path))
    path = tmp_path / "trainval/2007_000032.mat"
    whole = path.read_bytes()
    for content in (
        b"",
        b"no matlab file" * 20,
        whole[:100],
        whole[:130],
        whole[: len(whole) // 2],
        whole[:-3],
    ):
        path.write_bytes(content)
        with pytest.raises(ConceptSetError, match=r"2007_000032\.mat: is no MATLAB file that can be read \("):
            context.labels(0, 4)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with pytest.raises(ConceptSetError, match=r"is a MATLAB file of version 7\.3; save it again with '-v7'"):
        context.labels(0, 4)
    savemat(path, {"other": 1})
    with pytest.raises(ConceptSetError, match=r"2007_000032\.mat: has no variable 'LabelMap'"):
        context.labels(0, 4)
    path.unlink()
    with pytest.raises(MissingFileError, match=r"2007_000032\.mat: no such MATLAB file"):
        context.labels(0, 4)


# PASCAL-Part

# The parts of part2ind.m, which comes with the set; "%d" stands for a number.
WRITTEN = {
    "body stern tail engine_%d wheel_%d saddle headlight_%d head beak torso neck cap door_%d window_%d nose muzzle "
    "mouth hair pot plant coach_%d screen": None,
    "handlebar": "handle bar",
    "chainwheel": "chain wheel",
    "lwing rwing": "wing",
    "fwheel bwheel": "wheel",
    "leye reye": "eye",
    "lear rear": "ear",
    "lebrow rebrow": "eyebrow",
    "lhorn rhorn": "horn",
    "llarm luarm rlarm ruarm": "arm",
    "lhand rhand": "hand",
    "lfoot rfoot": "foot",
    "lleg rleg lfleg rfleg lbleg rbleg llleg luleg rlleg ruleg": "leg",
    "lfuleg lflleg rfuleg rflleg lbuleg lblleg rbuleg rblleg": "leg",
    "lfpa rfpa lbpa rbpa": "paw",
    "lfho rfho lbho rbho": "hoof",
    "leftmirror rightmirror": "mirror",
    "fliplate bliplate": "license plate",
    "frontside leftside rightside backside": "side",
    "roofside": "roof",
    "hfrontside hleftside hrightside hbackside": "head",
    "hroofside": "head roof",
    "cfrontside_%d cleftside_%d crightside_%d cbackside_%d": "coach",
    "croofside_%d": "coach roof",
}


def test_plain_names_of_all_parts() -> None:
    plain = set()
    for written, expected in WRITTEN.items():
        for name in written.split():
            for number in (1, 10):
                found = plain_part(name.replace("%d", str(number)))
                assert found == (expected or name.removesuffix("_%d")), name
                plain.add(found)
    assert plain == set(PARTS) and len(PARTS) == len(set(PARTS))


def struct(records: Sequence[dict[str, Any]]) -> Any:
    """A MATLAB struct array [1, N]; without records an empty matrix, as MATLAB writes it."""
    if not records:
        return np.zeros((0, 0))
    array = np.empty((1, len(records)), dtype=[(name, object) for name in records[0]])
    for place, found in enumerate(records):
        for name, value in found.items():
            array[0, place][name] = value
    return array


def thing(index: int, mask: Any, parts: Sequence[tuple[str, Any]] = ()) -> dict[str, Any]:
    drawn = [{"part_name": name, "mask": np.asarray(of, np.uint8)} for name, of in parts]
    return {
        "class": CLASSES[index - 1] if 1 <= index <= 20 else "what",
        "class_ind": index,
        "mask": np.asarray(mask, np.uint8),
        "parts": struct(drawn),
    }


def write_part(
    root: Path, things: Sequence[dict[str, Any]] | None = None, folder: str = "Annotations_Part"
) -> Path:
    """A person whose eyes lie in the head, before a train; and a boat, which has no parts."""
    write_photographs(root)
    person = [
        ("head", [[1, 1, 0, 0], [0, 0, 0, 0]]),
        ("leye", [[1, 0, 0, 0], [0, 0, 0, 0]]),
        ("reye", [[0, 1, 0, 0], [0, 0, 0, 0]]),
        ("llleg", [[0, 0, 0, 0], [1, 0, 0, 0]]),
    ]
    train = [("hfrontside", [[0, 0, 0, 1], [0, 0, 0, 0]]), ("coach_2", [[0, 0, 0, 0], [0, 0, 1, 1]])]
    shown = [
        thing(15, [[1, 1, 0, 0], [1, 1, 0, 0]], person),
        thing(19, [[0, 0, 1, 1], [0, 1, 1, 1]], train),  # overlaps the person in one pixel
        thing(15, [[0, 0, 1, 0], [0, 0, 0, 0]], [("hair", [[0, 0, 1, 0], [0, 0, 0, 0]])]),
    ]
    (root / folder).mkdir(parents=True, exist_ok=True)
    for stem, found in zip(
        STEMS, (shown if things is None else things, [thing(4, [[1] * 4] * 2)]), strict=True
    ):
        anno = struct([{"imname": stem, "objects": struct(found)}])
        savemat(root / folder / f"{stem}.mat", {"anno": anno}, do_compression=True)
    return root


@pytest.mark.parametrize("folder", ["Annotations_Part", "part/Annotations_Part"])
def test_part(tmp_path: Path, folder: str) -> None:
    part = VocPart(write_part(tmp_path, folder=folder))
    assert isinstance(part, ConceptDataset)
    assert list(part.concepts) == [Concept(n, "object") for n in CLASSES] + [
        Concept(n, "part") for n in PARTS
    ]
    assert [part.image_id(i) for i in range(len(part))] == [f"JPEGImages/{stem}.jpg" for stem in STEMS]
    labels = part.labels(0, 4)
    assert labels.layers.shape == (4, 4, 4) and labels.layers.dtype == np.int32
    layers = [
        [["person", "person", "person", ""], ["person", "person", "", ""]],
        [["", "", "train", "train"], ["", "train", "train", "train"]],
        [["head", "head", "hair", "head"], ["leg", "", "coach", "coach"]],
        [["eye", "eye", "", ""], ["", "", "", ""]],
    ]
    for layer, expected in zip(labels.layers, layers, strict=True):
        assert names(part, layer) == [expected[y // 2] for y in range(4)]
    assert [part.concepts[n].category for n in labels.layers[0, 0, :3]] == ["object"] * 3
    assert [part.concepts[n].category for n in labels.layers[2, 0, :3]] == ["part"] * 3
    assert labels.whole == () and labels.categories == {"object", "part"}


def test_objects_without_parts(tmp_path: Path) -> None:
    part = VocPart(write_part(tmp_path))
    boat = part.labels(1, 4)
    assert names(part, boat.layers[0]) == [["boat"] * 4] * 4 and len(boat.layers) == 1
    assert boat.categories == {"object"}, "nobody looked for parts of boats"
    nothing = VocPart(write_part(tmp_path, things=[])).labels(0, 3)
    assert nothing.layers.shape == (0, 3, 3) and nothing.empty and nothing.categories == {"object"}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 9), st.integers(0, 2**31))
def test_part_labels_equal_a_loop_over_pixels(
    tmp_path: Path, height: int, width: int, size: int, seed: int
) -> None:
    """A pixel has a label in some layer if and only if a mask of that label covers it; never twice."""
    random = np.random.default_rng(seed)
    written = ("lear", "rear", "head", "nose", "tail", "lfpa", "rbpa")
    things = [
        thing(
            index,
            random.random((height, width)) < 0.6,
            [(p, random.random((height, width)) < 0.4) for p in written],
        )
        for index in (8, 12, 8)
    ]
    write_part(tmp_path, things)
    write_photographs(tmp_path, width, height)
    part = VocPart(tmp_path)
    layers = part.labels(0, size).layers
    covering: dict[Concept, np.ndarray] = {}
    for shown in things:
        drawn = [(Concept(shown["class"], "object"), shown["mask"])]
        drawn += [(Concept(plain_part(p["part_name"]), "part"), p["mask"]) for p in shown["parts"].ravel()]
        for concept, mask in drawn:
            small = Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST)
            covering[concept] = covering.get(concept, False) | (np.asarray(small) > 0)
    for number, concept in enumerate(part.concepts):
        times = (layers == number).sum(axis=0)
        np.testing.assert_array_equal(
            times, covering.get(concept, np.zeros((size, size))), err_msg=str(concept)
        )


ONE = [[1] * 4] * 2


@pytest.mark.parametrize(
    ("things", "sentence"),
    [
        ([thing(15, ONE, [("antler", ONE)])], r"2007_000032\.mat: part 'antler' is none of PASCAL-Part's; "),
        ([thing(15, ONE, [("", ONE)])], r"part '' is none of PASCAL-Part's"),
        ([thing(21, ONE)], r"2007_000032\.mat: 'class_ind' is \[21\], a number from 1 to 20 was expected"),
        ([thing(0, ONE)], r"'class_ind' is \[0\], a number from 1 to 20"),
        ([thing(15, [[1] * 3] * 2)], r"\.mat: the mask is 3 × 2 pixels, its upright image .* is 4 × 2"),
        ([thing(15, ONE, [("head", [[1] * 4] * 3)])], r"\.mat: the mask is 4 × 3 pixels, its upright image"),
        (
            [thing(15, ONE) | {"mask": np.ones((2, 4, 3))}],
            r"a mask is float64 \[2, 4, 3\], numbers \[h, w\] were",
        ),
        ([thing(15, ONE) | {"mask": "x"}], r"a mask is .*, numbers \[h, w\] were expected"),
        (
            [{"class": "person"}],
            r"2007_000032\.mat: a struct without the field 'class_ind'; the layout of PASCAL-Part",
        ),
        ([thing(15, ONE) | {"parts": 3}], "a struct without the field 'part_name'"),
    ],
)
def test_broken_parts(tmp_path: Path, things: Sequence[dict[str, Any]], sentence: str) -> None:
    part = VocPart(write_part(tmp_path, things))
    with pytest.raises(ConceptSetError, match=sentence):
        part.labels(0, 4)


def test_matlab_files_of_another_layout(tmp_path: Path) -> None:
    part = VocPart(write_part(tmp_path))
    for anno in (3, "x", np.zeros((0, 0)), struct([{"imname": "x"}]), struct([{"objects": struct([])}] * 2)):
        savemat(tmp_path / "Annotations_Part/2007_000032.mat", {"anno": anno})
        with pytest.raises(
            ConceptSetError, match=r"2007_000032\.mat: a struct without the field '(objects|class_ind)'"
        ):
            part.labels(0, 4)


# All three


@pytest.mark.parametrize(
    ("kind", "write", "places"),
    [
        ("voc", write_voc, "SegmentationClass/"),
        ("voc-context", write_context, "trainval/ or 59_context_labels/ or .*"),
        ("voc-part", write_part, "Annotations_Part/ or part/Annotations_Part/"),
    ],
)
def test_places(tmp_path: Path, kind: str, write: Callable[[Path], Path], places: str) -> None:
    expected = f"JPEGImages/ and beside it {places} were expected there"
    with pytest.raises(MissingFileError, match=expected + "$"):
        open_concepts(f"{kind}:{tmp_path}")
    root = write(tmp_path / "VOC2010")
    with pytest.raises(MissingFileError, match=expected + rf"; did you mean '{kind}:.*/VOC2010'\?"):
        open_concepts(f"{kind}:{tmp_path}")
    before = open_concepts(f"{kind}:{root}").fingerprint
    assert (
        open_concepts(f"{kind}:{write(tmp_path / 'copy')}").concepts
        == open_concepts(f"{kind}:{root}").concepts
    )
    labelled = next(p for p in sorted(root.rglob("2007_000032.*")) if p.suffix != ".jpg")
    labelled.write_bytes(labelled.read_bytes()[:-1] + b"?")
    assert open_concepts(f"{kind}:{root}").fingerprint != before
    (root / "JPEGImages/2007_000032.jpg").unlink()
    with pytest.raises(
        MissingFileError, match=r"2007_000032\..* has no photograph JPEGImages/2007_000032\.jpg \(1 have"
    ):
        open_concepts(f"{kind}:{root}")
    for path in sorted(labelled.parent.iterdir()):
        if path.is_file():
            path.unlink()
    with pytest.raises(MissingFileError, match="holds no label files"):
        open_concepts(f"{kind}:{root}")


def test_names_of_label_maps_are_missing(tmp_path: Path) -> None:
    write_context(tmp_path)
    (tmp_path / "labels.txt").unlink()
    with pytest.raises(
        MissingFileError, match=r"the names of its label maps are not there \(labels\.txt for trainval/"
    ):
        VocContext(tmp_path)


def test_two_label_maps_of_one_photograph(tmp_path: Path) -> None:
    write_context(tmp_path)
    write_mask(tmp_path / "trainval/2007_000032.png", MAP, np.uint16)
    with pytest.raises(
        ConceptSetError, match=r"2007_000032\.mat and trainval/2007_000032\.png have the same stem"
    ):
        VocContext(tmp_path)


def test_bare_paths_get_their_kind_offered(tmp_path: Path) -> None:
    for kind, write in (("voc", write_voc), ("voc-part", write_part)):
        root = write(tmp_path / kind)
        with pytest.raises(ConceptSetError, match=f"did you mean '{kind}:{root}'"):
            open_concepts(str(root))


def test_joined_with_coco(tmp_path: Path) -> None:
    """All three on the same photographs, and COCO's, whose person and bottle are VOC's."""
    root = write_part(write_context(write_voc(tmp_path / "VOC2010")))
    coco = write_coco_masks(tmp_path / "coco")
    specs = [f"voc:{root}", f"voc-context:{root}", f"voc-part:{root}", f"coco:{coco}"]
    parts = [open_concepts(spec) for spec in specs]
    joined = open_concepts(specs)
    assert list(joined.concepts) == list(dict.fromkeys(c for part in parts for c in part.concepts))
    assert len(joined.concepts) == 20 + 2 + len(PARTS) + 1  # accordion, wool, …, COCO's sky
    assert [joined.image_id(i) for i in range(len(joined))] == [
        *(f"VOC2010/JPEGImages/{stem}.jpg" for stem in STEMS),
        "VOC2010-2/JPEGImages/2007_000032.jpg",
        *(f"VOC2010-3/JPEGImages/{stem}.jpg" for stem in STEMS),
        "coco/images/val2017/000000000001.png",
    ]
    index = 0
    for part in parts:
        for own in range(len(part)):
            alone, labels = part.labels(own, 5), joined.labels(index, 5)
            assert [names(part, a) for a in alone.layers] == [names(joined, b) for b in labels.layers]
            assert labels.categories == alone.categories
            index += 1
    assert index == len(joined) == 6
