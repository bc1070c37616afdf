"""Outlines of the LabelMe website (XML) and of the desktop program (JSON), in the layouts that these write."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pytest
from concept_sets import write_photo
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, ConceptDataset
from dissection.readers import open_concepts
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.labelme import LabelMe

BOX = ((1, 1), (5, 1), (5, 3), (1, 3))  # x, y: columns 1 to 4 of rows 1 and 2


def thing(
    name: str, points: Sequence[tuple[float, float]], number: int, part_of: str = "", deleted: int = 0
) -> str:
    """An <object> as the website writes it, line breaks inside the elements included."""
    corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in points)
    return (
        f"<object><name>\n{escape(name)}\n</name><deleted>{deleted}</deleted><verified>0</verified>"
        f"<occluded>no</occluded><attributes></attributes><parts><hasparts></hasparts><ispartof>{part_of}"
        f"</ispartof></parts><date>1-Jan-2010</date><id>{number}</id><polygon><username>anonymous</username>"
        f"{corners}</polygon></object>"
    )


def write_xml(
    root: Path, *things: str, name: str = "a", size: tuple[int, int] | None = (4, 6), image: str | None = None
) -> Path:
    """An image of 6 × 4 pixels in folder "street", and its annotation."""
    write_photo(root / f"Images/street/{name}.jpg", 6, 4)
    rows = f"<imagesize><nrows>\n{size[0]}\n</nrows><ncols>{size[1]}</ncols></imagesize>" if size else ""
    path = root / f"Annotations/street/{name}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><filename>\n{image or f'{name}.jpg'}\n</filename><folder>street</folder><source></source>"
        f"{''.join(things)}{rows}</annotation>"
    )
    return root


def shape(label: Any, points: Any, kind: Any = "polygon") -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}


def write_json(root: Path, *shapes: Any, name: str = "a", **changes: Any) -> Path:
    """An image of 6 × 4 pixels and the program's file beside it."""
    write_photo(root / f"street/{name}.png", 6, 4)
    data = {"version": "5.4.1", "flags": {}, "shapes": list(shapes), "imagePath": f"{name}.png"}
    data |= {"imageData": None, "imageHeight": 4, "imageWidth": 6, **changes}
    (root / f"street/{name}.json").write_text(json.dumps(data))
    return root


def drawn(dataset: ConceptDataset, index: int = 0) -> list[list[str]]:
    """Each layer's rows at 12 × 12, every image pixel once: a letter a pixel, its concept's first; `.` for none."""
    letters = [concept.name[0] for concept in dataset.concepts] + ["."]
    return [
        ["".join(letters[n] for n in row[::2]) for row in layer[::3].tolist()]
        for layer in dataset.labels(index, 12).layers
    ]


def test_the_websites_layout(tmp_path: Path) -> None:
    write_xml(
        tmp_path, thing("car", BOX, 0), thing("gone", BOX, 1, deleted=1), thing("side walk", BOX[:3], 2)
    )
    write_xml(tmp_path, thing("dog", [(0, 0), (6, 0), (6, 4), (0, 4)], 0), name="b")
    labelme = open_concepts(f"labelme:{tmp_path}")
    assert isinstance(labelme, LabelMe) and isinstance(labelme, ConceptDataset)
    assert list(labelme.concepts) == [Concept(name, "object") for name in ("car", "side walk", "dog")]
    assert [labelme.image_id(i) for i in range(2)] == ["Images/street/a.jpg", "Images/street/b.jpg"]
    # the triangle is the half of the box that is right of its diagonal from (1, 1) to (5, 3)
    assert drawn(labelme) == [["......", ".csss.", ".cccs.", "......"]]
    assert drawn(labelme, 1) == [["dddddd"] * 4]
    assert labelme.labels(0, 3).categories == {"object"} and labelme.labels(0, 3).whole == ()


def test_parts_lie_in_layers_of_their_own(tmp_path: Path) -> None:
    whole = thing("car", [(0, 0), (6, 0), (6, 3), (0, 3)], 3)
    part = thing("door", BOX, 0, part_of="3")
    part_of_part = thing("handle", [(2, 1), (3, 1), (3, 2), (2, 2)], 7, part_of="0")
    labelme = LabelMe(write_xml(tmp_path, part, whole, part_of_part))
    assert list(labelme.concepts) == [
        Concept("door", "part"),
        Concept("car", "object"),
        Concept("handle", "part"),
    ]
    assert drawn(labelme) == [
        ["cccccc", "cccccc", "cccccc", "......"],
        ["......", ".dddd.", ".dddd.", "......"],
        ["......", "..h...", "......", "......"],
    ]
    assert labelme.labels(0, 3).categories == {"object", "part"}


