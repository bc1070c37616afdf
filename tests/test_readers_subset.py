"""Parts of a concept set, and halves that are the same on every machine."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from concept_sets import write_csv, write_photo
from probes import MemorySet, labelled_everywhere, some_concepts

from dissection.concepts import Concept, ConceptDataset, Labels
from dissection.readers import Union, open_concepts
from dissection.readers.errors import ConceptSetError
from dissection.readers.subset import Subset, halves


def memory_set(count: int = 5, fingerprint: str = "sha256:a") -> MemorySet:
    known = some_concepts(3, 2)
    return MemorySet(known, [labelled_everywhere(2, 4 + i) for i in range(count)], fingerprint=fingerprint)


def test_a_part_shows_the_images_of_the_whole_under_the_same_concepts() -> None:
    whole = memory_set()
    part = Subset(whole, [3, 0])
    assert isinstance(part, ConceptDataset)
    assert (len(part), list(part.concepts)) == (2, list(whole.concepts))
    for own, number in enumerate((3, 0)):
        assert part.image_id(own) == whole.image_id(number)
        assert part.labels(own, 1) is whole.answers[number]
        np.testing.assert_array_equal(np.asarray(part.image(own)), np.asarray(whole.image(number)))
    assert part.name == "2 of the 5 images of MemorySet"


def test_its_fingerprint_is_that_of_the_whole_and_the_numbers() -> None:
    prints = [
        Subset(memory_set(fingerprint=whole), numbers).fingerprint
        for whole in ("sha256:a", "sha256:b")
        for numbers in ([0, 1], [1, 0], [0], [0, 1, 2], [1, 2])
    ]
    assert len(set(prints)) == 10
    assert Subset(memory_set(), [0, 1]).fingerprint == prints[0]
    expected = hashlib.sha256(b"subset sha256:a 0 1").hexdigest()
    assert prints[0] == f"sha256:{expected}"


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([], "numbers: expected those of the images that the part is to have, got none"),
        ([0, 5], "numbers: expected 0 to 4, those of the set's images, got 0 to 5"),
        ([-1], "numbers: expected 0 to 4, those of the set's images, got -1 to -1"),
        ([2, 1, 2], "numbers: 2 stands there twice"),
    ],
)
def test_numbers_that_are_none_are_refused(numbers: list[int], message: str) -> None:
    with pytest.raises(ConceptSetError, match=message):
        Subset(memory_set(), numbers)


@pytest.mark.parametrize("index", [-1, 2])
def test_an_image_outside_is_refused(index: int) -> None:
    part = Subset(memory_set(), [3, 0])
    for ask in (part.image_id, part.image, lambda i: part.labels(i, 4)):
        with pytest.raises(IndexError, match=f"index: expected 0 to 1, got {index}"):
            ask(index)


def test_halves_are_the_whole_cut_by_the_hash_of_the_ids() -> None:
    whole = memory_set(9)
    first, second = halves(whole)
    order = sorted(range(9), key=lambda i: hashlib.sha256(whole.image_id(i).encode()).hexdigest())
    assert sorted(order[0::2]) == list(first.numbers)
    assert sorted(order[1::2]) == list(second.numbers)
    assert (len(first), len(second)) == (5, 4)
    assert first.fingerprint != second.fingerprint


def test_either_half_has_half_of_each_folder_and_each_set(tmp_path: Path) -> None:
    rows = [("image", "texture")]
    for folder, count in (("dotted", 4), ("grid", 6)):
        for number in range(count):
            write_photo(tmp_path / f"set/{folder}/{number}.png", seed=number)
            rows.append((f"{folder}/{number}.png", folder))
    write_csv(tmp_path / "set/labels.csv", rows)
    for number in range(2):
        write_photo(tmp_path / f"photos/{number}.png", seed=number)
    whole = open_concepts(
        [f"labels:{tmp_path / 'set/labels.csv'}", f"images:{tmp_path / 'photos'}", "colors"]
    )
    parts = halves(whole)
    assert sorted(parts[0].numbers + parts[1].numbers) == list(range(len(whole)))
    for part in parts:
        ids = [part.image_id(index) for index in range(len(part))]
        texture = Counter(Path(name).parent.name for name in ids)
        assert (texture["dotted"], texture["grid"]) == (2, 3)
        assert sum(name.startswith("photos/") for name in ids) == 1


def test_a_photograph_of_two_sets_is_in_one_half() -> None:
    known = [Concept("thing", "object")]
    labels = Labels(np.zeros((1, 2, 2), np.int32), (), frozenset({"object"}))
    joined = Union([MemorySet(known, [labels] * count) for count in (21, 30)], ["voc", "context"])
    first, second = halves(joined)
    names = [{half.image_id(i).rpartition("/")[2] for i in range(len(half))} for half in (first, second)]
    assert names[0] | names[1] == {f"{number:04d}.png" for number in range(30)}
    assert not names[0] & names[1] and abs(len(names[0]) - len(names[1])) <= 1
    assert sorted((*first.numbers, *second.numbers)) == list(range(51))
    with pytest.raises(ConceptSetError, match="at least 2 photographs"):
        halves(Union([MemorySet(known, [labels])] * 2, ["voc", "context"]))


def test_one_image_has_no_halves() -> None:
    with pytest.raises(
        ConceptSetError, match="expected a set of at least 2 images to cut into halves, got 1"
    ):
        halves(memory_set(1))
