"""Many images: explained in a stream, kept as Parquet, resumed after anything that may happen.

    explain_batch(model, open_inputs("photographs/", classes=model.classes), names, "runs/batch")

The layout of the folder stands in docs/batch.md.
"""

from __future__ import annotations

from neuro_explain.batch.job import BatchRun
from neuro_explain.batch.run import explain_batch

__all__ = ["BatchRun", "explain_batch"]
