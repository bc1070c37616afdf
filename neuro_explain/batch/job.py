"""The steps of a batch run: its plan, its parts one after the other, and what describes it as a whole.

`run.explain_batch` checks what it is given and makes a `Job` of it.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from dissection.artifact import (
    MANIFEST,
    ArtifactError,
    describe_run,
    file_record,
    is_artifact,
    write_csv,
    write_json,
)
from neuro_explain.batch.decode import is_lost_worker
from neuro_explain.batch.loader import Loader
from neuro_explain.batch.made import Made
from neuro_explain.batch.maker import Maker, Part
from neuro_explain.batch.measure import class_alphas
from neuro_explain.batch.parts import (
    REOPEN,
    RUN,
    is_whole,
    part_path,
    part_paths,
    read_run,
    sheet_path,
    write_part,
    write_plan,
    write_sheet,
)
from neuro_explain.batch.plan import differences, names_fingerprint
from neuro_explain.batch.source import Files, Source
from neuro_explain.inquiry import Inquiry
from neuro_explain.model import Model

if TYPE_CHECKING:
    from tqdm import tqdm

KIND = "batch"
UNITS, CLASS_ALPHA = "units.csv", "class_alpha.npy"
_ATTEMPTS = 3  # at one part, when workers die


@dataclass(frozen=True)
class BatchRun:
    """A finished run.

    Attributes:
        folder: where it is.
        images: how many there were.
        errors: how many of them could not be explained.
        labelled: how many of the others have a label.
        right: how many of these the network names rightly.
    """

    folder: Path
    images: int
    errors: int
    labelled: int
    right: int

    def first_error(self) -> str:
        """What is said of the first image that could not be explained; empty if there is none."""
        import pyarrow.parquet as pq

        for path in part_paths(self.folder):
            said = pq.read_table(path, columns=["error"])["error"].drop_null()
            if len(said):
                return str(said[0])
        return ""


class Engine(Protocol):
    """Who makes the parts of a run, if not this process."""

    @property
    def device(self) -> str:
        """What the network runs on."""

    @property
    def threads(self) -> int:
        """Threads of a share."""

    def make(self, maker: Maker, source: Files, parts: Sequence[int]) -> Iterator[tuple[int, Part]]:
        """These parts, in any order."""


class Job:
    """One run: what it needs, and its steps."""

    def __init__(
        self,
        model: Model,
        source: Source,
        inquiry: Inquiry,
        folder: Path,
        options: dict[str, Any],
        workers: int,
        reopen: dict[str, Any] | None,
        engine: Engine | None,
    ) -> None:
        from neuro_explain.batch.rows import Rows

        self.source, self.folder, self.options = source, folder, options
        self.workers, self.engine, self.reopen = workers, engine, reopen
        self.cut = source.cut
        self.names = inquiry.names
        weights = next((p for p in model.net.parameters() if p.is_floating_point()), torch.empty(0))
        example = torch.zeros(1, 3, *model.preprocess.input_size).to(weights)
        class_alpha = class_alphas(model.net, example, layer=model.layer, seed=options["seed"])
        rows = Rows(
            inquiry.names,
            top=options["top"],
            rank_by=options["rank_by"],
            named_only=options["named_only"],
            alpha_varies=class_alpha is None,
        )
        accepted = None if source.accepted is None else source.accepted.mask(len(model.classes))
        self.maker = Maker(model, rows, options["best"], options["thumbnails"], class_alpha, accepted)
        self.plan = self._plan(inquiry)

    def run(self, progress: bool | None) -> BatchRun:
        """Makes what is not there yet; a run that is refused before anything of it is made leaves nothing."""
        self._begin()
        if is_artifact(self.folder):
            return self._finished()
        try:
            self._make(progress)
        except (ValueError, ConnectionError):
            if not part_paths(self.folder):
                for name in (RUN, REOPEN):
                    (self.folder / name).unlink(missing_ok=True)
            raise
        return self._finish()

    def _make(self, progress: bool | None) -> None:
        from tqdm import tqdm

        missing = [
            part
            for part in range(self.cut.parts)
            if not is_whole(
                self.folder, part, len(self.cut.rows(part)), thumbnails=self.options["thumbnails"]
            )
        ]
        with tqdm(
            total=self.cut.count,
            initial=self.cut.count - self._images(missing),
            desc="explaining",
            unit="image",
            disable=None if progress is None else not progress,
            delay=1,
        ) as bar:
            if self.engine is None:
                self._make_here(missing, bar)
            else:
                assert isinstance(self.source, Files)
                for number, part in self.engine.make(self.maker, self.source, missing):
                    self._write(number, part)
                    bar.update(part.rows.num_rows)

    def _make_here(self, missing: list[int], bar: tqdm[Any]) -> None:
        """Makes parts in this process; images are read ahead across them."""
        failures = 0
        if isinstance(self.source, Loader):
            self.source.met = Made(self.folder, self.cut).check
        while missing:
            read = self.source.batches(
                missing,
                thumbnails=self.options["thumbnails"],
                workers=self.workers,
                pin=self.maker.weights.is_cuda,
            )
            before = len(missing)
            try:
                with closing(read):
                    while missing:
                        batches = islice(read, len(self.cut.batches(missing[0])))
                        self._write(missing[0], self.maker.make(batches, bar.update))
                        missing = missing[1:]
            except RuntimeError as error:
                if not is_lost_worker(error):
                    raise
                failures = failures + 1 if len(missing) == before else 0
                if failures == _ATTEMPTS:
                    raise OSError(
                        f"a process that reads images died {_ATTEMPTS} times at the same part "
                        f"({str(error).splitlines()[0]}); what is done is kept: go on with --resume, perhaps with "
                        "fewer workers"
                    ) from error
                bar.n = self.cut.count - self._images(missing)

    def _images(self, parts: Sequence[int]) -> int:
        return sum(len(self.cut.rows(part)) for part in parts)

    def _write(self, number: int, part: Part) -> None:
        if part.sheet is not None:
            write_sheet(self.folder, number, part.sheet)
        write_part(self.folder, number, part.rows)

    def _begin(self) -> None:
        """Writes the plan; or, in a folder that has one, sees to it that it is this one."""
        if not (self.folder / RUN).is_file():
            if self.reopen is not None:
                write_json(self.folder / REOPEN, self.reopen)
            write_plan(self.folder, self.plan)
            return
        found = read_run(self.folder, finished=False)
        now = json.loads(json.dumps(self.plan))
        differing = list(differences({**found, "created": ""}, {**now, "created": ""}))
        if differing:
            raise ArtifactError(
                f"the run in {self.folder} was begun otherwise, so it cannot be resumed: {'; '.join(differing)}; "
                "resume it as it was, or choose another folder"
            )

    def _finish(self) -> BatchRun:
        """Writes what describes the run as a whole, its manifest last."""
        write_csv(
            self.folder / UNITS,
            [
                {
                    "unit": name.unit,
                    "concept": None if name.concept is None else name.concept.name,
                    "category": None if name.concept is None else name.concept.category,
                    "iou": name.iou,
                    "threshold": name.threshold,
                }
                for name in self.names
            ],
        )
        if self.maker.class_alpha is not None:
            np.save(self.folder / CLASS_ALPHA, self.maker.class_alpha.numpy(), allow_pickle=False)
        images, errors, labelled, right = self._count()
        found = read_run(self.folder, finished=False)
        files = [self.folder / name for name in (RUN, UNITS, CLASS_ALPHA)]
        for part in range(self.cut.parts):
            files += [part_path(self.folder, part), sheet_path(self.folder, part)]
        manifest = {
            **describe_run(
                KIND,
                model=found["model"],
                layer=found["layer"],
                weights_fingerprint=found["weights_fingerprint"],
                data_fingerprint=found["inputs"]["fingerprint"],
                options=found["options"],
                seed=found["options"]["seed"],
            ),
            "summary": {"images": images, "errors": errors, "labelled": labelled, "right": right},
            "files": {
                path.relative_to(self.folder).as_posix(): file_record(path)
                for path in files
                if path.is_file()
            },
        }
        draft = self.folder / f".{MANIFEST}.writing"
        write_json(draft, manifest)
        draft.replace(self.folder / MANIFEST)
        return BatchRun(self.folder, images, errors, labelled, right)

    def _finished(self) -> BatchRun:
        summary = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))["summary"]
        return BatchRun(self.folder, **summary)

    def _count(self) -> tuple[int, int, int, int]:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        images = errors = labelled = right = 0
        for path in part_paths(self.folder):
            rows = pq.read_table(path, columns=["error", "right"])
            images += rows.num_rows
            errors += rows.num_rows - rows["error"].null_count
            labelled += rows.num_rows - rows["right"].null_count
            right += pc.sum(rows["right"]).as_py() or 0
        return images, errors, labelled, right

    def _plan(self, inquiry: Inquiry) -> dict[str, Any]:
        model, inputs = self.maker.model, self.source.describe()
        weights = self.maker.weights
        plain = describe_run(
            KIND,
            model=model.name,
            layer=model.layer,
            weights_fingerprint=inquiry.fingerprint,
            data_fingerprint=inputs["fingerprint"],
            options=self.options,
        )
        return {
            "schema_version": plain["schema_version"],
            "kind": KIND,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "model": model.name,
            "layer": model.layer,
            "weights_fingerprint": inquiry.fingerprint,
            "preprocess": model.preprocess.describe(),
            "names": {"source": inquiry.names.source, "fingerprint": names_fingerprint(inquiry.names)},
            "inputs": inputs,
            "classes": list(model.classes),
            "units": model.units,
            "map": list(model.map_size),
            "alpha_varies": self.maker.class_alpha is None,
            "options": self.options,
            "machine": {
                "device": str(weights.device) if self.engine is None else self.engine.device,
                "precision": str(weights.dtype).removeprefix("torch."),
                "threads": torch.get_num_threads() if self.engine is None else self.engine.threads,
                "processor": platform.machine(),
            },
            "versions": plain["versions"],
        }
