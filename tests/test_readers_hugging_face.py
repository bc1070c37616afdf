"""Data sets of Hugging Face: saved to disk, as Parquet, as folders of images, and from Python."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from concept_sets import write_csv, write_mask, write_photo
from PIL import Image

from dissection.concepts import NO_LABEL, Concept, ConceptDataset
from dissection.images import ImageError
from dissection.readers import open_concepts
from dissection.readers.errors import ConceptSetError, MissingFileError
from dissection.readers.hugging_face import HuggingFaceMasks, open_hugging_face
from dissection.readers.hugging_face_columns import load

datasets = pytest.importorskip("datasets", reason="the extra [datasets] is not installed")

CLASSES = ["background", "road", "car", "wheel"]
MASK = ((0, 1, 2, 255), (3, 3, 2, 0))
NAMES = [[None, "road", "car", None], ["wheel", "wheel", "car", None]]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the cache of whoever runs the tests, and nothing asked of the network."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def photo(seed: int = 0, width: int = 4, height: int = 2) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def mask(values: Any = MASK, dtype: Any = np.uint8) -> Image.Image:
    return Image.fromarray(np.array(values, dtype))


def some_rows(count: int = 2, **more: Any) -> Any:
    """Images of 4 × 2 with masks, and a column that names the classes."""
    columns = {
        "image": ([photo(i) for i in range(count)], datasets.Image()),
        "annotation": ([mask()] * count, datasets.Image()),
        "classes_on_image": ([[1, 2]] * count, datasets.List(datasets.ClassLabel(names=CLASSES))),
        **more,
    }
    columns = {name: column for name, column in columns.items() if column is not None}
    features = datasets.Features({name: feature for name, (_, feature) in columns.items()})
    return datasets.Dataset.from_dict({name: values for name, (values, _) in columns.items()}, features)


def seen(dataset: ConceptDataset, index: int = 0, size: int = 4) -> list[list[str | None]]:
    """The names at 4 × 4 of an image of 4 × 2: every row twice."""
    (layer,) = dataset.labels(index, size).layers.tolist()
    return [[dataset.concepts[n].name if n != NO_LABEL else None for n in row] for row in layer]


TWICE = [row for row in NAMES for _ in range(2)]


def test_saved_to_disk(tmp_path: Path) -> None:
    some_rows().save_to_disk(tmp_path / "scenes")
    scenes = open_concepts(f"hf:{tmp_path / 'scenes'}")
    assert isinstance(scenes, HuggingFaceMasks) and isinstance(scenes, ConceptDataset)
    assert list(scenes.concepts) == [Concept(name, "object") for name in CLASSES[1:]]
    assert len(scenes) == 2 and scenes.image_id(1) == "row/1" and scenes.name == "scenes"
    assert seen(scenes) == TWICE
    for index in range(2):
        assert scenes.image(index).mode == "RGB"
        assert scenes.image(index).tobytes() == photo(index).tobytes()
    assert scenes.labels(0, 1).categories == {"object"} and scenes.labels(0, 1).whole == ()


def test_splits_one_after_the_other(tmp_path: Path) -> None:
    both = datasets.DatasetDict({"train": some_rows(2), "validation": some_rows(1)})
    both.save_to_disk(tmp_path / "scenes")
    scenes = open_hugging_face(tmp_path / "scenes")
    assert [scenes.image_id(i) for i in range(3)] == ["train/0", "train/1", "validation/0"]
    assert seen(scenes, 2) == TWICE


def test_parquet(tmp_path: Path) -> None:
    some_rows().to_parquet(tmp_path / "scenes.parquet")
    alone = open_hugging_face(tmp_path / "scenes.parquet")
    assert seen(alone, 1) == TWICE and alone.image_id(1) == "train/1" and alone.name == "scenes"
    folder = tmp_path / "folder"
    (folder / "data").mkdir(parents=True)
    some_rows(2).to_parquet(folder / "data/train-00000-of-00001.parquet")
    some_rows(1).to_parquet(folder / "data/validation-00000-of-00001.parquet")
    scenes = open_hugging_face(folder)
    assert [scenes.image_id(i) for i in range(3)] == ["train/0", "train/1", "validation/0"]
    write_csv(folder / "labels.csv", [("value", "name", "category"), (2, "tyre", "part")])
    named = open_hugging_face(folder)
    assert [named.image_id(i) for i in range(3)] == ["train/0", "train/1", "validation/0"]
    assert list(named.concepts) == [Concept("tyre", "part")]
    assert seen(named)[0] == [None, None, "tyre", None], "values without a row are no labels"
    assert named.labels(0, 1).categories == {"part"} and named.fingerprint != scenes.fingerprint


def test_a_folder_of_images(tmp_path: Path) -> None:
    """Columns of paths, which are read only below the folder."""
    for stem in ("a", "b"):
        write_photo(tmp_path / f"set/train/{stem}.png", 4, 2)
        write_mask(tmp_path / f"set/train/{stem}_mask.png", MASK)
    rows = [("file_name", "mask_file_name"), ("a.png", "a_mask.png"), ("b.png", "b_mask.png")]
    write_csv(tmp_path / "set/train/metadata.csv", rows)
    dataset = load(tmp_path / "set")
    scenes = HuggingFaceMasks(dataset, names={1: "road", 2: "car", 3: "wheel"}, root=tmp_path / "set")
    assert seen(scenes, 1) == TWICE and scenes.image(0).size == (4, 2)
    elsewhere = HuggingFaceMasks(dataset, names={1: "road"}, root=tmp_path / "other")
    for ask in (lambda: elsewhere.labels(0, 4), lambda: elsewhere.image(0), lambda: elsewhere.fingerprint):
        with pytest.raises(ConceptSetError, match=r"hf, train/0, column '.*': '.*' points outside the set"):
            ask()
    shutil.rmtree(tmp_path / "set")
    with pytest.raises(
        MissingFileError, match=r"column 'mask': '.*a_mask\.png' does not exist on this machine"
    ):
        scenes.labels(0, 4)


def test_a_folder_of_images_by_its_spec(tmp_path: Path) -> None:
    write_photo(tmp_path / "train/a.png", 4, 2)
    write_mask(tmp_path / "train/a_mask.png", MASK)
    write_csv(tmp_path / "train/metadata.csv", [("file_name", "mask_file_name"), ("a.png", "a_mask.png")])
    with pytest.raises(
        ConceptSetError, match=r"no column says what the values of the masks mean; write labels\.csv"
    ):
        open_hugging_face(tmp_path)
    rows = [(value, name, "object") for value, name in enumerate(CLASSES)][1:]
    write_csv(tmp_path / "labels.csv", [("value", "name", "category"), *rows])
    assert seen(open_hugging_face(tmp_path)) == TWICE


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("image", "mask"), ("image", "mask")),
        (("pixel_values", "label"), ("pixel_values", "label")),
        (("photo", "annotation"), ("photo", "annotation")),
        (("image", "regions"), ("image", "regions")),
        (("depth", "mask", "image"), ("image", "mask")),
        (("label", "annotation", "image"), ("image", "annotation")),
    ],
)
def test_columns_are_found_by_name(names: tuple[str, ...], expected: tuple[str, str]) -> None:
    rows = {name: [photo() if name == expected[0] else mask()] for name in names}
    features = datasets.Features({name: datasets.Image() for name in names})
    scenes = HuggingFaceMasks(datasets.Dataset.from_dict(rows, features), names={2: "car"})
    assert scenes.image(0).tobytes() == photo().tobytes()
    assert seen(scenes)[0] == [None, None, "car", None]


@pytest.mark.parametrize("names", [("image",), ("a", "b"), ("image", "a", "b"), ("mask",), ()])
def test_columns_that_might_be_either(names: tuple[str, ...]) -> None:
    features = datasets.Features({**{name: datasets.Image() for name in names}, "n": datasets.Value("int32")})
    dataset = datasets.Dataset.from_dict({**{name: [photo()] for name in names}, "n": [1]}, features)
    shown = ", ".join(names) or "none"
    with pytest.raises(
        ConceptSetError, match=f"hf: its columns of images are {shown}; one of images and one of"
    ):
        HuggingFaceMasks(dataset, names={1: "a"})


def test_columns_given() -> None:
    rows = some_rows(more=([mask([[2] * 4] * 2)] * 2, datasets.Image()))
    scenes = HuggingFaceMasks(rows, image="image", mask="more", names={2: "tyre"}, category="part")
    assert seen(scenes) == [["tyre"] * 4] * 4 and list(scenes.concepts) == [Concept("tyre", "part")]
    with pytest.raises(
        ConceptSetError, match=r"has no column 'annotations' of images; did you mean 'annotation'"
    ):
        HuggingFaceMasks(rows, mask="annotations")
    with pytest.raises(ConceptSetError, match=r"has no column 'classes_on_image' of images"):
        HuggingFaceMasks(rows, image="classes_on_image")
    with pytest.raises(ConceptSetError, match="one of images and one of masks"):
        HuggingFaceMasks(rows, image="image", mask="image")


def test_names_may_be_concepts() -> None:
    names = {1: Concept("road", "object"), 3: Concept("wheel", "part"), 2: Concept("road", "object")}
    scenes = HuggingFaceMasks(some_rows(), names=names)
    assert list(scenes.concepts) == [Concept("road", "object"), Concept("wheel", "part")]
    assert seen(scenes)[0] == [None, "road", "road", None]
    assert scenes.labels(0, 1).categories == {"object", "part"}


def test_a_column_of_single_classes_says_nothing_of_pixels() -> None:
    """The scene of an image is no list of what its mask may hold."""
    scene = ([0, 1], datasets.ClassLabel(names=["street", "beach"]))
    scenes = HuggingFaceMasks(some_rows(scene_category=scene))
    assert [c.name for c in scenes.concepts] == CLASSES[1:]
    with pytest.raises(ConceptSetError, match="no column says what the values of the masks mean"):
        HuggingFaceMasks(some_rows(scene_category=scene, classes_on_image=None))
    several = ([[0], [1]], datasets.List(datasets.ClassLabel(names=["x", "y"])))
    with pytest.raises(ConceptSetError, match="several columns say what the values of the masks mean"):
        HuggingFaceMasks(some_rows(more=several))


def test_a_value_that_no_class_has() -> None:
    rows = some_rows(annotation=([mask([[4, 0, 255, 1]] * 2)] * 2, datasets.Image()))
    with pytest.raises(
        ConceptSetError, match=r"hf, row/0, column 'annotation': value 4 is no class .* labels\.csv"
    ):
        HuggingFaceMasks(rows).labels(0, 4)
    assert seen(HuggingFaceMasks(rows, names={1: "road"}))[0] == [None, None, None, "road"]


def test_masks_are_exact() -> None:
    """A palette, and 16 bits: the values in the file, not what a conversion to grey makes of them."""
    palette = mask()
    palette = palette.convert("P")
    palette.putdata([value for row in MASK for value in row])
    palette.putpalette([200, 10, 10] * 256)
    wide = mask(((0, 300, 2, 65535), (3, 3, 2, 0)), np.uint16)
    rows = some_rows(annotation=([palette, wide], datasets.Image()))
    scenes = HuggingFaceMasks(rows, names={1: "road", 2: "car", 3: "wheel", 300: "far", 65535: "last"})
    assert seen(scenes, 0) == TWICE
    assert seen(scenes, 1)[0] == [None, "far", "car", "last"]


def test_bad_masks() -> None:
    rows = some_rows(
        4,
        annotation=(
            [mask(np.zeros((2, 5))), photo(), None, {"bytes": b"no image", "path": None}],
            datasets.Image(),
        ),
    )
    scenes = HuggingFaceMasks(rows, names={1: "road"})
    with pytest.raises(
        ConceptSetError, match=r"hf, row/0, column 'annotation': the mask is 5 × 2 .* image is 4 × 2"
    ):
        scenes.labels(0, 4)
    with pytest.raises(ImageError, match=r"^hf, row/1, column 'annotation': is an RGB image"):
        scenes.labels(1, 4)
    with pytest.raises(ConceptSetError, match=r"hf, row/2, column 'annotation': is empty"):
        scenes.labels(2, 4)
    with pytest.raises(ImageError, match=r"^hf, row/3, column 'annotation': not an image"):
        scenes.labels(3, 4)


def test_the_image_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2, 4)).save(tmp_path / "a.png", exif=exif)  # upright: 4 × 2
    cell = {"bytes": (tmp_path / "a.png").read_bytes(), "path": None}
    scenes = HuggingFaceMasks(some_rows(1, image=([cell], datasets.Image())))
    assert scenes.image(0).size == (4, 2) and seen(scenes) == TWICE


def test_the_fingerprint_is_of_the_contents(tmp_path: Path) -> None:
    some_rows().save_to_disk(tmp_path / "a")
    some_rows().to_parquet(tmp_path / "b.parquet")
    first = open_hugging_face(tmp_path / "a").fingerprint
    assert first.startswith("sha256:") and open_hugging_face(tmp_path / "a").fingerprint == first
    assert open_hugging_face(tmp_path / "b.parquet").fingerprint == first, "wherever it lies"
    assert HuggingFaceMasks(some_rows(), names={1: "road"}).fingerprint != first
    other = some_rows(annotation=([mask([[1] * 4] * 2)] * 2, datasets.Image()))
    assert HuggingFaceMasks(other).fingerprint != first
    flat = some_rows(image=([Image.new("RGB", (4, 2))] * 2, datasets.Image()))
    assert HuggingFaceMasks(flat).fingerprint != first, "other images, other sizes of their files"


def test_a_selection_is_a_set() -> None:
    scenes = HuggingFaceMasks(some_rows(3).select([2, 0]).with_format("numpy"))
    assert len(scenes) == 2 and scenes.image(0).tobytes() == photo(2).tobytes()
    sent = pickle.loads(pickle.dumps(scenes))  # to another process
    assert seen(sent, 1) == TWICE and sent.fingerprint == scenes.fingerprint


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no such folder or file, .* nothing is fetched"):
        open_concepts("hf:somebody/scenes")
    with pytest.raises(ConceptSetError, match=r"datasets cannot read it \("):
        open_hugging_face(tmp_path)
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    with pytest.raises(ConceptSetError, match=r"broken\.parquet: datasets cannot read it \("):
        open_hugging_face(tmp_path / "broken.parquet")
    (tmp_path / "state.json").write_text(json.dumps({}))
    with pytest.raises(ConceptSetError, match="datasets cannot read it"):
        open_hugging_face(tmp_path)
    with pytest.raises(ConceptSetError, match="hf: is a IterableDataset, a datasets.Dataset or DatasetDict"):
        HuggingFaceMasks(some_rows().to_iterable_dataset())
    with pytest.raises(ConceptSetError, match="hf: has 0 images and 3 labels"):
        HuggingFaceMasks(some_rows().select([]))
    other = some_rows().rename_column("annotation", "mask")
    with pytest.raises(ConceptSetError, match="split 'test' has other columns than the first"):
        HuggingFaceMasks(datasets.DatasetDict({"train": some_rows(), "test": other}))


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    some_rows().save_to_disk(tmp_path / "scenes")

    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("dissection.readers.hugging_face_columns.import_module", absent)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "neuro-explain\[datasets\]"'):
        open_concepts(f"hf:{tmp_path / 'scenes'}")
