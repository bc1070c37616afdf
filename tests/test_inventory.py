"""What a set holds and what is broken in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from concept_sets import (
    write_broden,
    write_folder,
    write_image_labels,
    write_mask,
    write_photo,
    write_rgb_mask,
)
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, Labels
from dissection.inventory import CategoryCount, Inventory, inventory
from dissection.readers import ConceptSetError, open_concepts


class Layers:
    """Given label maps over black squares."""

    concepts = (Concept("a", "x"), Concept("b", "x"), Concept("a", "y"))
    fingerprint = "sha256:layers"

    def __init__(self, *labels: Labels) -> None:
        self.given = labels

    def __len__(self) -> int:
        return len(self.given)

    def image_id(self, index: int) -> str:
        return f"image {index}"

    def image(self, index: int) -> Image.Image:
        return Image.new("RGB", (2, 2))

    def labels(self, index: int, size: int) -> Labels:
        return self.given[index]


def layers(*maps: list[list[int]], whole: tuple[int, ...] = (), categories: str = "x") -> Labels:
    return Labels(np.array(maps, np.int32).reshape(-1, 2, 2), whole, frozenset(categories))


def counts(stock: Inventory) -> dict[str, tuple[int, int]]:
    return {str(count.concept): (count.images, count.pixels) for count in stock.labels}


def test_counts_of_a_small_set(tmp_path: Path) -> None:
    # 4 × 2 masks of 0, 3, 7, 9 / 9, 9, 3, 0; squashed to 4 × 4 each row comes twice
    stock = inventory(open_concepts(f"folder:{write_folder(tmp_path)}"), size=4)
    assert counts(stock) == {"road (object)": (2, 8), "wheel (part)": (2, 8), "car (object)": (2, 4)}
    assert stock.categories == (
        CategoryCount("object", concepts=2, seen=2, images=2, pixels=12),
        CategoryCount("part", concepts=1, seen=1, images=2, pixels=8),
    )
    assert (stock.images, stock.unlabelled, stock.broken, stock.size) == (2, 0, 0, 4)
    assert stock.problems == ()


def test_a_pixel_with_a_label_in_two_layers_counts_once() -> None:
    stock = inventory(
        Layers(
            layers([[0, 0], [-1, 1]], [[0, -1], [0, 1]]),
            layers([[0, -1], [-1, -1]], whole=(0,)),
            layers(categories=""),
            layers([[-1, 2], [2, 2]], categories="xy"),
        ),
        size=2,
    )
    assert counts(stock) == {"a (x)": (2, 3 + 4), "b (x)": (1, 1), "a (y)": (1, 3)}
    assert [(c.category, c.images) for c in stock.categories] == [("x", 3), ("y", 1)]
    assert stock.unlabelled == 1
    assert stock.problems == ("1 image has no label and will be left out of a dissection: image 2",)


def test_counts_equal_a_loop_over_pixels() -> None:
    generator = np.random.default_rng(0)
    given = [
        Labels(generator.integers(NO_LABEL, 3, (depth, 5, 5)).astype(np.int32), (), frozenset("xy"))
        for depth in (0, 1, 2, 3, 4)
    ]
    stock = inventory(Layers(*given), size=5)
    for number, count in enumerate(stock.labels):
        pixels = [
            sum(number in labels.layers[:, y, x] for y in range(5) for x in range(5)) for labels in given
        ]
        assert (count.images, count.pixels) == (sum(p > 0 for p in pixels), sum(pixels))
        rows = stock.occurrences[stock.occurrences[:, 1] == number]
        assert {int(i): int(p) for i, _, p in rows} == {i: p for i, p in enumerate(pixels) if p}


def test_examples() -> None:
    one, two, three = [[0, -1], [-1, -1]], [[0, 0], [-1, -1]], [[2, 2], [2, -1]]
    stock = inventory(Layers(layers(one), layers(two), layers(two), layers(three, categories="xy")), size=2)
    assert [(e.image, str(e.concept), e.pixels) for e in stock.examples("A")] == [
        ("image 3", "a (y)", 3),
        ("image 1", "a (x)", 2),
        ("image 2", "a (x)", 2),
        ("image 0", "a (x)", 1),
    ]
    assert [e.index for e in stock.examples("a", category="X", limit=2)] == [1, 2]
    assert stock.examples("b") == []
    assert len(stock.examples("a", limit=None)) == 4


def test_unknown_labels_get_near_names(tmp_path: Path) -> None:
    stock = inventory(open_concepts(f"folder:{write_folder(tmp_path)}"), size=4)
    with pytest.raises(ConceptSetError, match=r"label 'weel' is not in this set; did you mean 'wheel'\?"):
        stock.examples("weel")
    with pytest.raises(ConceptSetError, match=r"label 'wheel' is not in this set; there is 'road', 'car'"):
        stock.examples("wheel", category="object")
    with pytest.raises(ConceptSetError, match=r"category 'parts' is not in this set; did you mean 'part'\?"):
        stock.examples("wheel", category="parts")


def test_broken_files_are_collected_and_counted_nowhere(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_folder(root, index=False)
    for stem in "cdef":
        write_photo(root / f"images/{stem}.png", 4, 2)
        write_mask(root / f"masks/{stem}.png", np.zeros((2, 4)))
    (root / "images/b.png").write_bytes(b"")
    write_mask(root / "masks/c.png", np.zeros((3, 4)))
    (root / "masks/d.png").write_bytes(b"no image")
    write_mask(root / "masks/e.png", np.full((2, 4), 99))
    stock = inventory(open_concepts(f"folder:{root}"), size=4)
    assert counts(stock)["road (object)"] == (2, 4 + 16)
    assert (stock.images, stock.broken, stock.unlabelled) == (6, 3, 1)
    assert stock.problems == (
        f"{root}/images/b.png: is empty, an image was expected",
        f"{root}/masks/c.png: the mask is 4 × 3 pixels, its upright image {root}/images/c.png is 4 × 2; "
        "they must be equal",
        f"images/d.png: {root}/masks/d.png: not an image in a known format (JPEG, PNG, TIFF, WebP, …)",
        "1 image has no label and will be left out of a dissection: images/e.png",
    )


def test_labels_that_are_never_seen_or_not_in_the_table(tmp_path: Path) -> None:
    root = write_broden(tmp_path)
    write_rgb_mask(root / "images/ade/a_part_2.png", [[0, 0, 77, 0]] * 3)
    stock = inventory(open_concepts(f"broden:{root}"), size=4)
    assert stock.problems == (
        f"images/ade/a.png: {root}/images/ade/a_part_2.png: label number 77 is not in label.csv "
        "for category 'part'; add it there or correct it",
        "1 image has no label and will be left out of a dissection: images/dtd/c.png",
        "1 of the 1 labels of category color are never seen: black",
        "2 of the 2 labels of category object are never seen: car, street",
        "2 of the 2 labels of category part are never seen: car, wheel",
        "1 of the 1 labels of category scene are never seen: street",
    )


def test_numbers_out_of_range_and_long_lists() -> None:
    stock = inventory(Layers(layers([[3, -1], [-1, -1]]), *[layers() for _ in range(12)]), size=2)
    assert stock.problems[0] == "image 0: has a label numbered 3, but the set has the concepts 0 to 2"
    assert stock.problems[1] == (
        "12 images have no label and will be left out of a dissection: "
        + ", ".join(f"image {i}" for i in range(1, 11))
        + " … and 2 more"
    )


def test_notes_are_problems(tmp_path: Path) -> None:
    photos = open_concepts(f"labels:{write_image_labels(tmp_path)}")
    photos.notes = ("annotations/x.json: left out",)  # type: ignore[attr-defined]
    assert inventory(photos, size=2).problems[-1] == "annotations/x.json: left out"


def test_table_and_progress(tmp_path: Path) -> None:
    seen: list[int] = []

    def progress(numbers: Iterable[int]) -> Iterable[int]:
        for number in numbers:
            seen.append(number)
            yield number

    photos = open_concepts(f"labels:{write_image_labels(tmp_path)}")
    first, second = inventory(photos, 4, progress), inventory(photos, 4)
    assert seen == [0, 1, 2]
    assert first.labels == second.labels and first.problems == second.problems
    frame = first.to_frame()
    assert list(frame.columns) == ["concept", "name", "category", "images", "pixels"]
    assert frame.loc[0].tolist() == [0, "street", "scene", 1, 16]
    assert len(frame) == 4 and frame["pixels"].dtype == np.int64


def test_photographs_have_no_labels(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png")
    stock = inventory(open_concepts(f"images:{tmp_path}"), size=3)
    assert (stock.labels, stock.categories, stock.unlabelled) == ((), (), 1)
    colored = inventory(open_concepts([f"images:{tmp_path}", "colors"]), size=3)
    assert sum(count.pixels for count in colored.labels) == 9 and colored.unlabelled == 0


@pytest.mark.data
def test_real_photographs(data_dir: Path) -> None:
    """COCO's own sums, taken from the panoptic JSON by hand: 129 of 133 labels occur, in 200 photographs."""
    stock = inventory(open_concepts(f"coco:{data_dir / 'coco_panoptic256'}"), size=112)
    (only,) = stock.categories
    assert (only.category, only.concepts, only.images) == ("object", 133, 200)
    assert 126 <= only.seen <= 129  # a tiny segment may fall between the sampled pixels
    assert stock.broken == 0 and stock.unlabelled == 0
    assert stock.examples("cat", limit=1)[0].pixels > 1000
