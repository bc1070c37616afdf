"""One image in, one explanation out: the numbers, the options, the refusals, and the folder."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from toy import CLASSES, photograph, picture, toy_model, toy_names

import neuro_explain as nx
from dissection.artifact import MANIFEST
from dissection.names import Names
from neuro_explain.explanation import Explanation

DOCS = Path(__file__).resolve().parents[1] / "docs" / "artifacts.md"


def explain(**options: object) -> Explanation:
    model = toy_model()
    return nx.explain(model, photograph(), toy_names(model), **{"top": 4, **options})


def test_numbers_follow_from_the_definitions() -> None:
    model, image = toy_model(), photograph()
    why = nx.explain(model, image, toy_names(model), top=4)
    net = model.net
    x = model.preprocess(image)[None].double()
    maps = net.double().fire(net.maps(net.cells(net.rect(net.see(x)))))[0].detach().numpy()
    w, b = net.head.weight.detach().numpy(), net.head.bias.detach().numpy()
    scores = w @ maps.mean(axis=(1, 2)) + b
    first = why.targets[0]
    assert first.index == int(scores.argmax())
    assert [p.index for p in why.predictions] == np.argsort(-scores)[:5].tolist()
    softmax = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    for p in why.predictions:
        assert p.label == CLASSES[p.index]
        assert p.score == pytest.approx(scores[p.index], rel=1e-5)
        assert p.probability == pytest.approx(softmax[p.index], rel=1e-5)
    for target in why.targets:
        if target.kind == "class":
            alpha = w[target.index] / 64  # global mean and one linear layer: alpha = w / Z
        elif target.kind == "contrast":
            alpha = (w[target.index] - w[target.versus]) / 64
        else:
            alpha = -w[target.index] / 64
        np.testing.assert_allclose(target.alpha, alpha, rtol=1e-5)
        np.testing.assert_allclose(target.signed_map, np.einsum("u,uhw->hw", alpha, maps), atol=1e-5)
        assert (target.map >= 0).all()
    # a target that no more than four units speak for, and no more than four against: all that speak are shown
    whole = next(
        t for t in why.targets if max((t.alpha > 0).sum(), (t.alpha < 0).sum()) <= 4 and t.kind == "class"
    )
    every = (*whole.top, *whole.bottom)
    assert sorted(one.index for one in every) == [unit for unit in range(8) if whole.alpha[unit]]
    assert all(one.alpha > 0 for one in whole.top) and all(one.alpha < 0 for one in whole.bottom)
    total = sum(one.contribution for one in every)
    assert total == pytest.approx(scores[whole.index] - b[whole.index], rel=1e-5)
    for one in every:
        np.testing.assert_allclose(one.activation_map, maps[one.index], atol=1e-6)
        assert one.activation == pytest.approx(maps[one.index].mean(), abs=1e-6)
        assert one.above_threshold == pytest.approx((maps[one.index] > 0.471).mean())
        assert one.silent == (not maps[one.index].any())


def test_targets_are_the_best_classes_a_contrast_and_the_counterfactual() -> None:
    why = explain()
    kinds = [target.kind for target in why.targets]
    assert kinds == ["class"] * 5 + ["contrast", "counterfactual"]
    best, second = why.predictions[0], why.predictions[1]
    assert (why.targets[5].index, why.targets[5].versus) == (best.index, second.index)
    assert why.targets[6].index == best.index
    assert why.targets[6].label == f"anything but {best.label}"


def test_a_chosen_target_comes_first_whatever_its_rank() -> None:
    worst = min(range(6), key=lambda c: next((p.score for p in explain().predictions if p.index == c), -1e9))
    why = explain(target=CLASSES[worst])
    assert why.targets[0].label == CLASSES[worst]
    assert len([t for t in why.targets if t.kind == "class"]) == 6
    assert why.text.startswith(CLASSES[worst])


def test_a_contrast_comes_first_if_asked_for() -> None:
    why = explain(target="street", versus=2)
    assert why.targets[0].kind == "contrast"
    assert why.targets[0].label == "street rather than coast"
    assert why.targets[0].probability is None
    assert why.check is not None and why.check.probability is None
    assert sum(t.kind == "contrast" for t in why.targets) == 1


def test_ranking_by_contribution_and_named_only() -> None:
    by_alpha, by_contribution = explain(), explain(rank_by="contribution")
    values = [one.contribution for one in by_contribution.targets[0].top]
    assert values == sorted(values, reverse=True)
    alphas = [one.alpha for one in by_alpha.targets[0].top]
    assert alphas == sorted(alphas, reverse=True)
    model = toy_model()
    why = nx.explain(model, photograph(), toy_names(model, named=(1, 4)), named_only=True, top=4)
    first = why.targets[0]
    assert {one.index for one in (*first.top, *first.bottom)} == {
        unit for unit in (1, 4) if first.alpha[unit]
    }


def test_a_contrast_with_the_answer_itself_is_refused() -> None:
    best = explain().predictions[0]
    with pytest.raises(ValueError, match="itself"):
        explain(versus=best.index)


def test_names_may_be_given_as_a_place(tmp_path: Path) -> None:
    with pytest.raises(nx.ArtifactError, match="nowhere"):
        nx.explain(toy_model(), photograph(), tmp_path / "nowhere", top=4)


def test_numbers_of_numpy_are_numbers() -> None:
    assert explain(target=np.int64(2), top=np.int64(2)).targets[0].index == 2


def test_several_images_give_a_list() -> None:
    model = toy_model()
    images = [photograph(seed=s) for s in range(3)]
    several = nx.explain(model, images, toy_names(model), top=4)
    assert [w.targets[0].score for w in several] == [
        nx.explain(model, image, toy_names(model), top=4).targets[0].score for image in images
    ]


def test_the_crop_is_what_the_network_saw() -> None:
    why = explain()
    assert why.image_size == (48, 32)
    assert why.crop == (8, 0, 40, 32)


def test_names_of_another_layer_are_refused_by_both_names() -> None:
    model = toy_model()
    with pytest.raises(nx.ArtifactError, match=r"'layer4'.*'fire'"):
        nx.explain(model, photograph(), toy_names(model, layer="layer4"), top=4)


def test_names_of_other_weights_are_refused_by_both_fingerprints() -> None:
    model, other = toy_model(), toy_model()
    with torch.no_grad():
        other.net.head.bias[0] += 1
    with pytest.raises(nx.ArtifactError, match=r"sha256:\w+….*colour-net has sha256:\w+…"):
        nx.explain(model, photograph(), toy_names(other), top=4)


def test_weights_changed_in_place_after_dissection_are_noticed() -> None:
    model = toy_model()
    names = toy_names(model)
    nx.explain(model, photograph(), names, top=4)
    with torch.no_grad():
        model.net.see.weight[0, 0] = 0.5
    with pytest.raises(nx.ArtifactError, match="dissect this model"):
        nx.explain(model, photograph(), names, top=4)


def test_names_without_a_fingerprint_are_marked_and_must_fit_in_number() -> None:
    model = toy_model()
    why = nx.explain(model, photograph(), toy_names(model, fingerprint=None, layer=None), top=4)
    assert not why.names.verified
    assert any("not verified" in note for note in why.notes)
    short = toy_names(model, fingerprint=None)
    short = dataclasses.replace(short, units=short.units[:5])
    with pytest.raises(nx.ArtifactError, match="5 units.*8"):
        nx.explain(model, photograph(), short, top=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "kitchn"}, "kitchen"),
        ({"target": 6}, "6"),
        ({"target": "street", "versus": "street"}, "same class"),
        ({"top": 0}, "top"),
        ({"top": 5}, "half of the 8"),
        ({"rank_by": "beta"}, "rank_by"),
    ],
)
def test_wrong_options_get_a_sentence(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explain(**options)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_are_refused(value: float) -> None:
    model = toy_model()
    with torch.no_grad():
        model.net.head.bias[5] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        nx.explain(model, photograph(), toy_names(model), top=4)


def test_an_all_zero_map_is_said() -> None:
    model = toy_model()
    with torch.no_grad():
        model.net.head.weight[0] = -1
        model.net.head.bias[0] = 100
    why = nx.explain(model, photograph(), toy_names(model), top=4)
    assert why.targets[0].zero_map
    assert any("≤ 0 everywhere" in note for note in why.notes)
    assert why.targets[0].top == () and len(why.targets[0].bottom) == 4
    assert ": no unit speaks for it; " in why.text
    assert why.check is None  # nothing to take away
    assert any("No unit speaks for kitchen, so there is none to take away" in note for note in why.notes)


@dataclasses.dataclass(frozen=True)
class RuledNames(Names):
    """Names as a dissection makes them, with a rule."""

    max_q: float = 0.05


@pytest.mark.parametrize(
    ("q", "max_q", "said"),
    [
        (None, None, "were not tested against chance"),  # of a CSV
        (None, 0.05, "were not tested against chance"),  # of an older dissection
        (None, 1.0, "were not tested against chance"),  # --permutations 0
        (0.5, 1.0, "were given whatever chance says of them (q)"),  # a preset
        (0.01, None, "were given whatever chance says of them (q)"),
        (0.01, 0.05, None),
    ],
)
def test_names_that_chance_had_no_say_in_are_noted_once(
    tmp_path: Path, q: float | None, max_q: float | None, said: str | None
) -> None:
    model = toy_model()
    names: Names = toy_names(model)
    names = dataclasses.replace(names, units=tuple(dataclasses.replace(one, q=q) for one in names))
    if max_q is not None:
        values = {field.name: getattr(names, field.name) for field in dataclasses.fields(Names)}
        names = RuledNames(**values, max_q=max_q)
    why = nx.explain(model, photograph(), names, top=4, check=False)
    noted = [note for note in why.notes if "chance" in note]
    assert noted == ([f"The names (toy/dissection) {said}, so some of them may be chance."] if said else [])
    why.save(tmp_path / "why")
    page = nx.write_report(tmp_path / "why").read_text(encoding="utf-8").split('id="twin"')[0]
    assert page.count("q not tested") == (q is None)
    assert page.count('class="note"') == len(why.notes) == len(noted)
    for note in noted:
        assert page.count(note) == 1


def test_no_names_need_no_word_of_chance() -> None:
    model = toy_model()
    why = nx.explain(model, photograph(), toy_names(model, named=()), top=4, check=False)
    assert why.notes == ("No unit of this layer has a name, so the explanation can only give numbers.",)


class OneCell(nn.Module):
    """Eight units of one number each; none speaks for "kitchen", which every image is."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 8)
        self.head = nn.Linear(8, 6)
        with torch.no_grad():
            self.fc.weight.copy_(torch.eye(8, 3))
            self.fc.bias.zero_()
            self.head.weight.zero_()
            self.head.weight[0] = -1
            self.head.bias.copy_(torch.tensor([9.0, 0, 0, 0, 0, 0]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.fc(images.mean(dim=(2, 3))))


def test_a_layer_of_one_cell_has_no_map_to_speak_of(tmp_path: Path) -> None:
    plain = toy_model()
    model = nx.Model(OneCell(), preprocess=plain.preprocess, classes=CLASSES, name="one-cell", layer="fc+1x1")
    why = nx.explain(model, photograph(), toy_names(model), top=4)
    assert why.targets[0].zero_map and why.model.map_size == (1, 1)
    assert not any("≤ 0 everywhere" in note for note in why.notes)
    why.save(tmp_path / "why")
    assert "no places" in nx.write_report(tmp_path / "why").read_text(encoding="utf-8")


@pytest.mark.parametrize("weights", [[0.0] * 8, [-1.0] * 8])
def test_sides_without_units_are_saved_loaded_and_shown(tmp_path: Path, weights: list[float]) -> None:
    model = toy_model()
    with torch.no_grad():
        model.net.head.weight.copy_(torch.tensor([weights] * 6))
    why = nx.explain(model, photograph(), toy_names(model), top=4)
    assert why.check is None and why.targets[0].top == ()
    why.save(tmp_path / "why")
    assert nx.load_explanation(tmp_path / "why").to_dict() == why.to_dict()
    assert "No unit speaks on this side." in nx.write_report(tmp_path / "why").read_text(encoding="utf-8")


def test_a_black_image_leaves_nothing_to_ablate() -> None:
    model = toy_model()
    why = nx.explain(model, Image.new("RGB", (40, 40)), toy_names(model), top=4)
    assert why.targets[0].silent_units == 8
    assert why.targets[0].named_contribution_share is None
    assert why.check is not None and why.check.random_score is None
    why_dict = json.dumps(why.to_dict(), allow_nan=False)
    assert "NaN" not in why_dict


def test_grey_palette_and_alpha_photographs_are_explained(tmp_path: Path) -> None:
    model = toy_model()
    for mode in ("L", "P", "RGBA", "1", "CMYK"):
        path = tmp_path / f"{mode}.{'tiff' if mode == 'CMYK' else 'png'}"
        photograph().convert(mode).save(path)
        assert nx.explain(model, path, toy_names(model), top=4).image_name == path.name


def test_save_and_load_give_the_same_explanation(tmp_path: Path) -> None:
    why = explain(target=1)
    why.save(tmp_path / "why")
    again = nx.load_explanation(tmp_path / "why")
    assert again.to_dict() == why.to_dict()
    for one, other in zip(again.targets, why.targets, strict=True):
        np.testing.assert_array_equal(one.alpha, other.alpha)
        np.testing.assert_array_equal(one.signed_map, other.signed_map)
        for left, right in zip((*one.top, *one.bottom), (*other.top, *other.bottom), strict=True):
            assert left.name == right.name
            np.testing.assert_array_equal(left.activation_map, right.activation_map)
    assert again.exemplars == {u: picture() for u in (0, 3) if u in again.exemplars}
    again.save(tmp_path / "copy")
    assert (tmp_path / "copy/explanation.json").read_bytes() == (
        tmp_path / "why/explanation.json"
    ).read_bytes()


def test_an_existing_explanation_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    why = explain()
    why.save(tmp_path / "why")
    before = (tmp_path / "why" / MANIFEST).read_bytes()
    with pytest.raises(nx.ArtifactError, match="--overwrite"):
        why.save(tmp_path / "why")
    assert (tmp_path / "why" / MANIFEST).read_bytes() == before
    why.save(tmp_path / "why", overwrite=True)


def test_a_damaged_explanation_is_not_read(tmp_path: Path) -> None:
    explain().save(tmp_path / "why")
    (tmp_path / "why/arrays.npz").write_bytes(b"")
    with pytest.raises(nx.ArtifactError, match=r"arrays\.npz"):
        nx.load_explanation(tmp_path / "why")


def _documented(section: str) -> set[str]:
    """The words in backticks that begin a key in a section of the document."""
    text = DOCS.read_text(encoding="utf-8").split(section)[1]
    return set(re.findall(r"`([a-z_0-9]+)`", text))


def test_the_folder_is_what_the_document_says(tmp_path: Path) -> None:
    explain().save(tmp_path / "why")
    data = json.loads((tmp_path / "why/explanation.json").read_text(encoding="utf-8"))
    documented = _documented("## kind `explanation`")
    target, check = data["targets"][0], data["check"]
    for part in (
        data,
        data["image"],
        data["model"],
        data["names"],
        data["predictions"][0],
        target,
        target["for"][0],
        check,
    ):
        assert set(part) <= documented, set(part) - documented
    manifest = json.loads((tmp_path / "why" / MANIFEST).read_text(encoding="utf-8"))
    assert set(manifest) == set(
        re.findall(r"^\| `(\w+)` \|", DOCS.read_text(encoding="utf-8").split("## kind")[0], re.M)
    )
    with np.load(tmp_path / "why/arrays.npz") as arrays:
        units = {one["unit"] for t in data["targets"] for one in (*t["for"], *t["against"])}
        shapes = {name: (arrays[name].dtype.str[1:], arrays[name].shape) for name in arrays.files}
    assert shapes == {
        "alpha": ("f4", (7, 8)),
        "signed_map": ("f4", (7, 8, 8)),
        "activation": ("f4", (8,)),
        "unit": ("i8", (len(units),)),
        "unit_map": ("f4", (len(units), 8, 8)),
    }
    names = {p.relative_to(tmp_path / "why").as_posix() for p in (tmp_path / "why").rglob("*") if p.is_file()}
    assert {"manifest.json", "explanation.json", "arrays.npz", "image.webp"} <= names


def test_the_page_is_made_from_the_folder_alone(tmp_path: Path) -> None:
    explain().save(tmp_path / "why")
    page = nx.write_report(tmp_path / "why")
    first = page.read_bytes()
    assert nx.write_report(tmp_path / "why").read_bytes() == first
    with pytest.raises(nx.ArtifactError):
        nx.write_report(tmp_path)


def test_the_model_comes_back_as_it_was() -> None:
    model = toy_model()
    model.net.train()
    model.net.fire.eval()
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    modes = [m.training for m in model.net.modules()]
    nx.explain(model, photograph(), toy_names(model), top=4)
    assert [m.training for m in model.net.modules()] == modes
    assert all(torch.equal(before[k], v) for k, v in model.net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.net.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": "5"}, "top: expected a whole number, got the text '5'; write top=5"),
        ({"top": 2.5}, r"top: expected a whole number, got 2\.5; write top=2"),
        ({"draws": None}, "draws: expected a whole number, got None"),
        ({"seed": "one"}, "seed: expected a whole number, got the text 'one'"),
    ],
)
def test_options_of_the_wrong_kind_get_a_sentence(options: dict[str, object], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}"):
        explain(**options)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({0: "book"}, "got a value of type dict"),
        (["book"], "got a value of type list"),
        (None, "got None"),
    ],
)
def test_names_that_are_none_get_a_sentence(names: object, message: str) -> None:
    with pytest.raises(
        TypeError, match=rf"^names: expected the folder of .*{message}; dissect\(\) makes names"
    ):
        nx.explain(toy_model(), photograph(), names)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (5, "got 5; give one of these"),
        (None, "got None"),
        (b"a.jpg", "got a value of type bytes"),
        ({"a.jpg": 1}, "got a value of type dict"),
        (np.zeros((8, 8, 3), np.uint8), "got a value of type ndarray; Image.fromarray makes a picture"),
        ([photograph(), np.zeros((8, 8, 3), np.uint8)], "got a value of type ndarray; Image.fromarray"),
        (["a.jpg", 7], "got 7; give one of these"),
    ],
)
def test_images_that_are_none_get_a_sentence(images: object, message: str) -> None:
    model = toy_model()
    with pytest.raises(
        TypeError, match=rf"^images: expected a path, a PIL.Image, or a list of these, {message}"
    ):
        nx.explain(model, images, toy_names(model), top=4)  # type: ignore[call-overload]


def test_an_iterator_of_images_is_several_images() -> None:
    model = toy_model()
    found = nx.explain(model, iter([photograph()]), toy_names(model), top=4)  # type: ignore[call-overload]
    assert isinstance(found, list) and len(found) == 1
