"""Failures: scenes mislabelled on purpose are the wrong ones, and what speaks for the wrong class is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import neuro_explain as nx
from dissection.concepts import Concept
from dissection.names import Names, UnitName
from neuro_explain.cli import run
from neuro_explain.diorama.scene import make_scene
from neuro_explain.document import Document
from neuro_explain.evaluate import failures
from neuro_explain.evaluate.failures import find_failures
from neuro_explain.evaluate.failures_page import save_failures

SEED = 4_711
SCENES = ("kitchen", "kitchen", "coast", "office", "waterfall", "coast")
LABELS = ("kitchen", "bedroom", "street", "office", "waterfall", "street")  # of 1, 2 and 5 on purpose wrong


@pytest.fixture(scope="module")
def model() -> nx.Model:
    return nx.load_model("diorama-scenes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes")
    lines = ["image,label"]
    for number, (scene, label) in enumerate(zip(SCENES, LABELS, strict=True)):
        make_scene(SEED, number, category=scene).image().save(root / f"{number}.png")
        lines.append(f"{number}.png,{label}")
    (root / "broken.png").write_bytes(b"no image")
    (root / "unknown.png").write_bytes((root / "0.png").read_bytes())
    lines += ["broken.png,kitchen", "unknown.png,"]
    (root / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (root / "kinds.csv").write_text("image,kind\n0.png,kitchen\n", encoding="utf-8")
    (root / "right.csv").write_text("image,label\n0.png,kitchen\n3.png,office\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def names(model: nx.Model) -> Names:
    """Every third unit has a name, several units the same."""
    units = tuple(
        UnitName(unit, Concept(f"thing {unit % 7}", "object"), iou=0.3) if unit % 3 else UnitName(unit, None)
        for unit in range(model.units)
    )
    return Names(units, model.layer, None, "made up", (), None, None, {})


def test_what_is_mislabelled_is_wrong(model: nx.Model, folder: Path, names: Names) -> None:
    inputs = nx.open_inputs(folder / "list.csv", classes=model.classes)
    found = find_failures(model, inputs, names, batch_size=4)
    assert (found.images, found.unlabelled, found.judged, found.asked) == (8, 1, 6, 3)
    assert list(found.unreadable) == ["broken.png"]
    assert str(folder) not in found.unreadable["broken.png"]
    assert {one.name for one in found.wrong} == {"1.png", "2.png", "5.png"}
    for one in found.wrong:
        scene, label = SCENES[one.number], LABELS[one.number]
        assert (model.classes[one.said], model.classes[one.true], one.label) == (scene, label, label)
        with torch.no_grad():
            image = model.prepare(Image.open(folder / one.name).convert("RGB"))
            probability = model.net(image).softmax(dim=1)[0]
        assert one.probability == pytest.approx(float(probability[one.said]), abs=1e-5)
        assert one.of_true == pytest.approx(float(probability[one.true]), abs=1e-5)
    assert [one.probability for one in found.wrong] == sorted(
        (one.probability for one in found.wrong), reverse=True
    )
    assert found.confusions() == [("street", "coast", 2), ("bedroom", "kitchen", 1)]
    assert found.share().value == 0.5


def test_concepts_are_counted_by_image(model: nx.Model, folder: Path, names: Names) -> None:
    inputs = nx.open_inputs(folder / "list.csv", classes=model.classes)
    found = find_failures(model, inputs, names, top=5)
    expected: dict[str, int] = {}
    for one in found.wrong:
        image = model.prepare(Image.open(folder / one.name).convert("RGB"))
        cam = nx.grad_cam(model.net, image, nx.Target.contrast(one.said, one.true), layer=model.layer)
        contribution = cam.alpha[0].double() * cam.activations[0].double().sum(dim=(1, 2))
        order = np.argsort(-contribution.numpy(), kind="stable")[:5].tolist()
        concepts = {names[unit].concept for unit in order if contribution[unit] > 0}
        for concept in concepts - {None}:
            assert concept is not None
            expected[concept.name] = expected.get(concept.name, 0) + 1
    assert expected
    assert {one.concept.name: one.count for one in found.concepts} == expected
    assert [one.count for one in found.concepts] == sorted(expected.values(), reverse=True)
    for one in found.concepts:
        assert (one.label, one.said) in {("street", "coast"), ("bedroom", "kitchen")}
        assert 1 <= one.of_these <= one.count
    fewer = find_failures(model, inputs, names, most=1)
    assert fewer.asked == 1 and len(fewer.wrong) == 3
    assert max(one.count for one in fewer.concepts) == 1


def test_labels_that_stand_for_several_classes(model: nx.Model, folder: Path, names: Names) -> None:
    own = {"kitchen": ["kitchen"], "bedroom": ["bedroom", "office"], "street": ["street", "coast"]}
    own |= {"office": ["office"], "waterfall": ["waterfall"]}
    inputs = nx.open_inputs(folder / "list.csv", classes=model.classes, label_classes=own)
    found = find_failures(model, inputs, names)
    (one,) = found.wrong
    assert (one.name, one.label, model.classes[one.said]) == ("1.png", "bedroom", "kitchen")
    with torch.no_grad():
        scores = model.net(model.prepare(Image.open(folder / "1.png").convert("RGB")))[0]
    assert one.true == max(
        (model.class_index("bedroom"), model.class_index("office")), key=lambda c: scores[c]
    )


def test_without_labels_there_is_nothing_to_judge(model: nx.Model, folder: Path, names: Names) -> None:
    inputs = nx.open_inputs(folder, classes=model.classes)
    with pytest.raises(ValueError, match="images: none has a label"):
        find_failures(model, inputs, names)
    labelled = nx.open_inputs(folder / "list.csv", classes=model.classes)
    with pytest.raises(ValueError, match="most: expected at least 1"):
        find_failures(model, labelled, names, most=0)
    assert labelled.labels is not None
    broken = replace(labelled, labels=np.where(np.arange(8) == 6, labelled.labels, -1).astype(np.int32))
    with pytest.raises(
        ValueError, match=r"none of those with a label can be read; the first of them: broken.png"
    ):
        find_failures(model, broken, names)


def test_names_that_do_not_fit_are_refused_before_any_image_is_read(
    model: nx.Model, folder: Path, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = nx.open_inputs(folder / "list.csv", classes=model.classes)
    monkeypatch.setattr(failures, "read_image", lambda path: pytest.fail(f"{path} was read"))
    for wrong, message in (
        (replace(names, units=names.units[:-1]), f"are those of {model.units - 1} units"),
        (replace(names, layer="layer1"), "are those of layer 'layer1'"),
        (replace(names, fingerprint="sha256:0"), "were made with the weights"),
    ):
        with pytest.raises(nx.ArtifactError, match=message):
            find_failures(model, inputs, wrong)


def test_the_lead_names_no_most_frequent_one_among_equals(
    model: nx.Model, folder: Path, names: Names, tmp_path: Path
) -> None:
    inputs = nx.open_inputs(folder / "list.csv", classes=model.classes)
    found = find_failures(model, inputs, names)
    street = [one for one in found.wrong if one.label == "street"]
    (bedroom,) = (one for one in found.wrong if one.label == "bedroom")
    cases = {
        "3 of 6 labelled images are named wrongly; street is taken for coast most often (2 images).": found.wrong,
        "2 of 6 labelled images are named wrongly, no two of them in the same way.": (bedroom, street[0]),
        "1 of 6 labelled images is named wrongly: bedroom is taken for kitchen.": (bedroom,),
        "4 of 6 labelled images are named wrongly; 2 confusions are the commonest, with 2 images each.": (
            *street,
            bedroom,
            bedroom,
        ),
    }
    for number, (lead, wrong) in enumerate(cases.items()):
        some = replace(found, wrong=tuple(wrong), concepts=())
        page = save_failures(some, model, inputs, names, tmp_path / str(number), limit=0)
        assert lead in page.read_text(encoding="utf-8")
    first = found.concepts[0]
    equals = (
        first,
        replace(first, concept=Concept("other", "object")),
        replace(first, count=first.count - 1),
    )
    page = save_failures(replace(found, concepts=equals), model, inputs, names, tmp_path / "c", limit=0)
    assert f"in {first.count} of 3, and so does 1 other concept." in page.read_text(encoding="utf-8")


def test_folders_of_explanations_come_and_go_with_the_document(
    model: nx.Model, folder: Path, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = nx.open_inputs(folder / "list.csv", classes=model.classes)
    found = find_failures(model, inputs, names)
    out = tmp_path / "runs" / "failures"

    def state() -> dict[str, bytes]:
        return {str(one): one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken, pytest.raises(OSError, match="disk full"):
        broken.setattr(Document, "save", fail)
        save_failures(found, model, inputs, names, out, limit=2)
    assert state() == {} and not out.exists()
    save_failures(found, model, inputs, names, out, limit=3)
    (out / "wrong-3" / "mine.txt").write_text("a remark")
    (out / "wrong-9").mkdir()  # linked by nothing
    (out / "wrong-9" / "mine.txt").write_text("a remark")
    nx.load_explanation(out / "wrong-1").save(out / "wrong-8")  # an explanation, but not this document's
    before = state()
    for what in (Document, nx.Explanation):
        with monkeypatch.context() as broken, pytest.raises(OSError, match="disk full"):
            broken.setattr(what, "save", fail)
            save_failures(found, model, inputs, names, out, limit=2, overwrite=True)
        assert state() == before
    save_failures(found, model, inputs, names, out, limit=1, overwrite=True)
    assert nx.load_explanation(out / "wrong-1").image_name == found.wrong[0].name
    assert not (out / "wrong-2").exists()
    assert [one.name for one in (out / "wrong-3").iterdir()] == ["mine.txt"]
    assert (out / "wrong-9" / "mine.txt").is_file() and (out / "wrong-8" / "manifest.json").is_file()
    (out / "wrong-2").mkdir()
    (out / "wrong-2" / "index.html").write_text("mine")
    before = state()
    with pytest.raises(nx.ArtifactError, match="wrong-2/index.html is there and belongs to no explanation"):
        save_failures(found, model, inputs, names, out, limit=2, overwrite=True)
    assert state() == before


def test_the_page(model: nx.Model, folder: Path, names: Names, tmp_path: Path) -> None:
    inputs = nx.open_inputs(folder / "list.csv", classes=model.classes)
    found = find_failures(model, inputs, names)
    out = tmp_path / "run"
    page = save_failures(found, model, inputs, names, out, limit=2).read_text(encoding="utf-8")
    assert page.count("data:image/webp") == 2 * 2
    for said in ("3 of 6", "street", "coast", "could not be read", "without a label", "broken.png", "2 of 3"):
        assert said in page
    assert str(folder) not in page
    assert page.count(">Said<") == page.count(">True<") == 2  # the sentence beneath says which
    for number, one in enumerate(found.wrong[:2], 1):
        assert f'href="wrong-{number}/index.html"' in page
        why = nx.load_explanation(out / f"wrong-{number}")
        assert [(t.kind, t.index, t.versus) for t in why.targets[:3]] == [
            ("contrast", one.said, one.true),
            ("class", one.said, None),
            ("class", one.true, None),
        ]
        assert (out / f"wrong-{number}" / "index.html").is_file()
        assert all(target.sentence in page for target in why.targets[:3])
    assert not (out / "wrong-3").exists()
    with pytest.raises(nx.ArtifactError, match="already holds an artifact"):
        save_failures(found, model, inputs, names, out)
    save_failures(found, model, inputs, names, out, limit=0, overwrite=True)
    assert "The most confident ones" not in (out / "index.html").read_text(encoding="utf-8")


def test_none_is_wrong(model: nx.Model, folder: Path, names: Names, tmp_path: Path) -> None:
    inputs = nx.open_inputs(folder / "right.csv", classes=model.classes)
    found = find_failures(model, inputs, names)
    assert (found.wrong, found.concepts, found.confusions(), found.asked) == ((), (), [], 0)
    page = save_failures(found, model, inputs, names, tmp_path / "run").read_text(encoding="utf-8")
    assert "None of the 2 images with a label is named wrongly." in page
    assert "0 of 2" in page and "<figure" not in page


def test_the_command(
    model: nx.Model, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = tmp_path / "names"
    nx.dissect(model, nx.open_concepts("diorama:7:40"), exemplars=0).save(named)
    out = tmp_path / "run"
    call = ["evaluate", "failures", "--model", "diorama-scenes", "--names", str(named), "--out", str(out)]
    assert run([*call, str(folder)]) == 1
    assert "none has a label" in capsys.readouterr().err
    assert not out.exists()
    for wrong in ("--limit -1", "--most 0", "--top 0", "--top 99999", "--batch-size 0"):
        assert run([*call, str(folder), "--model", "nowhere:nothing", *wrong.split()]) == 2, wrong
        assert wrong.split()[0] in capsys.readouterr().err
    for label in ("ward", "yard"):
        (tmp_path / "own" / label).mkdir(parents=True)
        (tmp_path / "own" / label / "1.png").write_bytes((folder / "0.png").read_bytes())
    assert run([*call, str(tmp_path / "own")]) == 1
    said = capsys.readouterr().err
    assert f"'ward', 'yard', which are none of the model's {len(model.classes)} classes" in said
    assert "--label-classes" in said
    assert run([*call, str(folder / "kinds.csv")]) == 1
    assert "has no column 'label', it has image, kind; say which" in (said := capsys.readouterr().err)
    assert "--label-column" in said
    assert run([*call, str(folder / "list.csv"), "--limit", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["judged"], len(found["wrong"]), found["asked"]) == (6, 3, 3)
    assert found["confusions"][0] == {"label": "street", "said": "coast", "images": 2}
    page = Path(found.pop("page"))
    assert json.loads((out / "data.json").read_text()) == found
    assert str(folder) not in page.read_text(encoding="utf-8")
    assert run([*call, str(folder / "list.csv")]) == 1
    assert "already holds an artifact" in capsys.readouterr().err
    assert run([*call, str(folder / "list.csv"), "--overwrite", "--limit", "1"]) == 0
    assert "3 of 6 labelled images named wrongly; 1 could not be read" in capsys.readouterr().out
