"""The diorama as a concept set: the protocol, its name, and its export read back."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import neuro_explain as nx
from dissection.concepts import NO_LABEL, ConceptDataset, Labels
from dissection.readers import ConceptSetError
from neuro_explain.concept_export import export_concepts
from neuro_explain.diorama.dataset import Diorama
from neuro_explain.diorama.render import render_scenes
from neuro_explain.diorama.scene import make_scene
from neuro_explain.diorama.words import MASSES, SCENES


def test_it_is_a_concept_set() -> None:
    world = nx.open_concepts("diorama:3:5")
    assert isinstance(world, ConceptDataset)
    assert len(world) == 5
    labels = world.labels(2, 112)
    assert labels.layers.shape == (5, 112, 112)
    assert labels.layers.dtype == np.int32
    assert labels.categories == {"object", "part", "material", "texture", "color", "scene"}
    assert [world.concepts[number].category for number in labels.whole] == ["scene"]
    assert world.image_id(2) == f"3-00002-{make_scene(3, 2).category.replace(' ', '_')}.png"


def test_labels_at_another_size_are_pillows_nearest_of_the_native_ones() -> None:
    world = Diorama(3, 4)
    native = world.labels(1, 128).layers
    for size in (7, 64, 112, 200):
        squashed = [Image.fromarray(layer).resize((size, size), Image.Resampling.NEAREST) for layer in native]
        assert np.array_equal(
            world.labels(1, size).layers, np.stack([np.asarray(layer) for layer in squashed])
        )


def test_the_first_scenes_do_not_depend_on_how_many_there_are() -> None:
    few, many = Diorama(9, 2), Diorama(9, 50)
    assert few.image(1).tobytes() == many.image(1).tobytes()


def test_the_fingerprint_is_of_what_is_drawn() -> None:
    assert Diorama(1, 5).fingerprint == Diorama(1, 5).fingerprint
    prints = {w.fingerprint for w in (Diorama(1, 5), Diorama(2, 5), Diorama(1, 6), Diorama(1, 5, size=64))}
    assert len(prints) == 4


@pytest.mark.parametrize("spec", ["diorama:", "diorama:1", "diorama:x:5", "diorama:1:-5", "diorama:1:2:3"])
def test_a_wrong_name_says_what_was_expected(spec: str) -> None:
    with pytest.raises(ValueError, match=r"diorama:SEED:COUNT|expected after"):
        nx.open_concepts(spec)


def test_an_empty_world_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one scene, got 0"):
        nx.open_concepts("diorama:1:0")


def test_a_world_named_twice_is_refused() -> None:
    with pytest.raises(ConceptSetError, match="named twice"):
        nx.open_concepts(["diorama:1:5", "diorama:1:5"])


def test_colors_beside_it_change_nothing() -> None:
    alone, joined = nx.open_concepts("diorama:3:2"), nx.open_concepts(["diorama:3:2", "colors"])
    assert np.array_equal(alone.labels(1, 50).layers, joined.labels(1, 50).layers)


def named(world: ConceptDataset, labels: Labels) -> set[tuple[str, str, bytes]]:
    """Which pixels each concept has, free of numbers and of the order of layers."""
    found = {}
    for layer in labels.layers:
        for number in np.unique(layer[layer != NO_LABEL]):
            concept = world.concepts[number]
            mask = found.get((concept.name, concept.category), np.zeros(layer.shape, bool))
            found[concept.name, concept.category] = mask | (layer == number)
    for number in labels.whole:
        concept = world.concepts[number]
        found[concept.name, concept.category] = np.ones(labels.layers.shape[1:], bool)
    return {(*concept, mask.tobytes()) for concept, mask in found.items()}


def test_exported_as_broden_it_reads_back_identically(tmp_path: Path) -> None:
    world = Diorama(4, 14)
    export_concepts(world, tmp_path / "broden", layout="broden")
    read = nx.open_concepts(f"broden:{tmp_path / 'broden'}")
    assert len(read) == len(world)
    for index in range(len(world)):
        assert read.image(index).tobytes() == world.image(index).tobytes()
        for size in (128, 112, 50):
            ours, theirs = world.labels(index, size), read.labels(index, size)
            assert named(read, theirs) == named(world, ours)
            assert theirs.categories == ours.categories


def test_its_objects_exported_as_coco_read_back_identically(tmp_path: Path) -> None:
    world = Diorama(4, 14)
    export_concepts(world, tmp_path / "coco", layout="coco")
    read = nx.open_concepts(f"coco:{tmp_path / 'coco'}")
    assert len(read) == len(world)
    for index in range(len(world)):
        assert read.image(index).tobytes() == world.image(index).tobytes()
        ours = world.labels(index, 112)
        objects = Labels(ours.layers[:1], (), frozenset({"object"}))
        assert named(read, read.labels(index, 112)) == named(world, objects)


def test_segments_are_the_things() -> None:
    image = Diorama(4, 3).panoptic(2)
    scene = make_scene(4, 2)
    assert np.array_equal(image.segment_map, scene.segments() + 1)
    for number, (concept, countable) in image.segments.items():
        assert concept.name == scene.things[number - 1].kind
        assert countable == (concept.name not in MASSES)


def test_workers_draw_what_one_process_draws() -> None:
    alone, shared = render_scenes(5, range(70), workers=0), render_scenes(5, range(70), workers=2)
    assert np.array_equal(alone.images, shared.images)
    assert np.array_equal(alone.labels, shared.labels)
    for index in (0, 69):
        scene = make_scene(5, index)
        assert Image.fromarray(alone.images[index]).tobytes() == scene.image().tobytes()
        assert SCENES[alone.labels[index]] == scene.category


@pytest.mark.slow
def test_drawing_a_scene_takes_milliseconds() -> None:
    """Far above what a quiet machine needs, so that only a real slip fails; the benchmark has the figure."""
    make_scene(1, 0).image()
    start = time.process_time()
    for index in range(40):
        make_scene(1, index).image()
    assert (time.process_time() - start) / 40 < 0.03
