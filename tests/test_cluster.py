"""Work shared over a cluster of two processes: the same integers and rows as in one, whoever dies on the way."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from cluster_nets import Mortal, Pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from probes import arrays_of, no_layers, random_labels, some_concepts
from torch.utils.data import DataLoader, TensorDataset
from toy import CLASSES, ColourNet, photograph, toy_model, toy_names

import neuro_explain as nx
from dissection.concepts import Labels, by_category
from dissection.overlap import PackedLabels
from dissection.tally import Survey
from neuro_explain.batch import plan
from neuro_explain.batch.parts import part_path, sheet_path
from neuro_explain.cli import run
from neuro_explain.cluster import Cluster, dissection, pool
from neuro_explain.model import Model

pytestmark = pytest.mark.xdist_group("cluster")
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


@pytest.fixture(autouse=True)
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PART", 8)
    monkeypatch.setattr(dissection, "_IMAGES", 8)
    monkeypatch.setattr(dissection, "_COUNTED", 2)


def model_of(net: ColourNet) -> Model:
    like = toy_model()
    return Model(net, preprocess=like.preprocess, classes=CLASSES, name="colour-net", layer="fire")


def pictures(**options: object) -> Pictures:
    rng, known = np.random.default_rng(4), some_concepts(7, 3)
    empty = Labels(no_layers(16), (), frozenset({"object"}))
    labels = [random_labels(rng, known, 16) if i % 4 else empty for i in range(50)]
    return Pictures(known, labels, **options)  # type: ignore[arg-type]


def dissected(model: Model, data: Pictures, cluster: Cluster | None) -> nx.Dissection:
    return nx.dissect(
        model,
        data,
        label_size=16,
        quantile=0.05,
        max_q=1,  # in noise there is no name that chance would not give
        batch_size=4,
        workers=1,
        cluster=cluster,
        progress=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["nobody", "who reads labels", "the network"])
def test_a_dissection_is_the_same_to_the_last_integer(cluster: Cluster, tmp_path: Path, dies: str) -> None:
    mark = tmp_path / "dead"
    alone = dissected(toy_model(), pictures(), None)
    assert alone.images_left_out > 10 and alone.named
    model = model_of(Mortal(mark)) if dies == "the network" else toy_model()
    data = pictures(mark=mark) if dies == "who reads labels" else pictures()
    shared = dissected(model, data, cluster)
    assert mark.exists() == (dies != "nobody")
    assert arrays_of(shared) == arrays_of(alone)
    assert list(shared) == list(alone) and shared[0].q is not None
    assert shared.best_images == alone.best_images and shared.exemplars == alone.exemplars
    assert shared.threshold.tolist() == alone.threshold.tolist()


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Fifty photographs, one of them broken, with labels."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    lines = ["image,label,camera"]
    for number in range(50):
        path = folder / f"{number:02d}.png"
        photograph(40 + number, 32, seed=number).save(path)
        lines.append(f"{path.name},{CLASSES[number % 6] if number % 4 else ''},{number % 3}")
    (folder / "13.png").write_bytes(b"none")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("dies", [False, True])
def test_a_batch_has_the_same_rows(cluster: Cluster, photographs: Path, tmp_path: Path, dies: bool) -> None:
    def explained(model: Model, out: str, where: Cluster | None) -> Path:
        done = nx.explain_batch(
            model,
            photographs / "list.csv",
            toy_names(toy_model()),
            tmp_path / out,
            top=3,
            batch_size=4,
            workers=0 if where is None else 3,
            cluster=where,
            progress=False,
        )
        assert (done.images, done.errors) == (50, 1)
        return done.folder

    alone = explained(toy_model(), "alone", None)
    mark = tmp_path / "dead"
    shared = explained(model_of(Mortal(mark)) if dies else toy_model(), "shared", cluster)
    assert mark.exists() == dies
    for part in range(7):
        assert pq.read_table(part_path(shared, part)).equals(pq.read_table(part_path(alone, part)))
        assert sheet_path(shared, part).read_bytes() == sheet_path(alone, part).read_bytes()


@pytest.mark.slow
def test_a_run_can_go_on_elsewhere(
    cluster: Cluster, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = toy_model(), tmp_path / "out"
    options = {"top": 3, "batch_size": 4, "workers": 0, "progress": False}
    names = toy_names(model)
    nx.explain_batch(model, photographs / "list.csv", names, out, **options)  # type: ignore[arg-type]
    (out / "manifest.json").unlink()
    for part in (1, 4):
        part_path(out, part).unlink()
    done = nx.explain_batch(
        model, photographs / "list.csv", names, out, cluster=cluster, resume=True, **options
    )  # type: ignore[arg-type]
    assert done.images == 50
    (out / "manifest.json").unlink()
    with pytest.raises(nx.ArtifactError, match="machine.threads: 1 in the run, 2 now"):
        nx.explain_batch(
            model,
            photographs / "list.csv",
            names,
            out,
            cluster=Cluster("local", cpus=2),
            resume=True,
            **options,
        )  # type: ignore[arg-type]


@pytest.mark.slow
def test_what_goes_wrong_in_a_share_is_said_as_it_was_there(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match=r"^images/0021.png is damaged$"):
        dissected(toy_model(), pictures(bad=21), cluster)
    unlabelled = pictures()
    unlabelled.answers = [Labels(no_layers(16), (), frozenset({"object"}))] * 50
    with pytest.raises(ValueError, match="none of the 50 images"):
        dissected(toy_model(), unlabelled, cluster)
    stuck = toy_model()
    stuck.net.lock = threading.Lock()
    with pytest.raises(ValueError, match=r"cannot be handed to other processes .*lock"):
        dissected(stuck, pictures(), cluster)
    with pytest.raises(
        ValueError, match=r"a share needs 999 processors and 0 accelerators, the cluster has \d+ and \d+"
    ):
        dissected(toy_model(), pictures(), Cluster("local", cpus=999))


@pytest.mark.slow
def test_the_command_line_begins_a_cluster_of_its_own(photographs: Path, tmp_path: Path) -> None:
    lines = """
        import sys, warnings
        warnings.simplefilter("error", UserWarning)
        from neuro_explain.cli import run
        sys.exit(run(sys.argv[1:]))
    """
    command = [
        *(sys.executable, "-c", textwrap.dedent(lines)),
        *("dissect", "--model", "diorama-scenes", "--concepts", "diorama:5:24", "--exemplars", "1"),
        *("--cluster", "local", "--out", "names"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "units named" in done.stdout and (tmp_path / "names" / "index.html").is_file()


def test_where_no_cluster_is_it_says_so_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # other tests' cluster
    command = ["dissect", "--model", "diorama-scenes", "--concepts", "diorama:5:2"]
    for address in ("127.0.0.1:9", "nowhere.invalid:6379", "head:port", "127.0.0.1:99999", "nowhere", ""):
        assert run([*command, "--cluster", address, "--out", str(tmp_path / "names")]) == 1
        assert f"cluster: there is none to join at '{address}' (" in capsys.readouterr().err
    assert run([*command, "--cpus-per-share", "2", "--out", str(tmp_path / "names")]) == 2
    assert "add --cluster" in capsys.readouterr().err
    assert not (tmp_path / "names").exists()


class Moved(ColourNet):
    """Says where it is moved to, as if it had come from an accelerator."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[str] = []

    def to(self, device: object) -> Moved:  # type: ignore[override]
        self.moves.append(str(device))
        return self

    def parameters(self, recurse: bool = True) -> Iterator[torch.nn.Parameter]:
        return iter([torch.nn.Parameter(torch.empty(1, device="meta"))])


