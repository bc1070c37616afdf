"""The options of a dissection: one list of them, checked before anything is read, each mistake in one sentence."""

from __future__ import annotations

import dataclasses
import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from probes import Given, MemorySet, giving, labelled_everywhere
from toy import toy_model

import neuro_explain as nx
from dissection.concepts import Concept
from dissection.dissect import dissect, dissect_layers
from dissection.options import DEFAULTS, Chosen, Options, choose
from dissection.presets import PRESETS


def test_every_option_has_a_type_a_default_and_a_place() -> None:
    assert list(Options.__annotations__) == list(DEFAULTS)
    fields = {field.name for field in dataclasses.fields(Chosen)}
    assert fields == {*DEFAULTS, "rules"}
    for name in DEFAULTS:
        assert f"        {name}: " in (Options.__doc__ or ""), f"{name} is not documented"


@pytest.mark.parametrize("function", [dissect, dissect_layers, nx.dissect, nx.dissect_layers])
def test_every_signature_gives_the_types_of_the_options(function: Any) -> None:
    (options,) = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.VAR_KEYWORD
    ]
    assert options.annotation == "Unpack[Options]"


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_not_given_is_as_the_preset_has_it(name: str) -> None:
    chosen, rules = choose({"preset": name}), PRESETS[name]
    assert (chosen.quantile, chosen.label_size) == (rules.quantile, rules.label_size)
    assert (chosen.min_iou, chosen.max_q, chosen.rules) == (rules.min_iou, rules.max_q, rules)
    assert choose({"preset": name, "max_q": 0.2, "min_iou": None}).max_q == 0.2


def test_numbers_of_numpy_are_numbers_and_come_out_as_python_s() -> None:
    chosen = choose(
        {"max_q": np.float32(0.5), "batch_size": np.int64(3), "min_iou": 0, "label_size": np.int32(8)}
    )
    assert (chosen.max_q, chosen.batch_size, chosen.min_iou, chosen.label_size) == (0.5, 3, 0.0, 8)
    assert [type(v) for v in (chosen.max_q, chosen.batch_size, chosen.min_iou, chosen.label_size)] == [
        float,
        int,
        float,
        int,
    ]


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"max_q": "0.1"}, r"^max_q: expected a number, got the text '0\.1'; write max_q=0\.1$"),
    ({"max_q": "small"}, r"^max_q: expected a number, got the text 'small'; give max_q one, such as 0\.05"),
    ({"min_iou": [0.1]}, "^min_iou: expected a number, got a value of type list; give min_iou one"),
    ({"quantile": True}, "^quantile: expected a number, got True; give quantile one"),
    ({"permutations": 2.5}, r"^permutations: expected a whole number, got 2\.5; write permutations=2$"),
    ({"permutations": None}, "^permutations: expected a whole number, got None; give permutations one"),
    ({"batch_size": math.nan}, "^batch_size: expected a whole number, got nan; give batch_size one"),
    ({"seed": "7"}, "^seed: expected a whole number, got the text '7'; write seed=7$"),
    ({"label_size": 11.5}, r"^label_size: expected a whole number, got 11\.5; write label_size=12$"),
    ({"maxq": 0.1}, "^maxq: expected an option of dissect, got an unknown one; did you mean 'max_q'"),
    ({"zebra": 1}, "^zebra: .*unknown one; expected one of batch_size, compositions, exemplars, label_size"),
    ({"progress": "yes"}, "^progress: expected True, False or None, got the text 'yes'; leave it out"),
    ({"scratch": 5}, "^scratch: expected a folder, got 5; give its path, or leave it out"),
]
OUT_OF_RANGE: list[tuple[dict[str, Any], str]] = [
    ({"preset": 5}, "^preset: expected one of ours, netdissect2017, .*got 5"),
    ({"preset": ["ours"]}, "^preset: expected one of ours"),
    ({"scratch": Path("no/such/folder")}, "^scratch: expected an existing folder, got no/such/folder"),
    ({"permutations": 1}, "^permutations: expected at least 2, or 0 for none, got 1"),
    ({"seed": -1}, "^seed: expected at least 0, got -1"),
    ({"max_q": 0}, "^max_q: expected a false discovery rate above 0, up to 1, got 0"),
    ({"max_q": 0.05, "permutations": 0}, "^max_q: 0.05 asks what chance gives, but permutations=0 does not"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_a_value_of_the_wrong_kind_gets_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        choose(options)


@pytest.mark.parametrize(("options", "message"), OUT_OF_RANGE)
def test_a_value_out_of_range_gets_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose(options)


def test_permutations_0_asks_for_nothing_and_that_is_fine() -> None:
    assert choose({"permutations": 0}).warning == ""
    assert choose({"permutations": 0, "max_q": 1}).max_q == 1


def test_mistakes_are_found_before_a_set_is_opened() -> None:
    model = toy_model()
    for call in (
        lambda: nx.dissect(model, "folder:no-such-folder", max_q="0.1"),  # type: ignore[arg-type]
        lambda: nx.dissect_layers(model, "folder:no-such-folder", ["fire"], max_q="0.1"),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match="^max_q: expected a number"):
            call()
    with pytest.raises(TypeError, match="^maxq: .*did you mean 'max_q'"):
        nx.dissect(model, "folder:no-such-folder", maxq=0.1)  # type: ignore[call-arg]
    dataset = MemorySet([Concept("thing", "object")], [labelled_everywhere(1, 4)])
    with pytest.raises(TypeError, match="^layer_size: .*did you mean 'label_size'"):
        dissect(Given(), "maps", giving(torch.ones(1, 1, 2, 2)), dataset, layer_size=4)  # type: ignore[call-arg]
    assert not dataset.images_read and not dataset.labels_read


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("resnet18", "got the text 'resnet18'; load_model gives one by its name"),
        (torch.nn.Conv2d(1, 1, 1), "got a value of type Conv2d; Tower"),
        (None, "got None; load_model"),
    ],
)
def test_what_is_no_model_gets_a_sentence(model: Any, hint: str) -> None:
    for call in (lambda: nx.dissect(model, "colors"), lambda: nx.dissect_layers(model, "colors", ["a"])):
        with pytest.raises(TypeError, match=f"^model: expected a neuro_explain.Model or Tower, {hint}"):
            call()


