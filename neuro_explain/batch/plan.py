"""What must be the same when a run goes on? Its plan: the network, the names, the images, the options, the machine.

    plan = Plan.of(model, inputs, names, …)
    plan.differences(found)          # ["options.top: 5 in the run, 3 now"]

Images are cut into batches, and batches into parts, by their numbers alone, before the first of them is read. Scores
depend, in their last digits, on what else is in a batch; so a part that was not finished is made again as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dissection.names import Names

PART = 512
"""Images of a part, about."""


@dataclass(frozen=True)
class Cut:
    """How N images are cut: batches of `batch` images, parts of `per_part` batches; the last ones may be shorter."""

    count: int
    batch: int

    @property
    def per_part(self) -> int:
        """Batches of a part."""
        return max(1, PART // self.batch)

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.count // (self.batch * self.per_part))

    def rows(self, part: int) -> range:
        """The images of a part."""
        size = self.batch * self.per_part
        return range(part * size, min((part + 1) * size, self.count))

    def batches(self, part: int) -> list[tuple[int, range]]:
        """The batches of a part: their numbers, and their images."""
        rows = self.rows(part)
        return [
            (start // self.batch, range(start, min(start + self.batch, rows.stop)))
            for start in range(rows.start, rows.stop, self.batch)
        ]


def differences(run: Mapping[str, Any], now: Mapping[str, Any], *, under: str = "") -> Iterator[str]:
    """What differs between a run's plan and today's, key by key."""
    for key in dict.fromkeys((*run, *now)):
        before, after = run.get(key), now.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from differences(before, after, under=f"{under}{key}.")
        elif before != after:
            yield f"{under}{key}: {_short(before)} in the run, {_short(after)} now"


def names_fingerprint(names: Names) -> str:
    """A hash of what the names say of each unit."""
    digest = hashlib.sha256()
    for name in names:
        concept = "" if name.concept is None else f"{name.concept.category}\0{name.concept.name}"
        digest.update(f"{name.unit}\0{concept}\0{name.iou!r}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
