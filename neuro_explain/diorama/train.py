"""How the shipped networks came to be: the script that trains them.

    python -m neuro_explain.diorama.train diorama-scenes --out runs/trained

writes NAME.safetensors and its card, NAME.json, into the folder. Each network's plan stands in `PLANS`: its task,
its seeds, its number of scenes and epochs.

A small network that learns categories alone makes units that stand for half a category: they fire on the sink, the
bath and the towel alike, and no name fits them. So these learn in two steps (a concept bottleneck, Koh et al. 2020,
in every cell of the map). First each of the 128 units is *taught* where in the picture one kind of object is: its logit
z_k says whether the kind covers a quarter of the cell or more,

    loss = Σ_k BCE(z_k, kind k covers ≥ 1/4 of the cell)

Then what follows the units learns the categories, the convolutions being kept:

    loss = cross entropy + penalty · mean W²

So there is a truth about these units that dissection, which is told nothing of it, can be held to: the card lists
what each was taught.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from neuro_explain.diorama.networks import UNITS, Head, SceneNet
from neuro_explain.diorama.render import KIND_NAMES, Rendered
from neuro_explain.diorama.tasks import TASKS
from neuro_explain.recipes.diorama_nets import card, load

_SHARE = (0.0006, 0.05)  # of all pixels: kinds that a unit can be taught and that dissection can find
_COVERED = 0.25
_RARE = -4.0  # before it learns, a unit takes its kind for rare


@dataclass(frozen=True)
class Plan:
    """How one network is trained.

    Attributes:
        task: a key of `tasks.TASKS`: which scenes, which classes.
        head: what follows the last convolution.
        scenes: how many scenes it learns from.
        epochs: how often its convolutions see them.
        seed: world of the training scenes.
        held_out: world of the scenes that its accuracy is measured on.
        held_out_scenes: how many of them.
        base: shipped network whose convolutions it takes over; none for one that learns its own.
        rate: the highest learning rate of the convolutions.
        batch: images per step.
        head_epochs, head_rate: of what follows the units.
        penalty: weight of the head's mean W².
    """

    task: str
    head: Head = "pool"
    scenes: int = 24_000
    epochs: int = 6
    seed: int = 1001
    held_out: int = 2001
    held_out_scenes: int = 2_000
    base: str | None = None
    rate: float = 5e-3
    batch: int = 32
    head_epochs: int = 30
    head_rate: float = 0.2
    penalty: float = 1e-6


PLANS: dict[str, Plan] = {
    "diorama-scenes": Plan("scenes"),
    "diorama-scenes-dense": Plan(
        "scenes", head="dense", scenes=12_000, base="diorama-scenes", head_rate=0.01
    ),
    "diorama-biased": Plan("biased", scenes=1_500, seed=1002, held_out=2002, base="diorama-scenes"),
    "diorama-balanced": Plan("balanced", scenes=1_500, seed=1002, held_out=2002, base="diorama-scenes"),
}


def train(
    plan: Plan, *, seed: int = 0, workers: int = 2, progress: bool = True
) -> tuple[SceneNet, tuple[str, ...], float]:
    """Trains a network by its plan.

    Args:
        plan: see `Plan`.
        seed: of the first weights and the order of the scenes.
        workers: processes that render.
        progress: whether to draw bars.

    Returns:
        The network in eval mode; what its units were taught; its accuracy (0 to 1) on held-out scenes.
    """
    task = TASKS[plan.task]
    scenes = task.render(plan.seed, plan.scenes, workers=workers)
    torch.manual_seed(seed)
    net = SceneNet(len(task.classes), head=plan.head)
    if plan.base is None:
        taught = teachable(scenes.cells)
        teach(net, scenes, taught, plan, seed=seed, progress=progress)
    else:
        taught = tuple(card(plan.base)["taught"])
        based = load(plan.base, None, False).net
        assert isinstance(based, SceneNet)
        net.features.load_state_dict(based.features.state_dict())
    halve(net)  # what the head learns from is what the file will hold
    fit_head(net, scenes, plan, seed=seed, progress=progress)
    halve(net)
    held_out = task.render(plan.held_out, plan.held_out_scenes, workers=workers)
    return net, taught, accuracy(net, held_out.images, held_out.labels)


def teachable(cells: NDArray[np.float16]) -> tuple[str, ...]:
    """The kinds that units are taught, one each: neither too rare nor too large, the commonest ones.

    Args:
        cells: shares `[N, K, 8, 8]` of the training scenes.

    Returns:
        At most 128 kinds, in alphabetical order: unit k is taught the k-th.
    """
    share = cells.mean((0, 2, 3), dtype=np.float64)
    low, high = _SHARE
    fitting = [kind for kind in np.argsort(-share, kind="stable") if low <= share[kind] <= high]
    return tuple(sorted(KIND_NAMES[kind] for kind in fitting[:UNITS]))


def teach(
    net: SceneNet,
    scenes: Rendered,
    taught: tuple[str, ...],
    plan: Plan,
    *,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Teaches the units where their kinds are, in place; the network is in eval mode afterwards.

    Args:
        net: an untrained network.
        scenes: what it learns from.
        taught: what each unit is taught.
        plan: its epochs, rate and batch.
        seed: of the order of the scenes.
        progress: whether to draw a bar.
    """
    targets = scenes.cells[:, [KIND_NAMES.index(kind) for kind in taught]] >= _COVERED
    last = [module for module in net.features if isinstance(module, nn.BatchNorm2d)][-1]
    nn.init.constant_(last.bias, _RARE)
    groups = [
        {"params": [p for p in net.features.parameters() if p.dim() > 1], "weight_decay": 0.02},
        {"params": [p for p in net.features.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups)
    order = np.random.default_rng(seed)
    steps = len(scenes.images) // plan.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.rate, epochs=plan.epochs, steps_per_epoch=steps, pct_start=0.2
    )
    net.train()
    bar = tqdm(total=plan.epochs * steps, desc="teaching", disable=not progress, unit="step")
    for _ in range(plan.epochs):
        shuffled = order.permutation(len(scenes.images))
        for start in range(0, steps * plan.batch, plan.batch):
            some = np.sort(shuffled[start : start + plan.batch])
            with torch.autocast("cpu", torch.bfloat16):
                logits = net.logits(to_input(scenes.images[some]))[:, : len(taught)]
            wanted = torch.from_numpy(targets[some]).float()
            loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), wanted) * len(taught)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)
    bar.close()
    net.eval()


