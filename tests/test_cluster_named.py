"""All that a dissection says, from a cluster and without: under presets, with formulas, with what speaks for a name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from cluster_nets import Pictures
from probes import arrays_of, random_labels, some_concepts
from toy import toy_model

import neuro_explain as nx
from neuro_explain.cluster import Cluster, dissection, pool

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]
HERE = Cluster("local", cpus=1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of this machine with room for two shares."""
    pytest.importorskip("ray", reason="the extra [ray] is not installed")
    with pool.joined(HERE):
        yield HERE


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads change the last digits of sums; a share has one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("preset", ["ours", "netdissect2017", "netdissect-lite", "dissect2020"])
def test_names_formulas_and_witnesses_are_the_same(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    monkeypatch.setattr(dissection, "_IMAGES", 8)
    monkeypatch.setattr(dissection, "_COUNTED", 2)
    rng, known = np.random.default_rng(4), some_concepts(7, 3)
    data = Pictures(known, [random_labels(rng, known, 16, unlabelled=0.1) for _ in range(30)])

    def dissected(where: Cluster | None) -> nx.Dissection:
        return nx.dissect(
            toy_model(),
            data,
            preset=preset,
            label_size=16,
            quantile=0.05,
            min_iou=0.01,
            max_q=1,  # in noise there is no name that chance would not give
            permutations=10,
            compositions=3,
            batch_size=4,
            workers=1,
            cluster=where,
            progress=False,
        )

    alone, shared = dissected(None), dissected(cluster)
    assert alone.preset == shared.preset == preset
    assert alone.named and alone.witnesses and alone.evidence and alone.compositions
    assert {kind for _, _, kind, *_ in alone.witnesses} == {"for", "against"}
    assert max(len(one.parts) for one in alone.compositions) > 1
    assert arrays_of(shared) == arrays_of(alone)
    assert list(shared) == list(alone)
    assert shared.compositions == alone.compositions
    assert shared.witnesses == alone.witnesses and shared.evidence == alone.evidence
    assert shared.best_images == alone.best_images and shared.exemplars == alone.exemplars
    assert shared.chance is not None and alone.chance is not None
    for field in dataclasses.fields(alone.chance):
        mine, theirs = (getattr(one.chance, field.name) for one in (shared, alone))
        assert np.array_equal(mine, theirs), field.name
