"""A batch run ÷ (decoding + plain forward pass with the same loader), and its memory.

    NEURO_EXPLAIN_DATA=… python -m benchmarks.batch [--rounds 3] [--images 1000] [--memory]

`squeezenet-places365` and `efficientnet-lite0` over 1,000 photographs, the plain work and the run in turn. The run
writes all its rows and thumbnails; the index page is timed apart. `--memory`: peak memory of a run over 500 and over
5,000 images (the photographs again and again), each in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

import torch

from benchmarks.ratios import alternate, seconds, table
from dissection.concepts import Concept
from dissection.fingerprint import weights_fingerprint
from dissection.names import Names, UnitName
from dissection.recording import evaluating
from neuro_explain import load_model
from neuro_explain.batch import explain_batch
from neuro_explain.batch.decode import batches
from neuro_explain.inputs import Inputs, open_inputs
from neuro_explain.model import Model
from neuro_explain.report import write_report

MODELS = ("squeezenet-places365", "efficientnet-lite0")
BATCH = 32


def opened(name: str, data: Path) -> Model:
    """The network with its real weights."""
    if name == "squeezenet-places365":
        (weights,) = (data / "models" / "places365_squeezenet").glob("*.safetensors")
        return load_model(name, weights=weights)
    return load_model(name)


def some_names(model: Model) -> Names:
    """Names for the units: what they are called costs the same, whatever it is."""
    units = tuple(
        UnitName(
            unit=unit,
            concept=Concept(f"concept {unit % 150}", "object") if unit % 3 else None,
            iou=0.1,
            best=Concept(f"concept {unit % 150}", "object"),
            runner_up=Concept("other", "object"),
            runner_up_iou=0.02,
            threshold=1.0,
            note="",
        )
        for unit in range(model.units)
    )
    return Names(
        units=units,
        layer=model.layer,
        fingerprint=weights_fingerprint(model.net),
        source="benchmark",
        concept_sets=(),
        quantile=0.005,
        min_iou=0.05,
        exemplars={},
    )


def plain(model: Model, inputs: Inputs) -> None:
    """Decoding and the forward pass, nothing else."""
    paths = [str(path) for path in inputs.paths]
    cut = [paths[at : at + BATCH] for at in range(0, len(paths), BATCH)]
    with evaluating(model.net) as net, torch.inference_mode():
        for decoded in batches(cut, model.preprocess, workers=2, thumbnails=False):
            net(decoded.images).argmax(1)


def run_over(model: Model, inputs: Inputs, out: Path) -> None:
    """A whole run."""
    explain_batch(model, inputs, some_names(model), out, batch_size=BATCH, progress=False)


def peak_of(name: str, data: Path, images: int) -> float:
    """Peak memory in MiB of a run over so many images, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.batch", "--peak", name, "--images", str(images)]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "NEURO_EXPLAIN_DATA": str(data)},
    )
    return float(done.stdout.split()[-1])


def repeated(data: Path, images: int, classes: tuple[str, ...], folder: Path) -> Inputs:
    """So many images: links to the photographs, again and again."""
    files = sorted((data / "imagenet1k_samples" / "images").iterdir())
    for number in range(images):
        (folder / f"{number:06d}{files[0].suffix}").symlink_to(files[number % len(files)])
    return open_inputs(folder, classes=classes)


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak", choices=MODELS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    data = Path(os.environ["NEURO_EXPLAIN_DATA"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.peak:
            (folder / "images").mkdir()
            model = opened(options.peak, data)
            run_over(model, repeated(data, options.images, model.classes, folder / "images"), folder / "out")
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            return
        if options.memory:
            for name in MODELS:
                few, many = (peak_of(name, data, images) for images in (500, 5000))
                print(
                    f"{name}: peak memory {few:,.0f} MiB at 500 images, {many:,.0f} at 5,000: ×{many / few:.3f}"
                )
            return
        for name in MODELS:
            model = opened(name, data)
            (folder / name).mkdir()
            inputs = repeated(data, options.images, model.classes, folder / name)
            outs = (folder / f"out-{name}-{number}" for number in count())
            last: list[Path] = []

            def whole(model: Model = model, inputs: Inputs = inputs, outs=outs, last=last) -> None:  # type: ignore[no-untyped-def]
                for old in last:
                    shutil.rmtree(old)
                last[:] = [next(outs)]
                run_over(model, inputs, last[0])

            base, ratios = alternate(
                lambda model=model, inputs=inputs: plain(model, inputs), {name: whole}, options.rounds
            )
            print(f"decoding and plain forward: {base:.2f} s, {len(inputs.ids) / base:.0f} images/s")
            print(table(ratios))
            size = sum(path.stat().st_size for path in last[0].rglob("*") if path.is_file())
            print(f"  {size / len(inputs.ids):,.0f} bytes per image on disk")
            print(f"  index page: {seconds(lambda out=last[0]: write_report(out)):.2f} s")


if __name__ == "__main__":
    main()