def test_an_image_without_parts_is_not_negative_for_them(tmp_path: Path) -> None:
    write_xml(tmp_path, thing("car", BOX, 0), thing("door", BOX, 1, part_of="0"))
    write_xml(tmp_path, thing("car", BOX, 0), name="b")
    write_xml(tmp_path, name="c")
    labelme = LabelMe(tmp_path)
    carried = [labelme.labels(i, 2).categories for i in range(3)]
    assert carried == [{"object", "part"}, {"object"}, {"object"}]
    assert labelme.labels(2, 2).empty and labelme.labels(2, 2).layers.shape == (0, 2, 2)


@pytest.mark.parametrize("order", [1, -1])
def test_the_smaller_lies_on_top_whatever_the_order(tmp_path: Path, order: int) -> None:
    small, large = ("small", ((2, 1), (4, 1), (4, 3), (2, 3))), ("large", BOX)
    expected = [["......", ".lssl.", ".lssl.", "......"]]
    pair = (small, large)[::order]
    xml = write_xml(tmp_path / "xml", *(thing(*one, number=n) for n, one in enumerate(pair)))
    assert drawn(LabelMe(xml)) == expected
    assert drawn(LabelMe(write_json(tmp_path / "json", *(shape(*one) for one in pair)))) == expected


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_equal_ones_the_later_lies_on_top(tmp_path: Path, order: int) -> None:
    pair = [shape("first", BOX), shape("second", [(x + 1, y) for x, y in BOX])][::order]
    (layer,) = drawn(LabelMe(write_json(tmp_path, *pair)))
    assert layer[1] == (".fssss" if order == 1 else ".ffffs")


def test_the_programs_layout(tmp_path: Path) -> None:
    write_json(
        tmp_path,
        shape("door", [[5, 3], [3, 1]], "rectangle"),
        shape("eye", [[1.5, 1.5], [2.5, 1.5]], "circle"),
        shape("car", [[0, 3], [6, 3], [6, 4], [0, 4]], None),  # what old versions write for a polygon
        shape("hole", [[0, 0], [6, 4]], "line"),
        shape("nose", [[0, 0]], "point"),
    )
    (tmp_path / "notes.json").write_text('{"by": "somebody"}')
    (tmp_path / "street/.hidden.json").write_text("{")
    labelme = LabelMe(tmp_path)
    assert drawn(labelme) == [[".e....", "eeedd.", ".e.dd.", "cccccc"]]
    assert [str(c) for c in labelme.concepts] == ["door (object)", "eye (object)", "car (object)"]
    assert labelme.image_id(0) == "street/a.png" and labelme.labels(0, 1).categories == {"object"}
    assert labelme.notes == (
        "notes.json: left out, it has no 'shapes'",
        "left out: 1 shapes of type 'line', which have no area",
        "left out: 1 shapes of type 'point', which have no area",
    )


def test_regions_without_a_label_cut_holes(tmp_path: Path) -> None:
    hole = [(2, 1), (3, 1), (3, 2), (2, 2)]
    labelme = LabelMe(write_json(tmp_path, shape("_background_", hole), shape("car", BOX)))
    assert drawn(labelme) == [["......", ".c.cc.", ".cccc.", "......"]]
    assert list(labelme.concepts) == [Concept("car", "object")]


def in_base_64(mask: Any) -> str:
    file = BytesIO()
    Image.fromarray(np.array(mask, bool)).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    ("corner", "expected"),
    [
        ((2, 1), ["......", "..cc..", "...c..", "......"]),
        ((5, 3), ["......", "......", "......", ".....c"]),
        ((-1, -1), ["c.....", "......", "......", "......"]),
        ((0, -1), [".c....", "......", "......", "......"]),
        ((9, 9), ["......"] * 4),
        ((-9, -9), ["......"] * 4),
    ],
)
def test_masks_as_its_magic_wand_draws_them(
    tmp_path: Path, corner: tuple[int, int], expected: list[str]
) -> None:
    x, y = corner
    wand = shape("car", [[x, y], [x + 1, y + 1]], "mask") | {"mask": in_base_64([[1, 1], [0, 1]])}
    assert drawn(LabelMe(write_json(tmp_path, wand))) == [expected]


