"""Coast."""

from __future__ import annotations

from neuro_explain.diorama.objects.backdrops import Landscape
from neuro_explain.diorama.objects.birds import flying_bird, standing_bird
from neuro_explain.diorama.objects.furniture import chair
from neuro_explain.diorama.objects.harbour import lighthouse, pier, rowing_boat, sailing_boat
from neuro_explain.diorama.objects.people import person
from neuro_explain.diorama.objects.rocks import cliff, mountain, rock
from neuro_explain.diorama.objects.seaside import beach_ball, bucket, sandcastle, surfboard, towel, umbrella
from neuro_explain.diorama.objects.trees import bush, palm
from neuro_explain.diorama.objects.water import sea
from neuro_explain.diorama.scenes.open_air import (
    Maker,
    furnish,
    nearest,
    spot,
)
from neuro_explain.diorama.stage import Stage


def coast(stage: Stage) -> None:
    """A beach or a meadow by the sea: boats, a lighthouse, a pier, palms, and what people bring."""
    rng = stage.rng
    Landscape(stage, *rng.choice((("sand", "sand"), ("sand", "sand"), ("sand", "sand"), ("grass", "grass"))))
    near = nearest(stage)
    if stage.chance(0.5):
        left = near * rng.uniform(1.7, 3.0)
        right = left * rng.uniform(0.85, 1.2)
    else:
        left, right = near * rng.uniform(1.25, 1.5), near * rng.uniform(3.0, 7.0)
    if stage.chance(0.35):
        mountain(stage, rng.uniform(-30, 30), high=rng.uniform(4, 9), wide=rng.uniform(20, 40))
    water = sea(stage, left=left, right=right)
    if stage.chance(0.7):
        z = rng.uniform(13, 20)
        x, wide = spot(stage, rng.uniform(-0.4, 0.4), z), z * rng.uniform(0.14, 0.24)
        high = z * rng.uniform(0.05, 0.1)
        head = cliff(stage, x - wide, x + wide, z, high=high, kind="rock")
        lighthouse(
            stage,
            x + rng.uniform(-0.3, 0.3) * wide,
            z,
            high=z * rng.uniform(0.3, 0.4),
            y=high * 0.92,
            on=head,
        )
    for z in sorted((rng.uniform(8, 20) for _ in range(rng.choice((0, 1, 1, 2)))), reverse=True):
        sailing_boat(
            stage, water, spot(stage, rng.uniform(-0.45, 0.45), z), z, long=z * rng.uniform(0.18, 0.26)
        )
    if stage.chance(0.3):
        across = rng.uniform(-0.4, 0.1)
        z = _shore(left, right, across) * rng.uniform(0.85, 1.0)
        pier(stage, spot(stage, across, z), z, long=z * rng.uniform(0.8, 1.5), wide=0.2 * z, high=0.06 * z)
    for _ in range(rng.choice((0, 1, 1, 2))):
        z = rng.uniform(5, 8)
        flying_bird(
            stage,
            spot(stage, rng.uniform(-0.4, 0.4), z),
            rng.uniform(2.4, 3.6),
            z,
            span=z * rng.uniform(0.2, 0.27),
        )

    def place(across: float, deep: float) -> tuple[float, float]:
        far = max(min(_shore(left, right, across) * 0.9, near * 2.2), near * 1.02)
        z = near + (far - near) * deep
        return spot(stage, across, z), z

    typical: list[tuple[float, Maker]] = [
        (0.75, lambda x, z: umbrella(stage, x, z, wide=rng.uniform(1.5, 1.9), high=rng.uniform(1.5, 1.8))),
        (0.75, lambda x, z: towel(stage, x, z)),
        (0.75, lambda x, z: bucket(stage, x, z, high=rng.uniform(0.5, 0.65))),
        (0.7, lambda x, z: surfboard(stage, x, z, high=rng.uniform(1.3, 1.7))),
        (0.7, lambda x, z: sandcastle(stage, x, z, wide=rng.uniform(0.9, 1.15))),
        (0.7, lambda x, z: palm(stage, x, max(z, near * 1.4), high=rng.uniform(2.3, 3.2))),
        (0.3, lambda x, z: rowing_boat(stage, x, z)),
    ]
    shared: list[tuple[float, Maker]] = [
        (0.35, lambda x, z: person(stage, x, z)),
        (0.35, lambda x, z: beach_ball(stage, x, z)),
        (0.35, lambda x, z: standing_bird(stage, x, z)),
        (0.35, lambda x, z: rock(stage, x, z, high=rng.uniform(0.5, 0.9))),
        (0.2, lambda x, z: chair(stage, x, z)),
        (0.2, lambda x, z: bush(stage, x, z)),
    ]
    rng.shuffle(shared)
    furnish(stage, typical, shared, place)


def _shore(left: float, right: float, across: float) -> float:
    """How far away the shore is at a share across the picture."""
    share = min(max(across + 0.5, 0.0), 1.0)
    return 1 / ((1 - share) / left + share / right)
