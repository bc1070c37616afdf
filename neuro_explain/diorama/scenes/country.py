"""Farm field."""

from __future__ import annotations

from neuro_explain.diorama.objects.animals import chicken, cow, sheep
from neuro_explain.diorama.objects.backdrops import Landscape
from neuro_explain.diorama.objects.crops import crop_rows, hay_bale, pumpkin, scarecrow, sunflower
from neuro_explain.diorama.objects.farm import barn, fence, silo, windmill
from neuro_explain.diorama.objects.furniture import chair
from neuro_explain.diorama.objects.machines import tractor, wheelbarrow
from neuro_explain.diorama.objects.people import person
from neuro_explain.diorama.objects.streetware import bench, sign
from neuro_explain.diorama.objects.toys import ball
from neuro_explain.diorama.objects.trees import bush, tree
from neuro_explain.diorama.objects.vehicles import bicycle, car
from neuro_explain.diorama.scenes.places import across, columns, pick
from neuro_explain.diorama.stage import Stage

_FAR = {"barn": 0.7, "windmill": 0.5, "silo": 0.45, "tree": 0.5}
_NEAR = {
    "tractor": 0.65,
    "cow": 0.6,
    "sheep": 0.55,
    "hay bale": 0.65,
    "scarecrow": 0.5,
    "sunflower": 0.5,
    "pumpkin": 0.35,
    "chicken": 0.35,
    "wheelbarrow": 0.35,
    "person": 0.3,
    "bush": 0.3,
}
_STRAY = ("bicycle", "bench", "ball", "sign", "chair", "car")
_MAKE = {
    "barn": barn,
    "windmill": windmill,
    "silo": silo,
    "tree": tree,
    "tractor": tractor,
    "cow": cow,
    "sheep": sheep,
    "hay bale": hay_bale,
    "scarecrow": scarecrow,
    "sunflower": sunflower,
    "pumpkin": pumpkin,
    "chicken": chicken,
    "wheelbarrow": wheelbarrow,
    "person": person,
    "bush": bush,
    "bicycle": bicycle,
    "bench": bench,
    "ball": ball,
    "sign": sign,
    "chair": chair,
    "car": car,
}
_LOW = ("sunflower", "pumpkin", "chicken", "wheelbarrow")
_FEW = (1, 1, 2)
_MANY = {
    "sunflower": (1, 1, 2, 3),
    "cow": _FEW,
    "sheep": _FEW,
    "hay bale": _FEW,
    "pumpkin": _FEW,
    "chicken": _FEW,
}


def farm_field(stage: Stage) -> None:
    """Meadow and rows of crops, with buildings far off, animals, hay and a tractor nearer."""
    rng = stage.rng
    Landscape(stage, "grass", "grass")
    if stage.chance(0.8):
        _field(stage)
    far = pick(stage, _FAR, least=1)
    for name, share in zip(far, columns(stage, len(far)), strict=True):
        z = rng.uniform(10.5, 13.0)
        _MAKE[name](stage, across(stage, share, z), z)
    if stage.chance(0.55):
        z = rng.uniform(7.0, 9.5)
        wide = rng.uniform(4.0, 12.0)
        fence(stage, across(stage, rng.uniform(0.2, 0.8), z), z, wide=wide)
    near = pick(stage, _NEAR, least=3)[:6]
    if stage.chance(0.25):
        near.append(rng.choice(_STRAY))
    for name, share in zip(near, columns(stage, len(near)), strict=True):
        for _ in range(rng.choice(_MANY.get(name, (1,)))):
            z = rng.uniform(4.0, 5.0) if name in _LOW else rng.uniform(4.6, 7.2)
            _put(stage, name, across(stage, share + rng.uniform(-0.08, 0.08), z), z)


def _put(stage: Stage, name: str, x: float, z: float) -> None:
    """The thing itself; now and then a hen on a bale of hay."""
    if name == "hay bale" and stage.chance(0.2):
        bale = hay_bale(stage, x, z, size=1.1, low=True)
        chicken(stage, x + stage.rng.uniform(-0.3, 0.3), z, y=0.68, on=bale)
    else:
        _MAKE[name](stage, x, z)


def _field(stage: Stage) -> None:
    """Crops in rows on the left, on the right, far off, or everywhere."""
    rng = stage.rng
    where = rng.choice(("half", "half", "far", "all"))
    along = stage.chance(0.6)
    if where == "half":
        crop_rows(stage, near=3.0, far=40.0, left=rng.uniform(-0.8, 0.8), right=16.0, along=along)
    elif where == "far":
        crop_rows(stage, near=8.0, far=45.0, left=-16.0, right=16.0, along=along)
    else:
        crop_rows(stage, near=3.0, far=40.0, left=-10.0, right=10.0, along=along)
