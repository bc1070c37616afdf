"""Makes parts of a run: the network's answers to a part's images, as rows, and their thumbnails as one picture.

A maker can be handed to another process, so that the parts of a run can be made anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from neuro_explain.batch.measure import Measured, measure, same_alpha
from neuro_explain.batch.memory import give_back
from neuro_explain.batch.parts import sheet
from neuro_explain.batch.source import Batch
from neuro_explain.model import Model

if TYPE_CHECKING:
    import pyarrow as pa

    from neuro_explain.batch.rows import Rows


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a run.

    Attributes:
        rows: of its images.
        sheet: their thumbnails as a WebP picture; None without thumbnails.
    """

    rows: pa.Table
    sheet: bytes | None


@dataclass(frozen=True, eq=False)
class Maker:
    """What is needed to make parts.

    Attributes:
        model: the network.
        rows: makes tables of what was measured.
        best: how many of each image's best classes are explained.
        thumbnails: whether there is to be a picture of them.
        class_alpha: alpha of every class `[C, U]`; None if it depends on the image.
        accepted: bool `[L, C]`, the classes that a label stands for; None where labels are classes.
    """

    model: Model
    rows: Rows
    best: int
    thumbnails: bool
    class_alpha: Tensor | None
    accepted: Tensor | None = None

    @property
    def net(self) -> nn.Module:
        """The network."""
        return self.model.net

    @property
    def weights(self) -> Tensor:
        """A tensor where the network's weights are, in their precision."""
        return next((p for p in self.net.parameters() if p.is_floating_point()), torch.empty(0))

    def make(self, batches: Iterable[Batch], done: Callable[[int], object] = lambda _count: None) -> Part:
        """The part that consists of these batches; `done` is called with the number of images just explained."""
        import pyarrow as pa

        tables, thumbnails = [], []
        for batch in batches:
            tables.append(self._explained(batch))
            if self.thumbnails:
                thumbnails.append(batch.decoded.thumbnails)
            done(len(batch.ids))
        part = Part(pa.concat_tables(tables), sheet(thumbnails) if self.thumbnails else None)
        give_back()
        return part

    def _explained(self, batch: Batch) -> pa.Table:
        from neuro_explain.batch.rows import Images

        decoded = batch.decoded
        measured = measure(
            self.net,
            decoded.images.to(self.weights),
            layer=self.model.layer,
            labels=torch.from_numpy(batch.labels),
            classes=self.best,
            accepted=self.accepted,
        )
        errors = [
            error or ("" if fine else f"{self.model.name} answers with NaN or infinity")
            for error, fine in zip(decoded.errors, measured.finite.tolist(), strict=True)
        ]
        self._check_alpha(measured)
        labels = batch.labels
        if self.accepted is not None:  # which class it is, the scores say
            known = (labels >= 0) & np.array([not error for error in errors])
            labels = np.where(known, measured.classes[:, -1].numpy(), -1)
        about = Images(batch.ids, batch.number, labels, decoded.sizes, errors, batch.metadata)
        return self.rows.table(about, measured)

    def _check_alpha(self, measured: Measured) -> None:
        if self.class_alpha is not None and not same_alpha(
            measured.alpha, self.class_alpha[measured.classes]
        ):
            raise ValueError(
                f"{self.model.name}: alpha did not depend on the image in a trial, but does here; the alphas of "
                "each image must be kept: begin anew with another seed"
            )
