"""Which things does a scene get, and in which columns of the picture do they stand?"""

from __future__ import annotations

from collections.abc import Mapping

from neuro_explain.diorama.stage import Stage


def pick(stage: Stage, odds: Mapping[str, float], *, least: int = 0) -> list[str]:
    """Names in random order, each drawn with its own probability, and at least so many of them.

    Args:
        stage: gives the random numbers.
        odds: probability per name.
        least: how many names there are at least.
    """
    names = [name for name, odd in odds.items() if stage.chance(odd)]
    rest = [name for name in odds if name not in names]
    stage.rng.shuffle(rest)
    names += rest[: max(least - len(names), 0)]
    stage.rng.shuffle(names)
    return names


def columns(stage: Stage, count: int, *, low: float = 0.08, high: float = 0.92) -> list[float]:
    """Columns of the frame, 0 to 1, spread between `low` and `high`, in random order."""
    rng = stage.rng
    step = (high - low) / max(count, 1)
    shares = [low + (k + rng.uniform(0.25, 0.75)) * step for k in range(count)]
    rng.shuffle(shares)
    return shares


def across(stage: Stage, share: float, z: float) -> float:
    """The x in metres that appears at this share of the frame's width, at distance z."""
    return stage.camera.x_at(share - 0.5, z)
