"""How the shipped networks that speak came to be: the script that trains them.

    python -m neuro_explain.diorama.train_speakers --out runs/trained

writes weights and cards of `diorama-captioner`, `diorama-vqa` and `diorama-vqa-coattention` into the folder, and the
weights of their image tower, `tower.safetensors`, which `--tower` reads so that it need not be taught again.

First their common image tower: each of its units is *taught* where in the picture one thing, material, texture or
colour is, and one unit where the middles of things are (a concept bottleneck, Koh et al. 2020, in every cell),

    loss = Σ_k w_k mean_z BCE(y_kz, concept k covers ≥ 1/4 of the cell z) + 0.03 Σ_k BCE(max_z y_kz, k is in some cell)

on scenes and their mirror images; things and their middles count twice (w_k). Then the tower is kept, and what follows
it learns to speak (see `learning`). Dissection is told nothing of what the units were taught.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from neuro_explain.checkpoint import fit, read_state_dict
from neuro_explain.diorama.learning import (
    Asked,
    accuracies,
    batches,
    fit_answers,
    fit_captions,
    optimizer,
    step,
    told_tokens,
    words_of,
)
from neuro_explain.diorama.speakers import (
    UNITS,
    attending_net,
    begin,
    captioning_net,
    product_net,
    residual_trunk,
    trunk_logits,
)
from neuro_explain.diorama.told import SEEN, Told, tell_scenes, unpacked
from neuro_explain.diorama.train import halve, halved, save, to_input
from neuro_explain.language.coattention import CoAttentionVqa
from neuro_explain.language.lstm_cnn import LstmCnnVqa
from neuro_explain.language.show_and_tell import ShowAndTell

NAMES = ("diorama-captioner", "diorama-vqa", "diorama-vqa-coattention")


@dataclass(frozen=True)
class Behind:
    """How what follows the tower is trained.

    Attributes:
        epochs: over all captions or questions.
        rate: the highest one.
        batch: how many scenes.
        relations: epochs before that over questions of relation alone. Which of two is left depends on both and on
            their order at once, so that no part of the answer can be learned before the whole; among other questions
            it is not learned at all.
        most: questions of each scene in a batch; None for all of them.
    """

    epochs: int
    rate: float
    batch: int = 32
    relations: int = 0
    most: int | None = None


@dataclass(frozen=True)
class Plan:
    """How the networks are trained.

    Attributes:
        scenes: how many scenes they learn from.
        draws: how many draws of questions about each of them.
        seed: world of these scenes.
        held_out: world of the scenes that they are measured on.
        held_out_scenes: how many of them.
        tower_epochs, tower_rate, tower_batch: of the image tower.
        behind: how what follows it is trained, per network.
    """

    scenes: int = 24_000
    draws: int = 5
    seed: int = 1003
    held_out: int = 2003
    held_out_scenes: int = 2_000
    tower_epochs: int = 10
    tower_rate: float = 4e-3
    tower_batch: int = 32
    behind: Mapping[str, Behind] = field(
        default_factory=lambda: {
            "diorama-captioner": Behind(epochs=4, rate=4e-3),
            "diorama-vqa": Behind(epochs=4, rate=1e-2, relations=2),
            "diorama-vqa-coattention": Behind(epochs=5, rate=4e-3, relations=2, most=8),
        }
    )


def teach_tower(told: Told, plan: Plan, *, seed: int = 0, progress: bool = True) -> nn.Sequential:
    """The image tower, each of its units taught one concept; in eval mode, its weights in half precision.

    Args:
        told: what it learns from.
        plan: see `Plan`.
        seed: of the first weights and the order of the scenes.
        progress: whether to draw a bar.
    """
    torch.manual_seed(seed)
    tower = residual_trunk()
    nn.init.constant_(tower.get_parameter("last_norm.bias"), -4.0)  # at first all concepts are rare
    tower = tower.to(memory_format=torch.channels_last)
    adam, schedule, steps = optimizer(
        tower, plan.tower_rate, plan.tower_epochs, len(told.images) // plan.tower_batch, decay=0.02
    )
    tower.train()
    bar = tqdm(total=plan.tower_epochs * steps, desc="teaching the tower", disable=not progress)
    for number, some in enumerate(batches(len(told.images), plan.tower_batch, plan.tower_epochs, seed)):
        images = to_input(told.images[some])
        wanted = torch.from_numpy(unpacked(told.cells[some])).float()
        if number % 2:
            images, wanted = images.flip(3), wanted.flip(3)
        with torch.autocast("cpu", torch.bfloat16):
            logits = trunk_logits(tower, images.contiguous(memory_format=torch.channels_last))
        loss = taught(logits.float(), wanted)
        step(adam, schedule, tower, loss)
        bar.update()
        bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)
    bar.close()
    tower = tower.to(memory_format=torch.contiguous_format).eval()
    halve(tower)  # what follows learns from what the file will hold
    return tower


_WEIGHTS = torch.tensor([2.0 if concept.category == "object" else 1.0 for concept in SEEN] + [2.0])


def taught(logits: Tensor, wanted: Tensor) -> Tensor:
    """The tower's loss, see above: of logits `[N, units, 16, 16]` and 0 or 1 for each of them."""
    cells = nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean((0, 2, 3))
    somewhere = nn.functional.binary_cross_entropy_with_logits(logits.amax((2, 3)), wanted.amax((2, 3)))
    return cells @ _WEIGHTS + 0.03 * UNITS * somewhere


