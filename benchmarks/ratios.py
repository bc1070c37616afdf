"""Ratios that hold on a noisy machine: contenders run in turn, each round is divided by its own baseline."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(
    baseline: Callable[[], object], others: Mapping[str, Callable[[], object]], rounds: int
) -> tuple[float, dict[str, tuple[float, float, float]]]:
    """Runs all in turn, after one uncounted round.

    Returns:
        Median seconds of the baseline, and per contender (median, smallest, largest) of its ratio to the mean of
        the baselines run just before and just after it.
    """
    baseline()
    for work in others.values():
        work()
    times: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in others}
    for _ in range(rounds):
        before = seconds(baseline)
        times.append(before)
        for name, work in others.items():
            took = seconds(work)
            after = seconds(baseline)
            ratios[name].append(took / ((before + after) / 2))
            times.append(after)
            before = after
    return statistics.median(times), {
        name: (statistics.median(values), min(values), max(values)) for name, values in ratios.items()
    }


def table(rows: Mapping[str, tuple[float, float, float]]) -> str:
    """The ratios as lines: median, smallest to largest."""
    width = max(len(name) for name in rows)
    return "\n".join(
        f"  {n:<{width}}  {m:6.2f}   ({low:.2f} to {high:.2f})" for n, (m, low, high) in rows.items()
    )