@pytest.mark.parametrize("mask", [None, "no base 64", "AAAA", in_base_64([[1, 1, 1]] * 2)])
def test_masks_that_do_not_fit(tmp_path: Path, mask: Any) -> None:
    write_json(tmp_path, shape("car", [[0, 0], [1, 1]], "mask") | {"mask": mask})
    with pytest.raises(ConceptSetError, match="shape 1: its mask is no PNG of the size of its box"):
        LabelMe(tmp_path)


def test_paths_of_windows_and_images_elsewhere_in_the_set(tmp_path: Path) -> None:
    write_json(tmp_path, shape("car", BOX), imagePath="..\\photos\\a.png")
    write_photo(tmp_path / "photos/a.png", 6, 4)
    assert LabelMe(tmp_path).image_id(0) == "photos/a.png"


def test_the_frame_is_the_upright_images(tmp_path: Path) -> None:
    write_json(tmp_path, shape("car", [[0, 0], [6, 0], [6, 1], [0, 1]]))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 6)).save(tmp_path / "street/a.png", exif=exif)  # upright: 6 × 4
    assert drawn(LabelMe(tmp_path)) == [["cccccc", *["......"] * 3]]


def test_another_size_than_stated(tmp_path: Path) -> None:
    stated = LabelMe(write_xml(tmp_path / "a", thing("car", BOX, 0), size=(8, 12)))
    with pytest.raises(
        ConceptSetError, match=r"a\.xml: states an image of 12 × 8 pixels, .*a\.jpg upright is 6 × 4"
    ):
        stated.labels(0, 4)
    for size in (None, (0, 0)):
        silent = LabelMe(write_xml(tmp_path / f"{size}", thing("car", BOX, 0), size=size))
        assert (silent.labels(0, 4).layers != NO_LABEL).any()


def test_what_cannot_be_drawn_is_counted(tmp_path: Path) -> None:
    mask = "<object><name>x</name><deleted>0</deleted><id>9</id><segm><mask>a.png</mask></segm></object>"
    write_xml(tmp_path, thing("car", BOX, 0), thing("", BOX, 1), thing("dot", BOX[:2], 2), mask)
    labelme = LabelMe(tmp_path)
    assert list(labelme.concepts) == [Concept("car", "object")]
    assert set(labelme.notes) == {
        "left out: 1 shapes without a name",
        "left out: 1 shapes with fewer than three points",
        "left out: 1 shapes drawn as a mask, not as a polygon",
    }


def test_objects_without_ids_or_parts(tmp_path: Path) -> None:
    """As the first years of the website wrote them."""
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in BOX)
    old = f"<object><name>car</name><polygon>{points}</polygon></object>"
    labelme = LabelMe(write_xml(tmp_path, old, old.replace("car", "bus")))
    assert drawn(labelme) == [["......", ".bbbb.", ".bbbb.", "......"]], "equal ones: the later on top"


@pytest.mark.parametrize(
    ("things", "sentence"),
    [
        ([thing("car", BOX, 0, part_of="5")], r"a\.xml: object 0 is part of '5', which is not in the file"),
        ([thing("a", BOX, 0, part_of="1"), thing("b", BOX, 1, part_of="0")], "object 0 is a part of itself"),
        ([thing("a", BOX, 0, part_of="0")], "object 0 is a part of itself"),
        ([thing("a", BOX, 0), thing("b", BOX, 0)], "object 0 is there twice"),
        ([thing("a", [("x", 1)], 0)], "a point has no x or y that is a number"),  # type: ignore[list-item]
        ([thing("a", [(float("nan"), 1)], 0)], "a point is at x = nan, y = 1.0; finite"),
        (["<object>"], r"a\.xml: cannot be read as XML"),
    ],
)
def test_broken_xml(tmp_path: Path, things: list[str], sentence: str) -> None:
    write_xml(tmp_path, *things)
    with pytest.raises(ConceptSetError, match=sentence):
        LabelMe(tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "cannot be read as XML"),
        (b'<?xml version="1.0" encoding="no-such"?><annotation/>', "cannot be read as XML"),
        (b"<annotation></annotation>", "an <annotation> with a <filename> was expected"),
        (b"<other><filename>a.jpg</filename></other>", "an <annotation> with a <filename>"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><annotation/>", "defines a document type"),
    ],
)
def test_files_that_are_no_labelme_xml(tmp_path: Path, content: bytes, sentence: str) -> None:
    write_xml(tmp_path)
    (tmp_path / "Annotations/street/a.xml").write_bytes(content)
    with pytest.raises(ConceptSetError, match=sentence):
        LabelMe(tmp_path)