def look(tower: nn.Sequential, images: NDArray[np.uint8], *, progress: bool = True) -> Tensor:
    """What the tower makes of images: its maps, float16 `[N, units, 16, 16]`."""
    maps = torch.empty(len(images), UNITS, 16, 16, dtype=torch.float16)
    with torch.inference_mode():
        for start in tqdm(range(0, len(images), 128), desc="looking", disable=not progress):
            maps[start : start + 128] = tower(to_input(images[start : start + 128])).half()
    return maps


def train(
    plan: Plan,
    folder: Path,
    *,
    names: Sequence[str] = NAMES,
    tower: Path | None = None,
    seed: int = 0,
    workers: int = 2,
    progress: bool = True,
) -> None:
    """Trains the networks and writes their weights and cards.

    Args:
        plan: see `Plan`.
        folder: where to; made if it is not there.
        names: which of the networks.
        tower: weights of an image tower that an earlier run has taught; None teaches one and writes them.
        seed: of the first weights and the order of the scenes.
        workers: processes that draw.
        progress: whether to draw bars.
    """
    told = tell_scenes(plan.seed, range(plan.scenes), draws=plan.draws, workers=workers)
    test = tell_scenes(plan.held_out, range(plan.held_out_scenes), workers=workers)
    if tower is None:
        seeing = teach_tower(told, plan, seed=seed, progress=progress)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(halved(seeing), folder / "tower.safetensors")
    else:
        seeing = residual_trunk().eval()
        fit(seeing, read_state_dict(tower), source=str(tower))
    maps, test_maps = (look(seeing, images, progress=progress) for images in (told.images, test.images))
    asking = words_of([one.text for asked in told.questions for one in asked])
    answers = tuple(sorted({one.answer for asked in told.questions for one in asked}))
    asked, test_asked = (Asked.of(one.questions, asking, answers) for one in (told, test))
    telling = words_of([one.text for said in told.captions for one in said])
    guessed = None
    if set(names) != {"diorama-captioner"}:
        guessed = guesses(asked, test_asked, asking, answers, seed=seed, progress=progress)

    for name in names:
        begun = time.monotonic()
        torch.manual_seed(seed)
        how = plan.behind[name]
        options: dict[str, Any] = {"rate": how.rate, "batch": how.batch, "seed": seed, "progress": progress}
        net: ShowAndTell | LstmCnnVqa | CoAttentionVqa
        facts: dict[str, Any]
        if name == "diorama-captioner":
            net = captioning_net(len(telling))
            begin(net, telling)
            fit_captions(net, maps, told_tokens(told.captions, telling), epochs=how.epochs, **options)
            facts = {"words": telling}
        else:
            net = (product_net if name == "diorama-vqa" else attending_net)(len(asking), len(answers))
            begin(net, asking)
            options["most"] = how.most
            if how.relations:
                fit_answers(net, maps, asked.only("relation"), epochs=how.relations, **options)
            fit_answers(net, maps, asked, epochs=how.epochs, **options)
            facts = {
                "words": asking,
                "answers": answers,
                "accuracy": accuracies(net, test_maps, test_asked),
                "question_only": guessed,
            }
        _see_through(net, seeing)
        facts = {
            "about": ABOUT[name],
            **facts,
            **{key: value for key, value in asdict(plan).items() if key != "behind"},
            **asdict(how),
            "first_weights": seed,
            "taught": [str(concept) for concept in SEEN] + ["the middle of a thing"],
            "minutes_behind": round((time.monotonic() - begun) / 60, 1),
            "date": date.today().isoformat(),
            "torch": torch.__version__,
            "command": f"python -m neuro_explain.diorama.train_speakers --out DIR --seed {seed}",
        }
        save(net, folder, name, facts)
        sys.stdout.write(f"{folder / name}.safetensors\n")


def guesses(
    asked: Asked, test: Asked, words: Sequence[str], answers: Sequence[str], *, seed: int, progress: bool
) -> dict[str, float]:
    """The share of questions that a network answers right which sees nothing: what the question gives away."""
    torch.manual_seed(seed)
    blind = product_net(len(words), len(answers))
    begin(blind, words)
    nothing = torch.zeros(len(asked.answers), UNITS, 1, 1)
    fit_answers(blind, nothing, asked, epochs=1, rate=3e-3, batch=32, seed=seed, progress=progress)
    return accuracies(blind, nothing[: len(test.answers)], test)


def _see_through(net: ShowAndTell | LstmCnnVqa | CoAttentionVqa, tower: nn.Sequential) -> None:
    """Gives a network a copy of the tower's weights."""
    net.cnn.get_submodule("features").load_state_dict(tower.state_dict())
    net.eval()


ABOUT = {
    "diorama-captioner": "describes scenes of the diorama: CNN and LSTM, after Show and Tell, 190 units of 16×16",
    "diorama-vqa": "answers questions about scenes of the diorama: LSTM times CNN, after Lu et al., 190 units of 16×16",
    "diorama-vqa-coattention": "answers questions about scenes of the diorama by co-attention, 190 units of 16×16",
}


def main(arguments: list[str] | None = None) -> None:
    """Trains the networks and writes weights and cards."""
    parser = argparse.ArgumentParser(
        prog="python -m neuro_explain.diorama.train_speakers",
        description="Train the diorama's networks that speak anew.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and cards")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first weights and the order of the scenes"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    parser.add_argument("--tower", type=Path, help="weights of the image tower from an earlier run")
    parser.add_argument("--only", choices=NAMES, action="append", help="train this network, not all three")
    options = parser.parse_args(arguments)
    train(
        Plan(),
        options.out,
        names=options.only or NAMES,
        tower=options.tower,
        seed=options.seed,
        workers=options.workers,
    )


if __name__ == "__main__":
    main()
