"""Pages with little to show: sides with few units or none, layers without places, units that cannot be active."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from artifacts_for_pages import write_collection, write_dissection, write_explanation
from test_reports_read import change_json, rewrite
from test_reports_write import Page

from reports import words
from reports.write import write_report

Arrays = dict[str, np.ndarray]


def few(facts: dict[str, Any], arrays: Arrays) -> None:
    """The first target has two units for it and none against it, the second one against it."""
    first, second = facts["targets"][:2]
    first["for"], first["against"], second["against"] = first["for"][:2], [], second["against"][:1]


@pytest.mark.parametrize(("named_only", "kind"), [(False, "unit"), (True, "named unit")])
def test_a_side_with_few_units_says_so(tmp_path: Path, named_only: bool, kind: str) -> None:
    def change(facts: dict[str, Any], arrays: Arrays) -> None:
        few(facts, arrays)
        facts["named_only"] = named_only

    page = Page(write_report(write_explanation(tmp_path / "x", change=change)))
    # by the cards of the first target, and in the table of each
    assert page.text.count(f"Only 2 {kind}s speak on this side.") == 2
    assert page.text.count(f"No {kind} speaks on this side.") == 2
    assert page.text.count(f"Only 1 {kind} speaks on this side.") == 1
    assert "on this side" not in Page(write_report(write_explanation(tmp_path / "full"))).text
    assert "<template" not in page.source


def test_no_unit_at_all(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], arrays: Arrays) -> None:
        for target in facts["targets"]:
            target["for"], target["against"] = [], []
        facts["check"] = None
        arrays["unit"], arrays["unit_map"] = arrays["unit"][:0], arrays["unit_map"][:0]

    page = Page(write_report(write_explanation(tmp_path / "x", change=change, with_strips=False)))
    assert page.text.count("No unit speaks on this side.") == 2 + 2 * len(page.twin["explanation"]["targets"])
    assert "Ablation check" not in page.text and "<template" not in page.source


def test_names_that_were_tested_are_not_called_untested_where_no_unit_is_shown(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], arrays: Arrays) -> None:
        for target in facts["targets"]:
            target["for"], target["against"] = [], []
        facts["names"]["max_q"] = 0.05

    page = Page(write_report(write_explanation(tmp_path / "x", change=change, with_strips=False)))
    assert "q not tested" not in page.text


def test_a_rule_that_asks_no_q_is_not_called_one(tmp_path: Path) -> None:
    folder = write_explanation(tmp_path / "x", tested=True)
    change_json(folder, "explanation.json", lambda facts: facts["names"].update(max_q=1.0))
    assert "chance would hardly give" not in Page(write_report(folder)).text


def test_a_comparison_that_was_not_fair_is_not_drawn(tmp_path: Path) -> None:
    def change(facts: dict[str, Any], arrays: Arrays) -> None:
        facts["check"].update(draws=0, drawn_units=0, firing=3, random_score=None, random_probability=None)

    page = Page(write_report(write_explanation(tmp_path / "x", change=change)))
    assert "without the 5 top units" in page.text and "random units" not in page.text
    whole = Page(write_report(write_explanation(tmp_path / "whole")))
    assert "The comparison zeroes random units, drawn 100 times from 207 that fire here." in whole.text


def test_a_layer_without_places(tmp_path: Path) -> None:
    page = Page(write_report(write_explanation(tmp_path / "x", shape=(1, 1), width=300, height=200)))
    assert "no places" in page.text and "no places" in page.source.split('class="photo main"')[1][:400]
    assert all(
        not attributes.get("href") for attributes in page.all("image") if attributes.get("class") == "map"
    )
    for absent in (
        "hot in",
        "Hot in",
        "One cell covers",
        "of cells above",
        "of its cells",
        'id="mode"',
        "heatmap shows",
    ):
        assert absent not in page.source.split('id="twin"')[0]
    assert "fires here: above its threshold" in page.text
    assert "Dimmed: not seen by the network." in page.text
    row = Page(write_report(write_explanation(tmp_path / "row", shape=(1, 7))))
    assert "no places" not in row.text and "One cell covers" in row.text


def test_a_map_of_zero_is_not_offered_where_there_is_no_map(tmp_path: Path) -> None:
    def zero(facts: dict[str, Any], arrays: Arrays) -> None:
        facts["targets"][0]["zero_map"] = True
        arrays["signed_map"][0] = -1

    page = Page(write_report(write_explanation(tmp_path / "x", shape=(1, 1), change=zero)))
    assert 'data-zero="yes"' not in page.source


def test_a_collection_of_a_layer_without_places(tmp_path: Path) -> None:
    def one_cell(folder: Path) -> None:
        change_json(folder, "explanation.json", lambda facts: facts["model"].update(map_size=[1, 1]))
        with np.load(folder / "arrays.npz") as file:
            arrays = dict(file)
        arrays["signed_map"] = arrays["signed_map"][:, :1, :1] + 1
        arrays["unit_map"] = arrays["unit_map"][:, :1, :1]
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        rewrite(folder, "arrays.npz", buffer.getvalue())

    folder = write_collection(tmp_path / "x", labels=["kitchen"], dissection=None)
    one_cell(folder / "scene-0")
    page = Page(write_report(folder))
    alts = [str(attributes.get("alt")) for attributes in page.all("img")]
    assert any(alt.endswith(f": {words.NO_PLACES}") and "Grad-CAM" not in alt for alt in alts)


@pytest.mark.parametrize(("positions", "said"), [(199, True), (200, False), (0, True)])
def test_a_dissection_in_which_no_unit_can_be_active_says_so(
    tmp_path: Path, positions: int, said: bool
) -> None:
    folder = write_dissection(tmp_path / "x", 5)
    change_json(folder, "summary.json", lambda facts: facts.update(positions=positions, quantile=0.005))
    page = Page(write_report(folder))
    text = f"No unit can be active, so none can get a name: 0.5 % of {positions} positions is none."
    assert (text in page.text) is said
    assert ("not tested against chance" in page.text) is not said
