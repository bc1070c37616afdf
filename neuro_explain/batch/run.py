"""Many images in a stream: each explained, written as a row, and nothing lost whatever happens.

    run = explain_batch(model, "photographs/", names, "runs/batch")
    run.images, run.errors, run.right

Worker processes read; the network answers a batch and explains its best classes in one forward and one batched backward
pass; rows gather into parts, which are written whole or not at all (`parts`). An image that cannot be read is a row
that says why. Whatever stops the run (a kill, a full disk, a lost worker): `resume=True` goes on, and ends with the
rows of a run that nothing has disturbed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from dissection.artifact import ArtifactError, check_writable, is_artifact
from neuro_explain.ablation import DRAWS
from neuro_explain.batch.job import KIND, BatchRun, Engine, Job
from neuro_explain.batch.loader import Loader
from neuro_explain.batch.lock import LOCK, locked
from neuro_explain.batch.parts import REOPEN, RUN, part_paths
from neuro_explain.batch.source import Files, Source
from neuro_explain.cluster import Cluster
from neuro_explain.evidence import RankBy
from neuro_explain.inputs import Inputs, open_inputs
from neuro_explain.inquiry import NamesSource, open_inquiry
from neuro_explain.model import Model
from neuro_explain.speaking import check_classifier


def explain_batch(
    model: Model,
    inputs: Inputs | DataLoader[Any] | str | os.PathLike[str],
    names: NamesSource,
    out: str | os.PathLike[str],
    *,
    best: int = 1,
    top: int = 5,
    rank_by: RankBy = "contribution",
    named_only: bool = False,
    batch_size: int = 32,
    workers: int = 2,
    thumbnails: bool = True,
    resume: bool = False,
    seed: int = 0,
    reopen: dict[str, Any] | None = None,
    cluster: Cluster | None = None,
    progress: bool | None = None,
) -> BatchRun:
    """Explains every image of a set, into a folder of Parquet files.

    Args:
        model: the network with its layer, preprocessing and class names.
        inputs: the images, where `open_inputs` finds them, or a `DataLoader` of prepared images, alone or with labels
            and ids (see `source`); its own batch size and workers hold then, and there are no thumbnails.
        names: of the units of the model's layer, or where `load_names` finds them.
        out: the folder of the run; new, unless it is resumed.
        best: K, how many of each image's best classes are explained; its label's class is one more.
        top: units to keep in each direction.
        rank_by: what the ranking sorts by.
        named_only: rank named units alone.
        batch_size: images per forward pass.
        workers: processes that read images; 0 reads in this one. On a cluster, threads of each share.
        thumbnails: keep a small picture of each image, for the index page.
        resume: go on with the run in `out`, if there is one.
        seed: of the noise on which it is tried whether alpha depends on the image.
        reopen: how model, names and images can be opened again on this machine, for `report --image`; it stays out
            of what is passed on.
        cluster: machines that make the parts, in place of this process; they must find the files under the same
            paths. This process writes.
        progress: show a bar; None: only on a terminal.

    Returns:
        How it went; `docs/batch.md` says what is in the folder. `write_report(out)` makes its index page.

    Raises:
        ArtifactError: the names are of another layer or weights; `out` holds something else, or a run of another
            plan (the message names what differs), or is being written by another process.
        OSError: the disk is full, or the folder cannot be written to.
        ValueError: an option out of range, no images.
    """
    check_classifier(model)
    inquiry = open_inquiry(
        model, names, top=top, rank_by=rank_by, named_only=named_only, check=False, draws=DRAWS, seed=seed
    )
    if not 1 <= best <= len(model.classes):
        raise ValueError(f"best: expected 1 to {len(model.classes)}, the network's classes, got {best}")
    least = {"batch_size": (batch_size, 1), "workers": (workers, 0)}
    for name, (value, at_least) in least.items():
        if value < at_least:
            raise ValueError(f"{name}: expected at least {at_least}, got {value}")
    if len(inquiry.names) != model.units:
        raise ArtifactError(
            f"the names ({inquiry.names.source}) are those of {len(inquiry.names)} units, layer {model.layer!r} of "
            f"{model.name} has {model.units}; use the names of this layer"
        )
    if not isinstance(inputs, (Inputs, DataLoader)):
        if not isinstance(inputs, (str, os.PathLike)):
            raise ValueError(
                "inputs: expected a folder, a list, a pattern, what open_inputs gives, or a DataLoader, got a "
                f"{type(inputs).__name__}"
            )
        inputs = open_inputs(inputs, classes=model.classes)
    source: Source
    if isinstance(inputs, DataLoader):
        if cluster is not None:
            raise ValueError("inputs: expected files where a cluster explains them, got a DataLoader")
        source, thumbnails = Loader(inputs, len(model.classes)), False
    else:
        source = Files(inputs, model.preprocess, batch_size)
    if source.cut.count == 0:
        raise ValueError("inputs: expected at least one image, got none")
    engine: Engine | None = None
    if cluster is not None:
        from neuro_explain.cluster.batch import Makers

        engine = Makers(cluster, workers)
    folder = Path(out)
    if not resume or not (folder / RUN).is_file():
        _check_new(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        options = {
            "best": best,
            "top": top,
            "rank_by": rank_by,
            "named_only": named_only,
            "batch_size": source.cut.batch,
            "thumbnails": thumbnails,
            "seed": seed,
        }
        return Job(model, source, inquiry, folder, options, workers, reopen, engine).run(progress)


def _check_new(folder: Path) -> None:
    if is_artifact(folder):
        raise ArtifactError(f"{folder} already holds an artifact; choose another folder")
    check_writable(folder, kind=KIND, overwrite=False)
    if (folder / RUN).exists():
        there = len(part_paths(folder))
        parts = "part of it is" if there == 1 else "parts of it are"
        raise ArtifactError(
            f"{folder} holds a run that is not finished ({there} {parts} there); go on with "
            "it (--resume), or choose another folder"
        )
    if folder.exists() and any(item.name not in (LOCK, REOPEN) for item in folder.iterdir()):
        raise ArtifactError(f"{folder} is not empty; choose another folder")
