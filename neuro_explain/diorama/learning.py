"""How does what follows the image tower learn to speak? By cross entropy: of the answer, or of the next word.

    fit_answers(net, maps, asked, epochs=10, rate=2e-3, batch=64)
    accuracies(net, test_maps, test_asked)["overall"]

The tower is kept as it is, so its maps are made once; a batch is so many scenes with everything that is said of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from neuro_explain.diorama.captions import Caption
from neuro_explain.diorama.questions import Question
from neuro_explain.diorama.train import halve
from neuro_explain.language.coattention import CoAttentionVqa
from neuro_explain.language.lstm_cnn import PAD, LstmCnnVqa
from neuro_explain.language.show_and_tell import ShowAndTell
from neuro_explain.language.vocabulary import Vocabulary


def fit_answers(
    net: LstmCnnVqa | CoAttentionVqa,
    maps: Tensor,
    asked: Asked,
    *,
    epochs: int,
    rate: float,
    batch: int,
    most: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Trains what follows the tower of a network that answers questions, in place; in eval mode afterwards.

    Args:
        net: the network.
        maps: what its tower makes of the scenes, `[N, units, 16, 16]`.
        asked: the questions about them.
        epochs, rate, batch: of training; a batch is so many scenes with their questions.
        most: how many questions of each scene in a batch, drawn anew each time; all if None.
        seed: of the order of the scenes, and of the questions drawn.
        progress: whether to draw a bar.
    """
    rest = _behind(net)
    adam, schedule, steps = optimizer(rest, rate, epochs, len(maps) // batch, decay=1e-4)
    rest.train()
    rng = np.random.default_rng([seed, 1])
    bar = tqdm(total=epochs * steps, desc="learning to answer", disable=not progress)
    for some in batches(len(maps), batch, epochs, seed):
        of, tokens, answers = asked.about(some)
        if most is not None:
            drawn = _some_of_each(of.numpy(), most, rng)
            of, tokens, answers = of[drawn], tokens[drawn], answers[drawn]
        scores = answer(net, maps[torch.from_numpy(some)].float(), tokens, of)
        loss = nn.functional.cross_entropy(scores, answers)
        step(adam, schedule, rest, loss)
        bar.update()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    bar.close()
    rest.eval()
    halve(net)


def _some_of_each(of: NDArray[np.int64], most: int, rng: np.random.Generator) -> Tensor:
    """Places of up to `most` questions of each scene, at random; `of` says which scene each is about, in order."""
    lot = rng.random(len(of))
    order = np.lexsort((lot, of))
    first = np.searchsorted(of, of)  # of each question, the first one of its scene
    return torch.from_numpy(np.sort(order[np.arange(len(of)) - first < most]))


def answer(net: LstmCnnVqa | CoAttentionVqa, maps: Tensor, tokens: Tensor, of: Tensor) -> Tensor:
    """Scores of the answers to questions about images of which the tower's maps `[M, units, 16, 16]` are known."""
    cnn = net.cnn
    assert isinstance(cnn, nn.Sequential)
    behind = cnn[1:](maps)
    if isinstance(net, CoAttentionVqa):
        return net.answer(behind, tokens, of)
    return net.answer(net.encode_question(tokens), behind[of])


def fit_captions(
    net: ShowAndTell,
    maps: Tensor,
    captions: Sequence[Tensor],
    *,
    epochs: int,
    rate: float,
    batch: int,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Trains what follows the captioner's tower, in place; in eval mode afterwards.

    Args:
        net: the network.
        maps: what its tower makes of the scenes, `[N, units, 16, 16]`.
        captions: of each scene its captions' tokens, int64 `[C, T]`: start, words, end, and −1 behind it.
        epochs, rate, batch, seed, progress: as for `fit_answers`.
    """
    rest = _behind(net)
    adam, schedule, steps = optimizer(rest, rate, epochs, len(maps) // batch, decay=1e-4)
    rest.train()
    cnn = net.cnn
    assert isinstance(cnn, nn.Sequential)
    bar = tqdm(total=epochs * steps, desc="learning to tell", disable=not progress)
    for some in batches(len(maps), batch, epochs, seed):
        of = torch.cat([torch.full((len(captions[i]),), row) for row, i in enumerate(some)])
        tokens = torch.cat([captions[i] for i in some])
        encoding = cnn[1:](maps[torch.from_numpy(some)].float())
        scores = net.lm(encoding[of], tokens[:, :-1].clamp(min=0))
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=-1)
        step(adam, schedule, rest, loss)
        bar.update()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    bar.close()
    rest.eval()
    halve(net)


def _behind(net: ShowAndTell | LstmCnnVqa | CoAttentionVqa) -> nn.ModuleList:
    """All of a network but its image tower."""
    cnn = net.cnn
    assert isinstance(cnn, nn.Sequential)
    parts = [child for name, child in net.named_children() if name != "cnn"]
    return nn.ModuleList([*list(cnn)[1:], *parts])


@dataclass(frozen=True)
class Asked:
    """The questions about N scenes, as numbers.

    Attributes:
        tokens: of each scene `[Q, T]`, with `PAD` on the left.
        answers: of each scene `[Q]`, −1 for an answer that the network does not have.
        kinds: of each scene the kind of each question.
    """

    tokens: Sequence[Tensor]
    answers: Sequence[Tensor]
    kinds: Sequence[Sequence[str]]

    @classmethod
    def of(
        cls, questions: Sequence[Sequence[Question]], words: Sequence[str], answers: Sequence[str]
    ) -> Asked:
        """The questions of each scene in these words and answers; words that are not there are left out."""
        vocabulary, number = Vocabulary(words), {answer: index for index, answer in enumerate(answers)}
        return cls(
            [_padded([vocabulary.read(one.text).tokens for one in asked]) for asked in questions],
            [torch.tensor([number.get(one.answer, -1) for one in asked]) for asked in questions],
            [[one.kind for one in asked] for asked in questions],
        )

    def only(self, kind: str) -> Asked:
        """The questions of one kind."""
        rows = [[row for row, one in enumerate(kinds) if one == kind] for kinds in self.kinds]
        return Asked(
            [tokens[row] for tokens, row in zip(self.tokens, rows, strict=True)],
            [answers[row] for answers, row in zip(self.answers, rows, strict=True)],
            [[kind] * len(row) for row in rows],
        )

    def about(self, scenes: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """(which of the scenes, tokens, answer) of each question about these scenes."""
        of = torch.cat([torch.full((len(self.answers[i]),), row) for row, i in enumerate(scenes)])
        return of, torch.cat([self.tokens[i] for i in scenes]), torch.cat([self.answers[i] for i in scenes])


_LONGEST = 12  # words of a question, at most 10 so far


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    table = torch.full((len(rows), _LONGEST), PAD)
    for row, tokens in enumerate(rows):
        table[row, _LONGEST - len(tokens) :] = torch.tensor(tokens)
    return table


def accuracies(net: LstmCnnVqa | CoAttentionVqa, maps: Tensor, asked: Asked) -> dict[str, float]:
    """The share of questions that are answered right, 0 to 1: of each kind, and of all, "overall"."""
    right: dict[str, list[bool]] = {}
    with torch.inference_mode():
        for start in range(0, len(maps), 64):
            scenes = np.arange(start, min(start + 64, len(maps)))
            of, tokens, answers = asked.about(scenes)
            good = answer(net, maps[start : start + 64].float(), tokens, of).argmax(1) == answers
            kinds = [kind for scene in scenes for kind in asked.kinds[int(scene)]]
            for kind, one in zip(kinds, good.tolist(), strict=True):
                right.setdefault(kind, []).append(one)
    shares = {kind: sum(ones) / len(ones) for kind, ones in sorted(right.items())}
    every = [one for ones in right.values() for one in ones]
    return {"overall": sum(every) / len(every), **shares}


def words_of(texts: Sequence[str]) -> tuple[str, ...]:
    """The different words of some texts, in alphabetical order."""
    return tuple(sorted({word for text in texts for word in text.rstrip("?").split()}))


def told_tokens(captions: Sequence[Sequence[Caption]], words: Sequence[str]) -> list[Tensor]:
    """Each scene's captions as tokens, see `fit_captions`."""
    vocabulary, mark = Vocabulary(words), len(words)
    longest = 2 + max(len(one.text.split()) for said in captions for one in said)
    tables = []
    for said in captions:
        table = torch.full((len(said), longest), -1)
        for row, one in enumerate(said):
            tokens = [mark, *vocabulary.read(one.text).tokens, mark]
            table[row, : len(tokens)] = torch.tensor(tokens)
        tables.append(table)
    return tables


def optimizer(
    net: nn.Module, rate: float, epochs: int, steps: int, *, decay: float
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler, int]:
    """AdamW on one cycle of the rate; matrices decay, vectors do not."""
    groups = [
        {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in net.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, epochs=epochs, steps_per_epoch=steps, pct_start=0.15
    )
    return optimizer, schedule, steps


def batches(count: int, batch: int, epochs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Numbers of scenes, in an order of their own in each epoch; what is left over waits for the next."""
    order = np.random.default_rng(seed)
    for _ in range(epochs):
        shuffled = order.permutation(count)
        for start in range(0, count // batch * batch, batch):
            yield np.sort(shuffled[start : start + batch])


def step(
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    net: nn.Module,
    loss: Tensor,
) -> None:
    """One step down the gradient of the loss, clipped at a norm of 5."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimizer.step()
    schedule.step()
