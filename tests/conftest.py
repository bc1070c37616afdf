"""Shared fixtures: seeds, and the real photographs and networks where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
import torch

# A slow machine is no failure; and each of several test processes keeps to one core.
hypothesis.settings.register_profile("any-machine", deadline=None)
hypothesis.settings.load_profile("any-machine")
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with real photographs and networks: NEURO_EXPLAIN_DATA, or shared/data beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("NEURO_EXPLAIN_DATA", default))
    if not path.is_dir():
        pytest.skip(
            "no real data: set NEURO_EXPLAIN_DATA to the folder that holds coco_panoptic256, models, …"
        )
    return path
