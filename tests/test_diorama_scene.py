"""Scenes: the same bytes from the same seed, labels that say what is drawn, and concepts that can be switched off."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.concepts import NO_LABEL, Concept
from dissection.readers.colors import NAMES as COLOR_NAMES
from dissection.readers.colors import color_table
from neuro_explain.diorama.paint import COLORS, MATERIALS, TEXTURES
from neuro_explain.diorama.picture import shape_map
from neuro_explain.diorama.scene import LAYERS, SIZE, make_scene
from neuro_explain.diorama.scenes import COMPOSERS
from neuro_explain.diorama.words import CONCEPTS, KINDS, PARTS, SCENES

some = st.tuples(st.integers(0, 5), st.integers(0, 400))


def test_twelve_categories_or_more_and_forty_kinds_or_more() -> None:
    assert len(SCENES) >= 12
    assert len(KINDS) >= 40
    assert set(SCENES) == set(COMPOSERS)
    assert len(CONCEPTS) == len(set(CONCEPTS))
    assert {concept.category for concept in CONCEPTS} == {
        "object",
        "part",
        "material",
        "texture",
        "color",
        "scene",
    }


def test_categories_echo_the_paper() -> None:
    assert {"bookstore", "waterfall", "bedroom", "kitchen", "street", "coast"} <= set(SCENES)


def test_categories_come_equally_often() -> None:
    drawn = [make_scene(1, index).category for index in range(700)]
    counts = np.array([drawn.count(name) for name in SCENES])
    assert counts.sum() == 700
    # binomial with p = 1/14: mean 50, standard deviation 6.8; four of them on either side
    assert counts.min() > 22
    assert counts.max() < 78


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib;from neuro_explain.diorama.scene import make_scene;"
        "d=hashlib.sha256()\n"
        "for i in range(14):\n"
        " s=make_scene(5,i);d.update(s.image().tobytes()+s.labels().tobytes()+repr(s.graph()).encode())\n"
        "print(d.hexdigest())"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1
    assert len(hashes.pop().strip()) == 64


def test_another_seed_gives_another_scene() -> None:
    pictures = {make_scene(seed, index).image().tobytes() for seed in range(3) for index in range(3)}
    assert len(pictures) == 9


@pytest.mark.parametrize("size", [32, 100, 128, 224])
def test_any_size(size: int) -> None:
    scene = make_scene(2, 3)
    image, labels = scene.image(size), scene.labels(size)
    assert image.size == (size, size)
    assert image.mode == "RGB"
    assert labels.shape == (len(LAYERS), size, size)
    # the same things are seen, up to what a coarser grid misses
    small, large = np.bincount(scene.segments(SIZE).ravel()), np.bincount(scene.segments(size).ravel())
    length = max(len(small), len(large))
    shares = [np.pad(counts, (0, length - len(counts))) / counts.sum() for counts in (small, large)]
    assert np.abs(shares[0] - shares[1]).sum() < 0.1


def test_an_unknown_category_is_refused() -> None:
    with pytest.raises(ValueError, match="category: expected one of bathroom, .* got 'attic'"):
        make_scene(1, 0, category="attic")


@given(some)
@settings(max_examples=40)
def test_labels_say_what_is_drawn(which: tuple[int, int]) -> None:
    """Every pixel's labels, looked up slowly from the shape that is seen there."""
    scene = make_scene(*which)
    size = 32
    labels = scene.labels(size)
    fine = shape_map(scene.stage, size)
    number = {concept: place for place, concept in enumerate(CONCEPTS)}
    for row in range(size):
        for column in range(size):
            place = fine[2 * row + 1, 2 * column]
            expected = [NO_LABEL] * 4
            if place:
                shape = scene.shapes[place - 1]
                expected[0] = number[Concept(scene.things[shape.thing].kind, "object")]
                for layer, (name, category) in enumerate(
                    [
                        (shape.part, "part"),
                        (shape.paint.material, "material"),
                        (shape.paint.texture, "texture"),
                    ],
                    1,
                ):
                    if name:
                        expected[layer] = number[Concept(name, category)]
            assert labels[:4, row, column].tolist() == expected
    pixels = np.asarray(scene.image(size)) >> 3
    colors = color_table()[pixels[..., 0], pixels[..., 1], pixels[..., 2]]
    assert [CONCEPTS[n] for n in np.unique(labels[4])] == [
        Concept(COLOR_NAMES[c], "color") for c in np.unique(colors)
    ]
    assert CONCEPTS[scene.whole] == Concept(scene.category, "scene")


