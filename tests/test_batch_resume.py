"""Many images: a run that is stopped, killed or loses a worker goes on, and what is not its own is left alone."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from batch_runs import deep_model, explained, same_rows, write_photographs
from PIL import Image
from toy import CLASSES, photograph, toy_model, toy_names

from dissection.artifact import ArtifactError
from neuro_explain.batch import explain_batch, job, plan
from neuro_explain.batch.lock import locked
from neuro_explain.batch.parts import part_path, read_run, sheet_path
from neuro_explain.batch.plan import differences
from neuro_explain.inputs import open_inputs


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photographs")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PART", 8)


def test_a_run_goes_on_where_it_stopped(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = deep_model()
    explained(model, photographs, tmp_path / "whole")
    out = tmp_path / "out"
    real = job.write_part

    def full(folder: Path, number: int, rows: pa.Table) -> None:
        if number == 1:
            raise OSError(28, "No space left on device")
        real(folder, number, rows)

    monkeypatch.setattr(job, "write_part", full)
    with pytest.raises(OSError, match="No space"):
        explained(model, photographs, out)
    monkeypatch.setattr(job, "write_part", real)
    assert part_path(out, 0).is_file() and not part_path(out, 1).exists()
    with pytest.raises(ArtifactError, match="not finished"):
        read_run(out)
    with pytest.raises(ArtifactError, match="--resume"):
        explained(model, photographs, out)
    before = part_path(out, 0).stat().st_mtime_ns
    explained(model, photographs, out, resume=True)
    assert part_path(out, 0).stat().st_mtime_ns == before
    assert same_rows(tmp_path / "whole", out)
    again = explained(model, photographs, out, resume=True)  # nothing is left to do
    assert (again.images, again.errors) == (13, 2)


def test_a_damaged_part_is_made_again(photographs: Path, tmp_path: Path) -> None:
    model = toy_model()
    explained(model, photographs, tmp_path / "whole")
    explained(model, photographs, tmp_path / "out")
    out = tmp_path / "out"
    (out / "manifest.json").unlink()
    part_path(out, 0).write_bytes(part_path(out, 0).read_bytes()[:-20])
    sheet_path(out, 1).unlink()
    explained(model, photographs, out, resume=True)
    assert same_rows(tmp_path / "whole", out)
    assert sheet_path(out, 1).is_file()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"top": 2}, "options.top: 3 in the run, 2 now"),
        ({"batch_size": 3}, "options.batch_size"),
        ({"rank_by": "alpha"}, "options.rank_by"),
        ({"best": 2}, "options.best"),
    ],
)
def test_other_options_do_not_go_on_with_a_run(
    photographs: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    model = toy_model()
    explained(model, photographs, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=said):
        explained(model, photographs, tmp_path / "out", resume=True, **changes)


def test_another_model_other_names_or_other_images_do_not_go_on_with_a_run(
    photographs: Path, tmp_path: Path
) -> None:
    model = toy_model()
    out = tmp_path / "out"
    explained(model, photographs, out)
    (out / "manifest.json").unlink()
    other = toy_model()
    with torch.no_grad():
        other.net.head.weight[0, 0] += 1
    with pytest.raises(ArtifactError, match="weights_fingerprint"):
        explained(other, photographs, out, resume=True)
    inputs = open_inputs(photographs / "list.csv", classes=model.classes)
    fixed: dict[str, object] = {"batch_size": 4, "workers": 0, "top": 3, "progress": False, "resume": True}
    with pytest.raises(ArtifactError, match="names.fingerprint"):
        explain_batch(model, inputs, toy_names(model, named=(0, 1)), out, **fixed)  # type: ignore[arg-type]
    text = (photographs / "list.csv").read_text().replace("01.png,street", "01.png,coast")
    (photographs / "list.csv").write_text(text)
    with pytest.raises(ArtifactError, match="inputs.fingerprint"):
        explained(model, photographs, out, resume=True)


def test_differences_name_every_key_that_differs() -> None:
    one = {"a": 1, "b": {"c": 2, "d": [1]}, "e": 0}
    assert list(differences(one, one)) == []
    assert list(differences(one, {"a": 1, "b": {"c": 3, "d": [1]}, "f": 0})) == [
        "b.c: 2 in the run, 3 now",
        "e: 0 in the run, None now",
        "f: None in the run, 0 now",
    ]


def test_a_second_writer_is_refused(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(ArtifactError, match="another process"):
        explained(toy_model(), photographs, tmp_path / "out", resume=True)


def test_what_is_not_a_run_is_left_alone(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="not empty"):
        explained(toy_model(), photographs, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_finished_run_is_never_replaced(photographs: Path, tmp_path: Path) -> None:
    explained(toy_model(), photographs, tmp_path / "out")
    with pytest.raises(ArtifactError, match="already holds an artifact; choose another folder$"):
        explained(toy_model(), photographs, tmp_path / "out")


KILLED = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[3].split(":")
from neuro_explain.batch import job, plan
plan.PART = 8
from batch_runs import deep_model, explained
real = job.write_part
def slow(*arguments):
    real(*arguments)
    time.sleep(0.05)
job.write_part = slow
print("ready", flush=True)
explained(deep_model(), Path(sys.argv[1]), Path(sys.argv[2]), resume=True, batch_size=2, workers=int(sys.argv[4]))
print("done", flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_rows_are_those_of_an_undisturbed_run(tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    lines = ["image,label,camera"]
    for number in range(120):
        photograph(40, 32, seed=number).save(photographs / f"{number:03d}.png")
        lines.append(f"{number:03d}.png,{CLASSES[number % 6]},x")
    (photographs / "list.csv").write_text("\n".join(lines) + "\n")
    (photographs / "050.png").write_bytes(b"broken")
    explained(deep_model(), photographs, tmp_path / "whole", batch_size=2)
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    rng = np.random.default_rng(0)
    kills = 0
    for attempt in range(60):
        out = tmp_path / f"out{kills // 5}"  # each run is killed five times, then it may end
        command = [sys.executable, "-c", KILLED, photographs, out, ":".join(sys.path), str(attempt % 2)]
        child = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, env=environment)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(float(rng.uniform(0, 0.7)))
        if kills < 20 and child.poll() is None:
            child.send_signal(signal.SIGKILL)
            kills += child.wait() == -signal.SIGKILL
        else:
            assert child.wait(timeout=120) == 0
        child.stdout.close()
        if (out / "manifest.json").is_file() and kills >= 20:
            break
    assert kills == 20
    for number in range(4):
        out = tmp_path / f"out{number}"
        explained(deep_model(), photographs, out, batch_size=2, resume=True)
        assert same_rows(tmp_path / "whole", out)
        assert not list(out.rglob("*.writing"))


@pytest.mark.slow
def test_a_lost_worker_costs_nothing(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuro_explain.batch import decode

    model = toy_model()
    explained(model, photographs, tmp_path / "whole")
    marker = tmp_path / "died"
    real = decode.read_image

    def dies_once(path: str) -> Image.Image:
        if path.endswith("09.png") and not marker.exists():
            marker.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path)

    monkeypatch.setattr(decode, "read_image", dies_once)
    gc.disable()  # nothing may wait for it: torch tells of a dead worker whenever a child of the process ends
    try:
        explained(model, photographs, tmp_path / "out", workers=1)
        for _ in range(3):
            subprocess.run([sys.executable, "-c", ""], check=True)
    finally:
        gc.enable()
    assert marker.exists()
    assert same_rows(tmp_path / "whole", tmp_path / "out")


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "Connection reset by peer"),
        ConnectionRefusedError(111, "Connection refused"),
        FileNotFoundError(2, "No such file or directory"),
        EOFError(),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
        RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"),
    ],
)
def test_however_the_loss_of_a_worker_shows_the_run_goes_on(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from neuro_explain.batch import decode

    model = toy_model()
    explained(model, photographs, tmp_path / "whole")
    times = iter(range(100))

    class Fails(torch.utils.data.DataLoader):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            for number, batch in enumerate(super().__iter__()):
                if number == 3 and next(times) == 0:
                    raise error
                yield batch

    monkeypatch.setattr(decode, "DataLoader", Fails)
    explained(model, photographs, tmp_path / "out")
    assert next(times) > 0
    assert same_rows(tmp_path / "whole", tmp_path / "out")


def test_a_worker_that_is_lost_again_and_again_ends_the_run_with_a_sentence(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuro_explain.batch import decode

    class Fails(torch.utils.data.DataLoader):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield from ()
            raise EOFError

    monkeypatch.setattr(decode, "DataLoader", Fails)
    with pytest.raises(OSError, match="died 3 times.*--resume"):
        explained(toy_model(), photographs, tmp_path / "out")


def test_an_error_inside_a_worker_is_not_its_loss(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuro_explain.batch import decode

    def fails(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(decode, "thumbnail", fails)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        explained(toy_model(), photographs, tmp_path / "out", workers=1)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_who_outlives_a_killed_run_does_not_hold_its_lock(tmp_path: Path) -> None:
    """Of a run that is killed, readers may be left for a while."""
    lines = f"""
        import os, time
        from pathlib import Path
        from neuro_explain.batch.lock import locked
        with locked(Path({str(tmp_path)!r})):
            child = os.fork()
            if child:
                print(child, flush=True)
            time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(lines)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        with pytest.raises(ArtifactError, match="being written by another process"), locked(tmp_path):
            pass
        parent.kill()
        parent.wait()
        os.kill(child, 0)  # it is still there
        with locked(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        parent.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch's own watch must do")
def test_readers_end_with_a_killed_run(photographs: Path, tmp_path: Path) -> None:
    """Also those that wait for someone to read what they have read."""
    lines = f"""
        import multiprocessing, time
        from pathlib import Path
        from neuro_explain.batch.decode import batches
        from neuro_explain.preprocess import Preprocess
        path = {str(photographs / "00.png")!r}
        read = batches([[path] * 16] * 50, Preprocess(), workers=2)
        next(read)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(lines)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    children = [int(pid) for pid in parent.stdout.readline().split()]
    parent.stdout.close()
    assert len(children) == 2
    time.sleep(1)  # the line to the parent is full by now
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while alive := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        state = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in alive]
        if set(state) == {"Z"}:  # ended; nobody has asked after it
            break
        assert time.monotonic() < deadline, state
        time.sleep(0.1)