@pytest.mark.parametrize("picklable", [True, False])
def test_a_network_comes_back_to_where_it_was(cluster: Cluster, picklable: bool) -> None:
    net = Moved()
    if not picklable:
        net.lock = threading.Lock()  # type: ignore[assignment]
    thing = SimpleNamespace(net=net)
    with (
        pool.joined(cluster) as joined,
        nullcontext() if picklable else pytest.raises(ValueError, match="picklable"),
    ):
        joined.hold(thing)
    assert net.moves == ["cpu", "meta"]


def test_a_loader_stays_where_it_is(tmp_path: Path) -> None:
    model = toy_model()
    loader = DataLoader(TensorDataset(torch.rand(4, 3, 32, 32)), batch_size=2)
    with pytest.raises(ValueError, match="expected files where a cluster explains them, got a DataLoader"):
        nx.explain_batch(model, loader, toy_names(model), tmp_path / "out", top=3, cluster=HERE)
    assert not (tmp_path / "out").exists()


def test_without_ray_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    command = ["dissect", "--model", "diorama-scenes", "--concepts", "diorama:5:2", "--cluster", "local"]
    assert run([*command, "--out", str(tmp_path / "names")]) == 1
    assert 'Ray is not installed: pip install "neuro-explain[ray]"' in capsys.readouterr().err


def test_a_share_is_of_a_size_that_there_is() -> None:
    with pytest.raises(ValueError, match="cpus: expected at least 1, got 0"):
        Cluster(cpus=0)
    for gpus in (-1, 1.5):
        with pytest.raises(ValueError, match=f"gpus: expected 0, a part of 1, or a whole number, got {gpus}"):
            Cluster(gpus=gpus)
    assert Cluster(gpus=0.25).device == "cuda:0" and Cluster().device == "cpu"
    assert pool.ATTEMPTS > 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shares=st.integers(1, 6))
def test_parts_of_a_survey_add_up_in_any_order(seed: int, shares: int) -> None:
    rng = np.random.default_rng(seed)
    known = some_concepts(3, 2)
    images = 4 * shares
    maps = torch.from_numpy(rng.integers(-4, 9, (images, 3, 2, 2))).float()
    labels = [
        PackedLabels.pack(random_labels(rng, known, 4, unlabelled=0), 4, *by_category(known))
        for _ in range(images)
    ]

    def empty(floor: torch.Tensor | None = None) -> Survey:
        return Survey(3, (2, 2), images, quantile=0.2, exemplars=2, floor=floor)

    whole, merged = empty(), empty()
    kept_whole = [whole.add([i], maps[i : i + 1], labels[i : i + 1]) for i in range(images)]
    floor, kept = None, []
    for share in rng.permutation(shares).tolist():
        part = empty(floor)
        numbers = range(4 * share, 4 * share + 4)
        batch = part.add(numbers, maps[numbers.start : numbers.stop], labels[numbers.start : numbers.stop])
        kept.append(batch.above(part.bound))
        merged.merge(part.on("cpu"))
        if rng.random() < 0.7:  # a share may have begun before others were done
            floor = merged.floor
    threshold = whole.threshold()
    assert merged.threshold().tolist() == threshold.tolist()
    assert merged.images == whole.images and merged.peak.tolist() == whole.peak.tolist()
    assert merged.best.image.tolist() == whole.best.image.tolist()

    def matter(batches: list[object]) -> list[object]:
        return sorted(
            (batch.numbers[image], unit, map.tolist())
            for batch in (one.above(threshold) for one in batches)  # type: ignore[attr-defined]
            for image, unit, map in zip(batch.image.tolist(), batch.unit.tolist(), batch.maps, strict=True)
        )

    assert matter(kept) == matter(kept_whole)