@given(some)
@settings(max_examples=40)
def test_the_graph_says_what_is_seen(which: tuple[int, int]) -> None:
    scene = make_scene(*which)
    segments = scene.segments()
    seen = {seen.thing.number: seen for seen in scene.seen()}
    assert set(seen) == set(np.unique(segments).tolist()) - {-1}
    for number, each in seen.items():
        rows, columns = np.nonzero(segments == number)
        assert each.pixels == len(rows)
        assert each.box == (
            columns.min() / SIZE,
            rows.min() / SIZE,
            (columns.max() + 1) / SIZE,
            (rows.max() + 1) / SIZE,
        )
        assert each.parts <= PARTS
        assert each.materials <= set(MATERIALS)
        assert each.textures <= set(TEXTURES)
    graph = scene.graph()
    assert [thing["id"] for thing in graph["things"]] == sorted(seen)
    assert all(thing["on"] == -1 or 0 <= thing["on"] < len(scene.things) for thing in graph["things"])


@given(some, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_concept_that_is_switched_off_is_gone_and_all_else_is_equal(
    which: tuple[int, int], chance: object
) -> None:
    scene = make_scene(*which)
    there = sorted(c for c in scene.concepts(20) if c.category in ("object", "part", "material", "texture"))
    concept = chance.choice(there)  # type: ignore[attr-defined]
    before, after = np.asarray(scene.image()), np.asarray(scene.image(without=concept))
    showing = np.array([False, *(_shows(scene, shape, concept) for shape in scene.shapes)])
    fine = showing[shape_map(scene.stage, SIZE)].reshape(SIZE, 2, SIZE, 2).any((1, 3))
    assert fine.any()
    # a pixel of which no part showed the concept does not change by one level; what a ground takes as shadow
    # may show where the ground comes to light
    changed = (before != after).any(-1)
    assert not (changed & ~fine).any()
    # a window so bright that its glass is plain white looks the same without glass
    paints = [shape.paint for shape in scene.shapes if _shows(scene, shape, concept)]
    blank = all(len({*paint.rgb, *paint.second}) == 1 for paint in paints)
    assert changed.any() or (concept.category == "material" and blank)


def test_glass_that_is_plain_white_looks_the_same_without_glass() -> None:
    scene = make_scene(5, 391)  # a classroom whose windows are overexposed
    glass = Concept("glass", "material")
    assert glass in scene.concepts(20)
    assert np.array_equal(np.asarray(scene.image()), np.asarray(scene.image(without=glass)))


def _shows(scene: object, shape: object, concept: Concept) -> bool:
    match concept.category:
        case "object":
            return scene.things[shape.thing].kind == concept.name  # type: ignore[attr-defined]
        case "part":
            return shape.part == concept.name  # type: ignore[attr-defined]
        case "material":
            return shape.paint.material == concept.name  # type: ignore[attr-defined]
        case _:
            return shape.paint.texture == concept.name  # type: ignore[attr-defined]


def test_a_color_is_switched_off() -> None:
    scene = next(
        s for s in (make_scene(1, k) for k in range(50)) if Concept("red", "color") in s.concepts(100)
    )
    image = np.asarray(scene.image(without=Concept("red", "color")))
    steps = image >> 3
    left = color_table()[steps[..., 0], steps[..., 1], steps[..., 2]] == COLOR_NAMES.index("red")
    assert left.sum() == 0


@pytest.mark.parametrize("concept", [Concept("kitchen", "scene"), Concept("grey", "color")])
def test_what_cannot_be_switched_off_says_so(concept: Concept) -> None:
    with pytest.raises(ValueError, match="cannot be switched off"):
        make_scene(1, 0).image(without=concept)


def test_paints_are_read_as_their_colours_by_the_public_table() -> None:
    table = color_table()
    for name, shades in COLORS.items():
        for red, green, blue in shades:
            assert COLOR_NAMES[table[red >> 3, green >> 3, blue >> 3]] == name, (name, (red, green, blue))


@pytest.mark.slow
@pytest.mark.parametrize("category", SCENES)
def test_no_scene_of_a_category_fails_and_all_draw_the_whole_frame(category: str) -> None:
    for index in range(150):
        scene = make_scene(77, index, category=category)
        fine = shape_map(scene.stage, 64)
        assert (fine > 0).mean() > 0.995, (category, index)
        assert len(scene.shapes) < 420
        assert len({thing.kind for thing in scene.things}) >= 6


@pytest.mark.slow
def test_no_single_pixel_gives_the_class_away() -> None:
    """The best rule that looks at one pixel (the class whose mean colour there is nearest) is right in few scenes."""
    scenes = [make_scene(6, index) for index in range(1400)]
    images = np.stack([np.asarray(scene.image(32), np.float64) for scene in scenes])
    labels = np.array([SCENES.index(scene.category) for scene in scenes])
    learn, test = slice(0, 1000), slice(1000, None)
    means = np.stack([images[learn][labels[learn] == c].mean(0) for c in range(len(SCENES))])
    distance = ((images[test][:, None] - means[None]) ** 2).sum(-1)  # [N, C, h, w]
    right = (distance.argmin(1) == labels[test][:, None, None]).mean(0)
    assert right.max() < 0.4
