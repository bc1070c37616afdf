"""Which images are meant: folders, lists, patterns; their labels; and what is said when it cannot be told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neuro_explain import places365
from neuro_explain.inputs import Inputs, open_inputs
from neuro_explain.labels import Labels

CLASSES = ("kitchen", "tiger cat", "church/indoor", "T-shirt")


def touch(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def written(folder: Path, name: str, text: str) -> Path:
    """A list; a file x.jpg is there, so that a list is not taken to start from elsewhere."""
    touch(folder, ["x.jpg"])
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def labels_of(inputs: Inputs) -> list[int]:
    assert inputs.labels is not None and inputs.labels.dtype == np.int32
    return inputs.labels.tolist()


def test_a_folder_is_searched_and_sorted(tmp_path: Path) -> None:
    folder = touch(
        tmp_path / "p",
        ["b.jpg", "a/2.PNG", "a/10.png", "a/deep/er/ü.webp", "notes.txt", ".hidden.jpg", ".git/x.jpg", "jpg"],
    )
    inputs = open_inputs(folder, classes=CLASSES)
    assert inputs.ids == ["a/10.png", "a/2.PNG", "a/deep/er/ü.webp", "b.jpg"]
    assert list(inputs.paths) == [folder / name for name in inputs.ids] and all(
        p.is_file() for p in inputs.paths
    )
    assert list(inputs.paths[1:3]) == [folder / "a/2.PNG", folder / "a/deep/er/ü.webp"]
    assert inputs.labels is None and inputs.metadata is None and inputs.folder == folder and inputs.note == ""
    assert open_inputs(str(folder), classes=CLASSES).fingerprint == inputs.fingerprint


def test_linked_folders_are_searched_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", ["1.jpg"])
    folder = touch(tmp_path / "p", ["a/2.jpg"])
    (folder / "kitchen").symlink_to(tmp_path / "elsewhere")
    (folder / "a" / "around").symlink_to(folder)
    inputs = open_inputs(folder, classes=CLASSES)
    assert inputs.ids == ["a/2.jpg", "kitchen/1.jpg"] and labels_of(inputs) == [-1, 0]


def test_folders_called_after_classes_give_labels(tmp_path: Path) -> None:
    folder = touch(
        tmp_path,
        ["Kitchen/1.jpg", "tiger_cat/1.jpg", "tiger_cat/more/2.jpg", "church-indoor/1.jpg", "t shirt/1.jpg"],
    )
    inputs = open_inputs(folder, classes=CLASSES)
    expected = {"Kitchen/1.jpg": 0, "church-indoor/1.jpg": 2, "t shirt/1.jpg": 3}
    expected |= {"tiger_cat/1.jpg": 1, "tiger_cat/more/2.jpg": 1}
    assert dict(zip(inputs.ids, labels_of(inputs), strict=True)) == expected
    assert inputs.note == "labels are the names of folders; 5 of 5 images have one"
    touch(folder, ["misc/1.jpg", "loose.jpg"])
    more = open_inputs(folder, classes=CLASSES)
    assert labels_of(more).count(-1) == 2 and "5 of 7 images" in more.note
    assert more.fingerprint != inputs.fingerprint


def test_the_tree_of_places365(tmp_path: Path) -> None:
    names = places365.names()
    folders = {f"{name[0]}/{name}": number for number, name in enumerate(names)}
    assert "a/apartment_building/outdoor" in folders and len(folders) == 365
    labels = Labels(names)
    for folder, number in folders.items():
        assert labels.of_folder(folder) == number
        assert labels.of_folder(folder[2:].replace("/", "-")) == number  # its "easy" form
        assert labels.of(f"/{folder}") == labels.of(names[number]) == labels.of(str(number)) == number
    tree = touch(tmp_path, [f"{folder}/00000001.jpg" for folder in list(folders)[:20]])
    inputs = open_inputs(tree, classes=names)
    assert labels_of(inputs) == [folders[name.rpartition("/")[0]] for name in inputs.ids]


def test_the_validation_list_of_places365(tmp_path: Path) -> None:
    touch(tmp_path / "val_256", [f"Places365_val_0000000{i}.jpg" for i in (1, 2, 3)])
    text = "Places365_val_00000001.jpg 165\nPlaces365_val_00000002.jpg 358\nPlaces365_val_00000003.jpg 0\n"
    path = written(tmp_path, "places365_val.txt", text)
    inputs = open_inputs(path, classes=places365.names(), root=tmp_path / "val_256")
    assert inputs.ids == [f"Places365_val_0000000{i}.jpg" for i in (1, 2, 3)]
    assert labels_of(inputs) == [165, 358, 0] and all(p.is_file() for p in inputs.paths)
    with pytest.raises(
        FileNotFoundError, match=r"none of its first images is there, such as .*root \(--root\)"
    ):
        open_inputs(path, classes=places365.names())


def test_the_training_list_of_places365_begins_its_paths_with_a_slash(tmp_path: Path) -> None:
    touch(tmp_path / "data_256", ["a/airfield/00000001.jpg", "b/bus_station/indoor/00004835.jpg"])
    text = "/a/airfield/00000001.jpg 0\n/b/bus_station/indoor/00004835.jpg 71\n"
    path = written(tmp_path, "places365_train_standard.txt", text)
    inputs = open_inputs(path, classes=places365.names(), root=tmp_path / "data_256")
    assert inputs.ids == ["a/airfield/00000001.jpg", "b/bus_station/indoor/00004835.jpg"]
    assert labels_of(inputs) == [0, 71] and all(p.is_file() for p in inputs.paths)
    assert places365.names()[71] == "bus_station/indoor"


def test_lists_without_labels(tmp_path: Path) -> None:
    absolute = touch(tmp_path / "other", ["9.jpg"]) / "9.jpg"
    text = f"\ufeff# a comment\n\n x.jpg \r\n./sub//my cat.jpg\n../up.tiff\n{absolute}\n"
    inputs = open_inputs(written(tmp_path, "list.txt", text), classes=CLASSES)
    assert inputs.ids == ["x.jpg", "sub/my cat.jpg", "../up.tiff", absolute.as_posix()]
    assert inputs.labels is None and inputs.metadata is None
    assert inputs.paths[0] == tmp_path / "x.jpg" and inputs.paths[3] == absolute


def test_labels_in_lists(tmp_path: Path) -> None:
    text = "x.jpg kitchen\nmy cat.jpg tiger cat\na.jpg.png\t2\nb.jpg\nc.JPG   T_SHIRT  \nd.jpg /c/church/indoor\n"
    inputs = open_inputs(written(tmp_path, "list.txt", text), classes=CLASSES)
    assert inputs.ids == ["x.jpg", "my cat.jpg", "a.jpg.png", "b.jpg", "c.JPG", "d.jpg"]
    assert labels_of(inputs) == [0, 1, 2, -1, 3, 2] and inputs.note == ""


def test_tables(tmp_path: Path) -> None:
    rows = [
        "camera, image ,label,note",
        "left,x.jpg,tiger cat,NA",
        ',"a, b.jpg",,"two\nlines"',
        "right, c.jpg , 3 ,007",
    ]
    text = "\ufeff" + "\n".join(rows) + "\n\n"
    inputs = open_inputs(written(tmp_path, "list.CSV", text), classes=CLASSES)
    assert inputs.ids == ["x.jpg", "a, b.jpg", "c.jpg"] and labels_of(inputs) == [1, -1, 3]
    expected = pd.DataFrame(
        {"camera": ["left", "", "right"], "note": ["NA", "two\nlines", "007"]}, dtype=object
    )
    assert inputs.metadata is not None
    pd.testing.assert_frame_equal(inputs.metadata, expected)
    plain = open_inputs(written(tmp_path, "plain.csv", "image\nx.jpg\n"), classes=CLASSES)
    assert plain.labels is None and plain.metadata is None and plain.ids == ["x.jpg"]


def test_labels_in_a_column_of_another_name(tmp_path: Path) -> None:
    path = written(tmp_path, "list.csv", "image,index,label\nx.jpg,3,old\nc.jpg,,older\n")
    inputs = open_inputs(path, classes=CLASSES, label_column="index")
    assert labels_of(inputs) == [3, -1] and inputs.metadata is not None
    assert inputs.metadata.to_dict("list") == {"label": ["old", "older"]}
    with pytest.raises(
        ValueError, match=r"list\.csv: has no column 'number' for the labels; it has image, index"
    ):
        open_inputs(path, classes=CLASSES, label_column="number")
    with pytest.raises(ValueError, match="label_column: 'image' is the column of the paths"):
        open_inputs(path, classes=CLASSES, label_column="image")
    empty = written(tmp_path, "empty.csv", "image,index\nx.jpg,\nc.jpg,\n")
    with pytest.raises(ValueError, match=r"no image of .*empty\.csv has a label in its column 'index'"):
        open_inputs(empty, classes=CLASSES, label_column="index")
    with pytest.raises(ValueError, match="label_column: only a .csv list has columns"):
        open_inputs(written(tmp_path, "l.txt", "x.jpg 1\n"), classes=CLASSES, label_column="number")
    with pytest.raises(ValueError, match="label_column: only a list has columns"):
        open_inputs(tmp_path, classes=CLASSES, label_column="number")


def test_where_absolute_paths_lie_is_not_told(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "photographs"
    for name in ("a/x.jpg", "a-b/c.jpg", "z.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    names = ["z.jpg", "a-b/c.jpg", "a/x.jpg"]
    path = written(tmp_path, "all.txt", "".join(f"{folder / name}\n" for name in names))
    inputs = open_inputs(path, classes=CLASSES)
    assert inputs.ids == names and inputs.folder == folder
    assert [Path(one) for one in inputs.paths] == [folder / name for name in names]
    one = open_inputs(written(tmp_path, "one.txt", f"{folder}/a/x.jpg\n"), classes=CLASSES)
    assert one.ids == ["x.jpg"] and one.folder == folder / "a"


def test_labels_that_stand_for_several_classes(tmp_path: Path) -> None:
    path = written(tmp_path, "list.csv", "image,label,camera\nx.jpg,Indoors,a\nc.jpg,,b\nb.jpg,12,c\n")
    groups = {"indoors": ["kitchen", "church/indoor"], "12": ["tiger cat"]}
    inputs = open_inputs(path, classes=CLASSES, label_classes=groups)
    assert labels_of(inputs) == [0, -1, 1] and inputs.accepted is not None
    assert inputs.accepted.names == ("indoors", "12") and inputs.accepted.classes == ((0, 2), (1,))
    assert inputs.accepted.mask(4).int().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0]]
    assert inputs.metadata is not None
    assert inputs.metadata.to_dict("list") == {"camera": ["a", "b", "c"], "label": ["indoors", "", "12"]}
    file = tmp_path / "groups.json"
    file.write_text(json.dumps(groups))
    assert open_inputs(path, classes=CLASSES, label_classes=file).fingerprint == inputs.fingerprint
    groups["12"] = ["tiger cat", "kitchen"]
    assert open_inputs(path, classes=CLASSES, label_classes=groups).fingerprint != inputs.fingerprint
    folder = tmp_path / "set"
    (folder / "indoors").mkdir(parents=True)
    (folder / "indoors" / "1.png").write_bytes(b"")
    inside = open_inputs(folder, classes=CLASSES, label_classes=groups)
    assert labels_of(inside) == [0] and inside.metadata is not None
    assert inside.metadata.to_dict("list") == {"label": ["indoors"]}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("[1]", r"groups\.json: expected each label with the names of some classes, .*; got list"),
        ("{}", "expected each label .*; got nothing"),
        ('{"a": "kitchen"}', "expected each label .*; got 'kitchen' for 'a'"),
        ('{"a": []}', r"expected each label .*; got \[\] for 'a'"),
        ('{"a": ["kitchn"]}', r"groups\.json, 'a': label 'kitchn' is none of .*did you mean kitchen\?"),
        ("{", r"groups\.json: cannot be read as JSON"),
        ('{"a": ["kitchen"], "a": ["tiger cat"]}', r"groups\.json: the label 'a' is there twice"),
        ('{"indoors": ["kitchen"]}', r"line 3: label '3' is none of groups\.json's 1 labels"),
        (None, r"groups\.json: there is no such file"),
    ],
)
def test_label_classes_that_cannot_be_understood(tmp_path: Path, groups: str | None, message: str) -> None:
    path = written(tmp_path, "list.csv", "image,label\nx.jpg,indoors\nc.jpg,3\n")
    if groups is not None:
        (tmp_path / "groups.json").write_text(groups)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        open_inputs(path, classes=CLASSES, label_classes=tmp_path / "groups.json")
    plain = written(tmp_path, "plain.txt", "x.jpg\n")
    with pytest.raises(ValueError, match="no image of .*plain.txt has a label; .* column 'label'"):
        open_inputs(plain, classes=CLASSES, label_classes={"a": ["kitchen"]})


def test_patterns_and_single_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = touch(
        tmp_path / "p", ["kitchen/1.jpg", "kitchen/2.jpg", "attic/1.jpg", "kitchen/1.txt", "top.jpg"]
    )
    inputs = open_inputs(f"{folder}/*/1.*", classes=CLASSES)
    assert inputs.ids == ["attic/1.jpg", "kitchen/1.jpg"] and labels_of(inputs) == [-1, 0]
    assert inputs.folder == folder
    assert len(open_inputs(f"{folder}/**/*.jpg", classes=CLASSES).ids) == 4
    monkeypatch.chdir(folder)
    assert open_inputs("kitchen/*.jpg", classes=CLASSES).ids == ["1.jpg", "2.jpg"]
    one = open_inputs("top.jpg", classes=CLASSES)
    assert one.ids == ["top.jpg"] and one.paths[0].is_file() and one.labels is None
    touch(folder, ["odd[1]/7.jpg"])  # a folder is a folder, whatever it is called
    assert open_inputs(folder / "odd[1]", classes=CLASSES).ids == ["7.jpg"]


def test_the_fingerprint_is_of_what_the_list_says(tmp_path: Path) -> None:
    seen = set()
    texts = [
        "image,label\nx.jpg,0\n",
        "image,label\nx.jpg,1\n",
        "image,label\nx.jpg,\n",
        "image,label,a\nx.jpg,0,\n",
        "image,label,a\nx.jpg,0,1\n",
        "image,label,b\nx.jpg,0,1\n",
        "image,label\nx.jpg,0\ny.jpg,0\n",
        "image,label\ny.jpg,0\nx.jpg,0\n",
    ]
    for text in texts:
        seen.add(open_inputs(written(tmp_path, "list.csv", text), classes=CLASSES).fingerprint)
    assert len(seen) == len(texts) and all(f.startswith("sha256:") and len(f) == 71 for f in seen)
    # another spelling, another file format, other pixels: the same content
    first = open_inputs(written(tmp_path, "list.csv", texts[0]), classes=CLASSES)
    (tmp_path / "x.jpg").write_bytes(b"others")
    again = open_inputs(written(tmp_path, "again.txt", "./x.jpg Kitchen\n"), classes=CLASSES)
    assert again.fingerprint == first.fingerprint


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "l.txt",
            "x.jpg\n\nnot an image\n",
            r"l\.txt, line 3: expected PATH or PATH LABEL .*'not an image'$",
        ),
        ("l.txt", "x.jpg kitchn\n", r"l\.txt, line 1: label 'kitchn' is none of .*did you mean kitchen\?"),
        ("l.txt", "x.jpg 3\ny.jpg 4\n", r"l\.txt, line 2: label 4: .*numbered from 0 to 3"),
        ("l.txt", "x.jpg -1\n", r"line 1: label '-1' is none of"),
        ("l.txt", "x.jpg 0\n./x.jpg 1\n", r"l\.txt: x\.jpg is there twice"),
        ("l.txt", "# nothing\n", r"l\.txt: the list holds no images"),
        ("l.txt", "gone.jpg 1\n", "none of its first images is there"),
        ("l.csv", "", r"l\.csv: expected a first line .*got nothing"),
        ("l.csv", "path,label\nx.jpg,1\n", "image among them, each once; got path, label"),
        ("l.csv", "image,label,image\nx.jpg,1,2\n", "got the column 'image' twice"),
        ("l.csv", "image,label\nx.jpg,1\ny.jpg\n", r"l\.csv, line 3: expected 2 cells, got 1"),
        ("l.csv", "image,label\n,1\n", "line 2: the image is missing"),
        ("l.csv", "image,label\nx.jpg,9\n", r"l\.csv, line 2: label 9"),
        ("l.csv", "image,label\n", "holds no images"),
        ("l.doc", "x.jpg", r"l\.doc: expected a folder, an image, a \.txt or \.csv list, or a pattern"),
    ],
)
def test_what_cannot_be_understood_is_one_sentence(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        open_inputs(path, classes=CLASSES)
    assert "\n" not in str(error.value)


def test_nothing_found(tmp_path: Path) -> None:
    touch(tmp_path, ["notes.txt"])
    for source, kind, message in [
        (tmp_path, ValueError, "no images in this folder"),
        (tmp_path / "*.jpg", ValueError, "no images match this pattern"),
        (tmp_path / "none", FileNotFoundError, "no such folder, image or list"),
        (tmp_path / "none.txt", FileNotFoundError, "no such folder, image or list"),
    ]:
        with pytest.raises(kind, match=message):
            open_inputs(source, classes=CLASSES)
    with pytest.raises(ValueError, match="root: only the paths of a list"):
        open_inputs(tmp_path, classes=CLASSES, root=tmp_path)
    (tmp_path / "l.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"l\.txt: not a text file in UTF-8"):
        open_inputs(tmp_path / "l.txt", classes=CLASSES)


def test_classes_of_one_name() -> None:
    labels = Labels(["Cardigan", "cardigan", "crane", "crane", "a-b", "a/b"])
    assert (labels.of("Cardigan"), labels.of("cardigan"), labels.of("a/b"), labels.of("3")) == (0, 1, 5, 3)
    with pytest.raises(ValueError, match=r"several are named so; give one of the numbers 2 \(crane\), 3"):
        labels.of("crane")
    with pytest.raises(
        ValueError, match=r"the folder 'crane' could be several classes: 2 \(crane\), 3 \(crane\)"
    ):
        labels.of_folder("crane/photos")
    assert labels.of_folder("3") is None  # a folder's number is no class


def test_a_long_list_stays_small(tmp_path: Path) -> None:
    import tracemalloc

    count = 100_000
    lines = "".join(f"Places365_val_{i:08d}.jpg {i % 365}\n" for i in range(count))
    path = written(tmp_path, "long.txt", lines)
    touch(tmp_path, ["Places365_val_00000000.jpg"])
    tracemalloc.start()
    inputs = open_inputs(path, classes=places365.names())
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(inputs.paths) == count and labels_of(inputs)[364:366] == [364, 0]
    # a text of 26 characters takes 75 bytes, its place in the list 8, its label 4: ten million take about 1 GB
    assert kept < 110 * count and most < 300 * count
