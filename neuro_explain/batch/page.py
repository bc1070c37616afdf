"""The explanation page of one image of a run, made on demand.

    explanation_page("runs/batch", "street/0017.jpg")      # runs/batch/pages/…/index.html

A row holds what was found, not what a page needs besides (each unit's map, the check by ablation), so the image is
explained again, by the run's own network, names and options, and the result is held against the row: a page that
says something else than the run is refused.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dissection.artifact import ArtifactError, is_artifact
from dissection.names import Names
from neuro_explain.batch.parts import REOPEN, part_paths, read_run
from neuro_explain.batch.plan import names_fingerprint
from neuro_explain.explain import explain
from neuro_explain.model import Model
from neuro_explain.names import load_names
from neuro_explain.recipes import near
from neuro_explain.report import write_report

_SAME = 1e-3  # of a probability: how far what else is in a batch may move it


def explanation_page(
    folder: str | os.PathLike[str],
    image: str,
    *,
    model: Model | None = None,
    names: Names | None = None,
    file: str | os.PathLike[str] | None = None,
) -> Path:
    """Explains one image of a run on a page of its own, in the run's folder.

    Args:
        folder: of a finished run.
        image: the image's id.
        model: the run's network; opened as it was for the run if not given.
        names: the run's names; opened likewise.
        file: the image, where it is no longer where it was.

    Returns:
        The page.

    Raises:
        ArtifactError: no such image, or one that could not be read; another network, other names, or an image that
            has changed since.
        FileNotFoundError: the image is not there.
    """
    from reports.batch_page import page_slug

    folder = Path(folder)
    run = read_run(folder)
    row = _row(folder, image)
    if row["error"] is not None:
        raise ArtifactError(
            f"{image} could not be explained in this run: {row['error'].removeprefix(f'{Path(image).name}: ')}"
        )
    place = folder / "pages" / page_slug(image)
    model = model or _model(folder)
    names = names or load_names(_reopen(folder, "names", "--names"))
    if names_fingerprint(names) != run["names"]["fingerprint"]:
        raise ArtifactError(
            f"the names ({names.source}) are not those of the run; give the names that it was made with"
        )
    options = run["options"]
    why = explain(
        model,
        Path(file) if file is not None else Path(_reopen(folder, "images", "--file")) / image,
        names,
        top=options["top"],
        rank_by=options["rank_by"],
        named_only=options["named_only"],
        seed=options["seed"],
    )
    if why.model.fingerprint != run["weights_fingerprint"]:
        raise ArtifactError(
            f"{model.name} has other weights ({why.model.fingerprint[:19]}…) than the run "
            f"({run['weights_fingerprint'][:19]}…); give the network that it was made with"
        )
    best = why.predictions[0]
    if best.index != row["predicted"] or abs(best.probability - row["probability"]) > _SAME:
        raise ArtifactError(
            f"{image}: the network now says {best.label} ({best.probability:.3f}), in the run it said "
            f"{run['classes'][row['predicted']]} ({row['probability']:.3f}); the image has changed since"
        )
    why.save(place, overwrite=is_artifact(place))
    page = write_report(place)
    write_report(folder)  # the index page links to it
    return page


def _row(folder: Path, image: str) -> dict[str, Any]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    some: list[str] = []
    for path in part_paths(folder):
        rows = pq.read_table(path, columns=["id", "error", "predicted", "probability"])
        found = rows.filter(pc.equal(rows["id"], image))
        if found.num_rows:
            row: dict[str, Any] = found.to_pylist()[0]
            return row
        if len(some) < 10_000:
            some += rows["id"].to_pylist()
    file = Path(image).name
    close = [name for name in some if Path(name).name == file][:4]
    hint = f"; did you mean {', '.join(close)}?" if close else near(image, some)
    raise ArtifactError(f"{folder} has no image {image!r}{hint or f'; its first is {some[0]!r}'}")


def _reopen(folder: Path, key: str, option: str) -> str:
    path = folder / REOPEN
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not known.get(key):
        raise ArtifactError(
            f"{folder} does not say where the {key} of the run can be found; give it with {option}"
        )
    return str(known[key])


def _model(folder: Path) -> Model:
    from neuro_explain.zoo import load_model

    name = _reopen(folder, "model", "--model")
    known = json.loads((folder / REOPEN).read_text(encoding="utf-8"))
    return load_model(name, **{key: known.get(key) for key in ("weights", "layer", "classes", "preprocess")})
