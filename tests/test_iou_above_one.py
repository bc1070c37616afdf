"""A label that counts twice may have an IoU above 1: it is kept, exported and drawn as it is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from probes import Given, MemorySet, dissect_by_iou, giving

from dissection.concepts import NO_LABEL, Concept, Labels
from dissection.netdissect_csv import read_netdissect_csv, write_netdissect_csv
from dissection.result import Dissection
from reports.write import write_report

S = 8


@pytest.fixture
def twice() -> Dissection:
    """Unit 0 fires where both layers say "lamp": I = 2n, A = n, G = 2n, so IoU = 2n / (n + 2n - 2n) = 2."""
    known = [Concept("lamp", "object"), Concept("floor", "object")]
    layers = np.full((2, S, S), NO_LABEL, np.int32)
    layers[:, 2:4, 2:4] = 0
    layers[0, 6:] = 1
    labels = [Labels(layers, (), frozenset({"object"})) for _ in range(6)]
    maps = torch.zeros(6, 2, S, S)
    maps[:, 0, 2:4, 2:4] = torch.arange(1.0, 7.0)[:, None, None]
    maps[:, 1, 5, 1:3] = 1.0
    return dissect_by_iou(
        Given(),
        "maps",
        giving(maps),
        MemorySet(known, labels),
        preset="netdissect-lite",
        quantile=4 / 64,
        label_size=S,
        permutations=5,
        exemplars=2,
        model_name="toy",
        concept_sets=("memory",),
    )


def test_it_is_saved_exported_and_drawn(twice: Dissection, tmp_path: Path) -> None:
    iou = twice[0].iou
    assert iou is not None and iou == 2 and twice[0].concept == Concept("lamp", "object")
    both, active, labelled = (
        int(twice.intersection[0, 0]),
        int(twice.activation_area[0, 0]),
        int(twice.concept_area[0]),
    )
    assert iou == both / (active + labelled - both)
    again = Dissection.load(twice.save(tmp_path / "names"))
    assert again[0].iou == iou and list(again) == list(twice)
    assert again.intersection.tolist() == twice.intersection.tolist()
    frame = again.to_frame()
    assert frame["iou"][0] == iou
    write_netdissect_csv(again, tmp_path / "tally.csv")
    assert read_netdissect_csv(tmp_path / "tally.csv")[0].iou == pytest.approx(iou, abs=1e-6)
    page = write_report(tmp_path / "names").read_text("utf-8")
    assert f"{iou:.3f}" in page
    bars = re.findall(r'<rect class="(?:plus|quiet)" width="([\d.]+)"', page)
    assert max(map(float, bars)) == 100  # the bar ends with its track
