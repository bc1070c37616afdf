"""What light falls on a scene? Tint, direction, haze, weather and the camera's noise."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

DUSK = (235, 196, 170)
"""The colour of haze at dusk."""

Weather = Literal["clear", "rain", "snow"]


@dataclass(frozen=True)
class Light:
    """The light of one scene.

    Attributes:
        tint: factor per channel.
        lean: how much brighter the right and the top are than the left and the bottom, −1 to 1.
        vignette: how much darker the corners are, 0 to 1.
        haze: share of the haze's colour at 20 metres; it grows with the distance.
        haze_color: red, green, blue.
        noise: standard deviation of the camera's noise, in levels of 255.
        weather: what falls.
        amount: how much of it, 0 to 1.
        phase: shifts noise and weather, 0 to 1.
    """

    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    lean: tuple[float, float] = (0.0, 0.0)
    vignette: float = 0.15
    haze: float = 0.0
    haze_color: tuple[int, int, int] = (200, 210, 220)
    noise: float = 4.0
    weather: Weather = "clear"
    amount: float = 0.0
    phase: float = 0.0


def indoor_light(rng: random.Random) -> Light:
    """Warm, neutral or cool light from the left or the right; no haze, no weather."""
    warmth, gain = rng.uniform(-0.09, 0.12), rng.uniform(0.8, 1.12)
    return Light(
        tint=(gain * (1 + warmth), gain, gain * (1 - warmth)),
        lean=(rng.uniform(-0.25, 0.25), rng.uniform(-0.05, 0.15)),
        vignette=rng.uniform(0.08, 0.28),
        noise=rng.uniform(2.0, 6.0),
        phase=rng.random(),
    )


def outdoor_light(rng: random.Random) -> Light:
    """Day, dusk or overcast, more or less haze, sometimes rain or snow."""
    kind = rng.choice(("day", "day", "day", "dusk", "overcast"))
    gain = {
        "day": rng.uniform(0.95, 1.12),
        "dusk": rng.uniform(0.72, 0.86),
        "overcast": rng.uniform(0.8, 0.95),
    }[kind]
    warmth = {
        "day": rng.uniform(-0.04, 0.07),
        "dusk": rng.uniform(0.04, 0.12),
        "overcast": rng.uniform(-0.1, -0.02),
    }[kind]
    falls: Weather = rng.choice(("rain", "snow")) if kind == "overcast" and rng.random() < 0.5 else "clear"
    return Light(
        tint=(gain * (1 + warmth), gain, gain * (1 - warmth)),
        lean=(rng.uniform(-0.2, 0.2), rng.uniform(-0.1, 0.1)),
        vignette=rng.uniform(0.05, 0.2),
        haze=rng.uniform(0.0, 0.25) if kind == "day" else rng.uniform(0.1, 0.35),
        haze_color={"day": (205, 220, 235), "dusk": DUSK, "overcast": (190, 195, 200)}[kind],
        noise=rng.uniform(2.0, 6.0),
        weather=falls,
        amount=rng.uniform(0.4, 1.0),
        phase=rng.random(),
    )