def fit_head(net: SceneNet, scenes: Rendered, plan: Plan, *, seed: int = 0, progress: bool = True) -> None:
    """Trains what follows the units, in place, and keeps the rest; the network is in eval mode afterwards."""
    net.eval()
    with torch.no_grad():
        parts = [scenes.images[start : start + 128] for start in range(0, len(scenes.images), 128)]
        shown = tqdm(parts, desc="looking", disable=not progress)
        # pooled as the head begins, in half precision: all that it needs, in little memory
        seen = torch.cat([net.head[:2](net.features(to_input(part))).half() for part in shown])
    rest, labels = net.head[2:], torch.from_numpy(scenes.labels)
    linear = net.head.get_submodule("linear")
    assert isinstance(linear, nn.Linear)
    nn.init.zeros_(linear.bias)
    optimizer = torch.optim.Adam(rest.parameters(), lr=plan.head_rate)
    steps = -(-len(labels) // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.head_rate, epochs=plan.head_epochs, steps_per_epoch=steps
    )
    order = torch.Generator().manual_seed(seed)
    for _ in tqdm(range(plan.head_epochs), desc="learning categories", disable=not progress):
        for some in torch.randperm(len(labels), generator=order).split(plan.batch):  # type: ignore[no-untyped-call]
            loss = nn.functional.cross_entropy(rest(seen[some].float()), labels[some])
            loss = loss + plan.penalty * linear.weight.square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()


def to_input(images: NDArray[np.uint8]) -> Tensor:
    """Pictures uint8 `[N, h, w, 3]` as the network's input `[N, 3, h, w]`, as `networks.PREPROCESS` makes it."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255).sub_(0.5).div_(0.25)


def accuracy(net: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """The share of pictures whose highest score is the right class's."""
    right = 0
    with torch.inference_mode():
        for start in range(0, len(images), 128):
            scores = net(to_input(images[start : start + 128]))
            right += int((scores.argmax(1).numpy() == labels[start : start + 128]).sum())
    return right / len(images)


def save(net: nn.Module, folder: Path, name: str, facts: dict[str, Any]) -> None:
    """Writes NAME.safetensors and its card NAME.json.

    Args:
        net: the network, its weights representable in half precision (see `halve`).
        folder: where to; made if it is not there.
        name: of the network.
        facts: what the card says besides the file's hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file(halved(net), path)
    facts = {**facts, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def halved(net: nn.Module) -> dict[str, Tensor]:
    """The network's weights in half precision, what are whole numbers as they are."""
    return {
        key: value.half() if value.is_floating_point() else value for key, value in net.state_dict().items()
    }


def halve(net: nn.Module) -> None:
    """Rounds the weights to half precision in place, so that the file can hold them exactly in half the space."""
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())


def main(arguments: list[str] | None = None) -> None:
    """Trains the named networks and writes weights and cards."""
    parser = argparse.ArgumentParser(
        prog="python -m neuro_explain.diorama.train", description="Train the diorama's networks anew."
    )
    parser.add_argument("names", nargs="+", choices=sorted(PLANS), metavar="NAME", help=", ".join(PLANS))
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and cards")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first weights and the order of the scenes"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    options = parser.parse_args(arguments)
    for name in options.names:
        plan = PLANS[name]
        start = time.monotonic()
        net, taught, share = train(plan, seed=options.seed, workers=options.workers)
        facts = {
            **asdict(plan),
            "classes": list(TASKS[plan.task].classes),
            "about": TASKS[plan.task].about,
            "first_weights": options.seed,
            "accuracy": round(share, 4),
            "taught": list(taught),
            "minutes": round((time.monotonic() - start) / 60, 1),
            "date": date.today().isoformat(),
            "torch": torch.__version__,
            "command": f"python -m neuro_explain.diorama.train {name} --out DIR --seed {options.seed}",
        }
        save(net, options.out, name, facts)
        sys.stdout.write(f"{options.out / name}.safetensors: {share:.2%} of held-out scenes right\n")


if __name__ == "__main__":
    main()