TRIANGLE = [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (
            shape("car", TRIANGLE, "ellipse"),
            r"a\.json, shape 1: is of type 'ellipse', one of polygon, rectangle, circle, mask",
        ),
        (shape("car", TRIANGLE, ["x"]), r"shape 1: is of type \"\['x'\]\""),
        (shape("", TRIANGLE), "shape 1: 'label' is '', a name"),
        (shape(3, TRIANGLE), "shape 1: 'label' is 3, a name"),
        (shape("car", TRIANGLE[:2]), r"shape 1: at least 3 points \[x, y\] were expected of a polygon"),
        (shape("car", TRIANGLE, "circle"), "shape 1: 2 points .* of a circle"),
        (shape("car", TRIANGLE, "rectangle"), "shape 1: 2 points .* of a rectangle"),
        (shape("car", [["a", 1]] * 3), "shape 1: 'points' are no pairs of numbers"),
        (shape("car", [[1], [1, 2], [3]]), "shape 1: 'points' are no pairs of numbers"),
        (shape("car", None), "shape 1: at least 3 points"),
        (shape("car", [[0, 0], [1, float("inf")], [2, 2]]), "shape 1: has a point that is not finite"),
        ("car", "shape 1: is of type None"),
    ],
)
def test_broken_shapes(tmp_path: Path, broken: Any, sentence: str) -> None:
    write_json(tmp_path, broken)
    with pytest.raises(ConceptSetError, match=sentence):
        LabelMe(tmp_path)


def test_broken_json(tmp_path: Path) -> None:
    write_json(tmp_path, imagePath=None)
    with pytest.raises(ConceptSetError, match="a list 'shapes' and a file name 'imagePath' were expected"):
        LabelMe(tmp_path)
    write_json(tmp_path, imagePath="/etc/a.png")
    with pytest.raises(ConceptSetError, match="points outside the set"):
        LabelMe(tmp_path)
    write_json(tmp_path, imagePath="no.png")
    with pytest.raises(MissingFileError, match=r"street/a\.json: image 'street/no\.png' does not exist"):
        LabelMe(tmp_path)
    (tmp_path / "street/a.json").write_text("{")
    with pytest.raises(ConceptSetError, match=r"a\.json: is not JSON"):
        LabelMe(tmp_path)


def test_an_image_drawn_twice(tmp_path: Path) -> None:
    write_xml(tmp_path, thing("car", BOX, 0))
    write_xml(tmp_path, thing("car", BOX, 0), name="b", image="a.jpg")
    with pytest.raises(ConceptSetError, match=r"b\.xml: Images/street/a\.jpg is also drawn in .*a\.xml"):
        LabelMe(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(
        MissingFileError, match=r"neither Annotations/FOLDER/NAME\.xml of the LabelMe website nor"
    ):
        LabelMe(tmp_path)


def test_the_fingerprint_sees_a_moved_corner(tmp_path: Path) -> None:
    before = LabelMe(write_json(tmp_path, shape("car", BOX))).fingerprint
    assert LabelMe(tmp_path).fingerprint == before
    assert LabelMe(write_json(tmp_path, shape("car", [(2, 1), *BOX[1:]]))).fingerprint != before


def test_labels_are_nearest_of_the_images_own_resolution(tmp_path: Path) -> None:
    """A mask drawn at 60 × 40 and then resized by Pillow, not a polygon drawn at 7 × 7."""
    outline = [[3.3, 2.1], [55.7, 8.9], [31.2, 37.5], [12.0, 30.0]]
    write_json(tmp_path, shape("car", outline), imageHeight=40, imageWidth=60)
    write_photo(tmp_path / "street/a.png", 60, 40)
    from skimage.draw import polygon2mask

    mask = polygon2mask((40, 60), [[y - 0.5, x - 0.5] for x, y in outline])
    kept = Image.fromarray(mask.astype("uint8")).resize((7, 7), Image.Resampling.NEAREST)
    (layer,) = LabelMe(tmp_path).labels(0, 7).layers
    assert 0 < (layer == 0).sum() < 49
    assert [[n == 0 for n in row] for row in layer.tolist()] == [
        [bool(kept.getpixel((x, y))) for x in range(7)] for y in range(7)
    ]