def test_what_is_no_concept_set_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="int is no concept set, it lacks"):
        nx.dissect(toy_model(), 5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no-such-folder"):
        nx.dissect(toy_model(), Path("folder:no-such-folder"))  # a spec may be a path


@pytest.mark.parametrize(
    ("permutations", "max_q", "enough"),
    [(20, 0.05, True), (19, 0.05, False), (100, 0.01, True), (3, 1 / 3, True)],
)
def test_too_few_permutations_are_said_before_the_run(permutations: int, max_q: float, enough: bool) -> None:
    warning = choose({"permutations": permutations, "max_q": max_q}).warning
    assert (warning == "") == enough
    if not enough:
        assert "expected at least 20, 100 is usual" in warning


def test_the_warning_is_true_of_what_one_unit_can_reach() -> None:
    """Of U units one that stands out reaches q = U / (1 + R U), which is below 1 / R, and near it."""
    for permutations, max_q in ((5, 0.05), (10, 0.05), (15, 0.05), (3, 0.25), (50, 0.01)):
        smallest = [u / (1 + permutations * u) for u in (2, 64, 1280)]
        warned = choose({"permutations": permutations, "max_q": max_q}).warning != ""
        assert warned == all(q > max_q for q in smallest)


def test_dissect_warns_of_too_few_permutations() -> None:
    rng = np.random.default_rng(0)
    maps = torch.from_numpy(rng.random((6, 3, 4, 4))).float()
    dataset = MemorySet([Concept("thing", "object")], [labelled_everywhere(1, 4)] * 6)

    def run(**options: Any) -> nx.Dissection:
        return dissect(
            Given(), "maps", giving(maps), dataset, label_size=4, quantile=0.2, exemplars=0, **options
        )

    with pytest.warns(
        UserWarning, match="^permutations: with 5 a unit that stands out alone has a q of about 0.2"
    ):
        few = run(permutations=5)
    assert few.chance is not None and few.chance.smallest_q > few.max_q
    run(permutations=5, max_q=1)  # nothing is asked of q
    run(permutations=20)
