"""Which sentence follows? Beam search, of which greedy decoding is the case of one beam.

    beam_search(following, start=9, end=9, beams=3, longest=20)

At each step every beam is continued by every token, and of all continuations the likeliest are kept; one that takes the
end token leaves the search. A sentence's score is its log-probability, the end included. One that has reached the
greatest length is ended there, whatever the network would have said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Decoded:
    """A sentence that was found.

    Attributes:
        tokens: without start and end.
        log_probability: of the tokens and the end, natural logarithm.
        ended: False if the network never ends it, so that it was cut off; then the end is not in the score.
    """

    tokens: tuple[int, ...]
    log_probability: float
    ended: bool


def beam_search(
    following: Callable[[Tensor], Tensor], *, start: int, end: int, beams: int, longest: int
) -> list[Decoded]:
    """The best sentences, best first: at most `beams`, at least one.

    The start is never spoken, unless it is the end too; its share is not given to the other tokens.

    Args:
        following: from tokens `[B, t]`, the first of which is the start, to scores `[B, C]` of what comes next.
        start, end: their tokens.
        beams: how many sentences are followed at once; 1 is greedy decoding.
        longest: tokens after which a sentence is stopped.

    Raises:
        ValueError: no beam, no token, or scores that are not finite.
    """
    if beams < 1:
        raise ValueError(f"beams: expected at least 1, got {beams}")
    if longest < 1:
        raise ValueError(f"longest: expected at least 1 token, got {longest}")
    rows = torch.tensor([[start]])
    totals = torch.zeros(1, dtype=torch.float64)
    done: list[Decoded] = []
    for _ in range(longest + 1):
        scores = following(rows).double().cpu()
        if bool(scores.isnan().any()):
            raise ValueError("the network's scores of the next word are NaN; check its weights and its input")
        ways = totals[:, None] + scores.log_softmax(dim=1)
        if start != end and start < ways.shape[1]:
            ways[:, start] = -torch.inf
        if rows.shape[1] > longest:  # nothing but the end may follow
            done += [
                Decoded(tuple(row[1:]), total, True)
                for row, total in zip(rows.tolist(), ways[:, end].tolist(), strict=True)
                if total > -torch.inf
            ] or [
                Decoded(tuple(row[1:]), total, False)
                for row, total in zip(rows.tolist(), totals.tolist(), strict=True)
            ]
            break
        best = ways.flatten().topk(min(beams, ways.numel()))
        going: list[tuple[float, list[int]]] = []
        for total, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            row, token = divmod(place, ways.shape[1])
            if total == -torch.inf:
                continue
            if token == end:
                done.append(Decoded(tuple(rows[row, 1:].tolist()), total, True))
            else:
                going.append((total, [*rows[row].tolist(), token]))
        # no continuation can become likelier than it is
        if not going or (len(done) >= beams and _worst(done, beams) >= going[0][0]):
            break
        totals = torch.tensor([total for total, _ in going], dtype=torch.float64)
        rows = torch.tensor([row for _, row in going])
    finished = [one for one in done if one.ended] or done
    return sorted(finished, key=lambda one: -one.log_probability)[:beams]


def _worst(done: list[Decoded], beams: int) -> float:
    return sorted((one.log_probability for one in done), reverse=True)[beams - 1]
