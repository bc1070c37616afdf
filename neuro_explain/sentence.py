"""The explanation in words. Only named units are spoken of.

    tiger cat (42.1 %): for it speak cat (3 units) and dog; against it sky and road.

The sentence takes the named ones among the strongest units in each direction; if fewer than three of them are
named, it goes on down the ranking and says so ("wall, the 9th").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuro_explain.targets import Target

if TYPE_CHECKING:
    from neuro_explain.ablation import AblationCheck
    from neuro_explain.evidence import Ranking

WANTED = 3  # names that a reader needs to get a picture

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number_word(count: int) -> str:
    """A count in words up to twelve."""
    return _WORDS[count] if count < len(_WORDS) else str(count)


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st …"""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def listing(words: Sequence[str]) -> str:
    """a; a and b; a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def percent(probability: float) -> str:
    """A probability for reading: 42.1 %, but 0.004 % and 99.997 % where one decimal would round it away."""
    value = 100 * probability
    for decimals in (1, 2, 3, 4):
        text = f"{value:.{decimals}f}"
        if float(text) not in (0.0, 100.0):
            return f"{text} %"
    return "over 99.9999 %" if value > 50 else "under 0.0001 %"


@dataclass
class _Mention:
    name: str
    units: int
    rank: int  # of the first unit, if it stands below the shown ones; else 0


def _mentions(order: NDArray[np.int64], ranking: Ranking, top: int, sign: int) -> list[_Mention]:
    """Names in the order of the ranking, equal names together; only units that pull in the direction `sign`."""
    found: dict[str, _Mention] = {}
    for rank, unit in enumerate(order.tolist(), 1):
        if sign * ranking.value[unit] <= 0 or (rank > top and len(found) >= WANTED):
            break
        concept = ranking.names[unit].concept
        if concept is None:
            continue
        if concept.name in found:
            if rank <= top:
                found[concept.name].units += 1
        else:
            found[concept.name] = _Mention(concept.name, 1, rank if rank > top else 0)
    return list(found.values())


def _spoken(mentions: list[_Mention]) -> str:
    words = []
    for one in mentions:
        note = f" ({one.units} units)" if one.units > 1 else f" (the {ordinal(one.rank)})" if one.rank else ""
        words.append(one.name + note)
    return listing(words)


def target_sentence(target: Target, probability: float | None, ranking: Ranking, top: int) -> str:
    """The evidence for one target, one sentence."""
    subject = target.label if probability is None else f"{target.label} ({percent(probability)})"
    for_it = _mentions(ranking.order, ranking, top, +1)
    against = _mentions(ranking.reverse, ranking, top, -1)
    if not for_it and not against:
        return f"{subject}: no named unit speaks for or against it."
    parts = [f"for it speak {_spoken(for_it)}" if for_it else "no named unit speaks for it"]
    parts.append(f"against it {_spoken(against)}" if against else "no named unit speaks against it")
    if len(for_it) == 1 and for_it[0].units == 1:
        parts[0] = parts[0].replace("for it speak ", "for it speaks ", 1)
    return f"{subject}: {'; '.join(parts)}."


def check_sentence(check: AblationCheck, label: str) -> str:
    """The ablation check in words: what the named decision loses without its strongest units."""
    count = number_word(len(check.units))
    units = "this unit" if len(check.units) == 1 else f"these {count} units"
    if check.probability is not None and check.probability_without is not None:
        what, before, after = f"p({label})", check.probability, check.probability_without
        spread, form = check.random_probability, "{:.3f}"
    else:
        what, before, after = f"the score of {label}", check.score, check.score_without
        spread, form = check.random_score, "{:.2f}"
    before_text, after_text = form.format(before), form.format(after)
    verb = "stays at" if before_text == after_text else "falls from" if after < before else "rises from"
    text = f"Without {units} {what} {verb} {before_text}"
    if before_text != after_text:
        text += f" to {after_text}"
    if spread is None:
        text += "; there is nothing to compare with, as no unit fires on this image"
    else:
        drawn = "one random unit" if check.drawn_units == 1 else f"{number_word(check.drawn_units)} random units"
        low, mean, high = (form.format(v) for v in (spread.p5, spread.mean, spread.p95))
        text += f"; without {drawn} that fire here it is {mean} on average (5–95 %: {low} to {high})"
        if spread.p5 <= after <= spread.p95:
            text += ", so these units matter no more here than random ones"
    if check.silent:
        n = len(check.silent)
        whom = "It is" if len(check.units) == 1 else "All of them are" if n == len(check.units) else (
            f"{number_word(n).capitalize()} of them {'is' if n == 1 else 'are'}"
        )
        text += f". {whom} silent on this image, so zeroing changes nothing there"
    return text + "."
