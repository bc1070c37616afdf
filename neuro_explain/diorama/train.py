"""How the shipped networks came to be: the script that trains them.

    python -m neuro_explain.diorama.train diorama-scenes --out runs/trained

writes NAME.safetensors and its card, NAME.json, into the folder. Each network's plan stands in `PLANS`: its task,
its seeds, its number of scenes and epochs. A plain network spreads what it knows over units that several classes
share, and such units have no good names; two penalties make units of one concept each: on the weights of the
linear layer, so that a class leans on few units, and on the mean activation, so that a unit fires in few places.
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

from neuro_explain.diorama.networks import Head, SceneNet
from neuro_explain.diorama.tasks import TASKS


@dataclass(frozen=True)
class Plan:
    """How one network is trained.

    Attributes:
        task: a key of `tasks.TASKS`: which scenes, which classes.
        head: what follows the last convolution.
        scenes: how many scenes it learns from.
        epochs: how often it sees them.
        seed: world of the training scenes.
        held_out: world of the scenes that its accuracy is measured on.
        held_out_scenes: how many of them.
        weights_penalty: on the mean |W| of the linear layer.
        activation_penalty: on the mean activation of the last map.
        rate: the highest learning rate.
        batch: images per step.
    """

    task: str
    head: Head = "pool"
    scenes: int = 12_000
    epochs: int = 6
    seed: int = 1001
    held_out: int = 2001
    held_out_scenes: int = 2_000
    weights_penalty: float = 1.0
    activation_penalty: float = 0.1
    rate: float = 4e-3
    batch: int = 64


PLANS: dict[str, Plan] = {
    "diorama-scenes": Plan("scenes"),
    "diorama-scenes-dense": Plan("scenes", head="dense"),
    "diorama-biased": Plan("biased", scenes=4_000, seed=1002),
    "diorama-balanced": Plan("balanced", scenes=4_000, seed=1002),
}


def train(plan: Plan, *, seed: int = 0, workers: int = 2, progress: bool = True) -> tuple[SceneNet, float]:
    """Trains a network by its plan.

    Args:
        plan: see `Plan`.
        seed: of the first weights and the order of the scenes.
        workers: processes that render.
        progress: whether to draw a bar.

    Returns:
        The network in eval mode, and its accuracy (0 to 1) on held-out scenes.
    """
    task = TASKS[plan.task]
    images, labels = task.render(plan.seed, plan.scenes, workers=workers)
    torch.manual_seed(seed)
    net = SceneNet(len(task.classes), head=plan.head)
    fit(net, images, labels, plan, seed=seed, progress=progress)
    halve(net)
    held_images, held_labels = task.render(plan.held_out, plan.held_out_scenes, workers=workers)
    return net, accuracy(net, held_images, held_labels)


def fit(
    net: SceneNet,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    plan: Plan,
    *,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Trains the network in place; it is in eval mode afterwards.

    Args:
        net: an untrained network.
        images: uint8 `[N, h, w, 3]`.
        labels: int64 `[N]`.
        plan: its epochs, penalties, rate and batch.
        seed: of the order of the scenes.
        progress: whether to draw a bar.
    """
    order = np.random.default_rng(seed)
    steps = len(images) // plan.batch
    optimizer = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.rate, epochs=plan.epochs, steps_per_epoch=steps, pct_start=0.2
    )
    linear = net.head.linear
    assert isinstance(linear, nn.Linear)
    net.train()
    bar = tqdm(total=plan.epochs * steps, desc="training", disable=not progress, unit="step")
    for _ in range(plan.epochs):
        shuffled = order.permutation(len(images))
        for start in range(0, steps * plan.batch, plan.batch):
            some = np.sort(shuffled[start : start + plan.batch])
            with torch.autocast("cpu", torch.bfloat16):
                maps = net.features(to_input(images[some]))
                scores = net.head(maps)
            loss = nn.functional.cross_entropy(scores.float(), torch.from_numpy(labels[some]))
            loss = loss + plan.weights_penalty * linear.weight.abs().mean()
            loss = loss + plan.activation_penalty * maps.float().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            bar.update()
    bar.close()
    net.eval()


def to_input(images: NDArray[np.uint8]) -> Tensor:
    """Pictures uint8 `[N, h, w, 3]` as the network's input `[N, 3, h, w]`, as `PREPROCESS` makes it."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255).sub_(0.5).div_(0.25)


def accuracy(net: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """The share of pictures whose highest score is the right class's."""
    right = 0
    with torch.inference_mode():
        for start in range(0, len(images), 128):
            scores = net(to_input(images[start : start + 128]))
            right += int((scores.argmax(1).numpy() == labels[start : start + 128]).sum())
    return right / len(images)


def save(net: SceneNet, folder: Path, name: str, facts: dict[str, Any]) -> None:
    """Writes NAME.safetensors and its card NAME.json.

    Args:
        net: the network, its weights representable in half precision (see `halve`).
        folder: where to; made if it is not there.
        name: of the network.
        facts: what the card says besides the file's hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    state = {
        key: value.half() if value.is_floating_point() else value for key, value in net.state_dict().items()
    }
    save_file(state, path)
    facts = {**facts, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def halve(net: nn.Module) -> None:
    """Rounds the weights to half precision in place, so that the file can hold them exactly in half the space."""
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())


def main(arguments: list[str] | None = None) -> None:
    """Trains the named networks and writes weights and cards."""
    parser = argparse.ArgumentParser(prog="python -m neuro_explain.diorama.train", description=__doc__)
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
        net, share = train(plan, seed=options.seed, workers=options.workers)
        facts = {
            **asdict(plan),
            "first_weights": options.seed,
            "accuracy": round(share, 4),
            "minutes": round((time.monotonic() - start) / 60, 1),
            "date": date.today().isoformat(),
            "torch": torch.__version__,
            "command": f"python -m neuro_explain.diorama.train {name} --out DIR --seed {options.seed}",
        }
        save(net, options.out, name, facts)
        sys.stdout.write(f"{options.out / name}.safetensors: {share:.2%} of held-out scenes right\n")


if __name__ == "__main__":
    main()
