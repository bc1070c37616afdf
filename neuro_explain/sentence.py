"""The explanation in words. Only named units are spoken of.

    tiger cat (42.1 %): cat (3 units) and dog speak for it; sky and road speak against it.

The sentence takes the named ones among the strongest units in each direction; if fewer than three of them
are named, it goes on down the ranking and says so ("wall (the 9th strongest)"), but not far: where few units have a
name that chance would not give, the 60th strongest says nothing of the decision. Where fewer units than are shown
pull in a direction at all, it says how many ("only three units do").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from neuro_explain.targets import Target

if TYPE_CHECKING:
    from neuro_explain.ablation import AblationCheck
    from neuro_explain.evidence import Ranking

WANTED = 3  # names that a reader needs to get a picture
REACH = 4  # times the units shown: so far down the ranking

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number_word(count: int) -> str:
    """A count in words up to ten."""
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
    """Names in the order of the ranking, equal ones together; only units that pull in direction `sign`."""
    found: dict[str, _Mention] = {}
    named = 0
    for rank, unit in enumerate(order.tolist(), 1):
        enough = rank > top and max(named, len(found)) >= WANTED
        if sign * ranking.value[unit] <= 0 or enough or rank > REACH * top:
            break
        concept = ranking.names[unit].concept
        if concept is None:
            continue
        if rank <= top:
            named += 1
        if concept.name not in found:
            found[concept.name] = _Mention(concept.name, 1, rank if rank > top else 0)
        elif rank <= top:
            found[concept.name].units += 1
    return list(found.values())


def _unnamed(order: NDArray[np.int64], ranking: Ranking, top: int, sign: int) -> int:
    """How many of the strongest units in a direction have no name, where a weaker one has one; 0 if none has."""
    pulling = [unit for unit in order.tolist() if sign * ranking.value[unit] > 0]
    named_further_down = any(ranking.names[unit].concept is not None for unit in pulling[REACH * top :])
    return REACH * top if named_further_down else 0


@dataclass(frozen=True)
class _Side:
    """What speaks in one direction; `unnamed` as in `_unnamed`."""

    side: str
    mentions: list[_Mention]
    unnamed: int
    pulling: int  # units that pull that way
    few: bool  # fewer of them than are shown
    named_only: bool


def _side(ranking: Ranking, top: int, sign: Literal[1, -1]) -> _Side:
    order = ranking.order if sign > 0 else ranking.reverse
    mentions = _mentions(order, ranking, top, sign)
    return _Side(
        "for" if sign > 0 else "against",
        mentions,
        0 if mentions else _unnamed(order, ranking, top, sign),
        pulling := int((sign * ranking.value[order] > 0).sum()),
        pulling < top,
        len(order) < len(ranking.names),
    )


def _clause(said: _Side) -> str:
    side, mentions = said.side, said.mentions
    if not mentions and said.unnamed:
        return f"none of the {said.unnamed} units that speak most {side} it has a name"
    if not said.pulling:
        return f"no {'named ' if said.named_only else ''}unit speaks {side} it"
    only = ""
    if said.few:
        kind = "unnamed " if not mentions else "named " if said.named_only else ""
        do = "unit does" if said.pulling == 1 else "units do"
        only = f" (only {number_word(said.pulling)} {kind}{do})"
    if not mentions:
        return f"no named unit speaks {side} it{only}"
    words = []
    for one in mentions:
        note = f" (the {ordinal(one.rank)} strongest)" if one.rank else ""
        words.append(f"{one.name} ({one.units} units)" if one.units > 1 else one.name + note)
    verb = "speaks" if len(mentions) == 1 and mentions[0].units == 1 else "speak"
    return f"{listing(words)} {verb} {side} it{only}"


def target_sentence(target: Target, probability: float | None, ranking: Ranking, top: int) -> str:
    """The evidence for one target, one sentence."""
    subject = target.label if probability is None else f"{target.label} ({percent(probability)})"
    sides = for_it, against = _side(ranking, top, 1), _side(ranking, top, -1)
    clauses = [_clause(one) for one in sides]
    for nobody in ("no named unit", "no unit"):
        if clauses == [f"{nobody} speaks {one.side} it" for one in sides]:
            return f"{subject}: {nobody} speaks for or against it."
    if for_it.unnamed and against.unnamed:
        return f"{subject}: {clauses[0]}, and none of the {against.unnamed} that speak most against it."
    return f"{subject}: {clauses[0]}; {clauses[1]}."


def _written(values: Sequence[float], *, share: bool) -> list[str]:
    """Numbers with two decimals, or up to four where one would look like 0 (or a share like 1).

    A share below or above all that four decimals can show is called so, as the page's chart calls it.
    """
    texts: list[str] = []
    for decimals in (2, 3, 4):
        texts = [f"{value:.{decimals}f}" for value in values]
        if not any(_hides(value, text, share) for value, text in zip(values, texts, strict=True)):
            break
    for place, (value, text) in enumerate(zip(values, texts, strict=True)):
        if share and 0 < 100 * value < 0.01:
            texts[place] = "below 0.0001"
        elif share and 99.99 < 100 * value < 100:
            texts[place] = "above 0.9999"
        elif float(text) == 0:
            texts[place] = text.removeprefix("-")
    return [text.replace("-", "−") for text in texts]


def _hides(value: float, text: str, share: bool) -> bool:
    shown = float(text)
    return shown != value and (shown == 0 or (share and shown == 1))


def check_sentence(check: AblationCheck, target: Target) -> str:
    """The ablation check in words: what the decision loses without its strongest units."""
    count = number_word(len(check.units))
    units, taken = ("this unit", "the strongest unit")
    if len(check.units) > 1:
        units, taken = f"these {count} units", f"the {count} strongest units"
    if check.probability is not None and check.probability_without is not None:
        what, share = f"p({target.label})", True
        before, after, spread = check.probability, check.probability_without, check.random_probability
    else:
        score = "log-probability" if target.kind == "caption" else "score"
        quoted = target.label if target.label.startswith("“") else f"“{target.label}”"
        what, share = f"the {score} of {quoted}", False
        before, after, spread = check.score, check.score_without, check.random_score
    drawn = [] if spread is None else [spread.mean, spread.p5, spread.p95]
    was, now, *drawn_texts = _written([before, after, *drawn], share=share)
    change = f"{'falls' if after < before else 'rises'} from {was} to {now}"
    stays = f"stays at {was}".replace("at below", "below").replace("at above", "above")
    text = f"Without {taken} {what} {change if was != now else stays}"
    if spread is None:
        text += f"; {_no_comparison(check)}"
    else:
        mean, low, high = drawn_texts
        text += f"; without {_drawn_units(check)} it is {mean} on average"
        if low != high:
            text += f" ({low} to {high} in 90 % of the draws)"
        # The verdict goes by the score: a probability hardly moves where it is near 0 or 1. Where the numbers that
        # stand there would give another one, the scores stand beside them.
        no_more = _no_more_than_random(check)
        if share and no_more != (_read(low) <= _read(now) <= _read(high)):
            text += f"; {_scores_clause(check, target)}"
        if no_more:
            text += (
                ", so this unit matters no more here than a random one"
                if len(check.units) == 1
                else ", so these units matter no more here than random ones"
            )
    if check.silent:
        text += f". {_silent_units(check, units)} silent on this image, so zeroing "
        text += f"{'it' if len(check.silent) == 1 else 'them'} changes nothing"
    return f"{text}."


def _no_more_than_random(check: AblationCheck) -> bool:
    """Whether the score without the units is among those of nine in ten draws."""
    spread = check.random_score
    return spread is not None and spread.p5 <= check.score_without <= spread.p95


def _read(share: str) -> float:
    """The share that a reader takes from its text."""
    return {"below 0.0001": 0.0, "above 0.9999": 1.0}[share] if " " in share else float(share)


def _scores_clause(check: AblationCheck, target: Target) -> str:
    """The scores behind a verdict, with as many decimals, from two to four, as it takes to see it."""
    spread = check.random_score
    assert spread is not None  # there were draws
    values = (check.score, check.score_without, spread.mean, spread.p5, spread.p95)
    for decimals in (2, 3, 4):
        shown = [round(value, decimals) + 0.0 for value in values]  # no −0.0
        if (shown[3] <= shown[1] <= shown[4]) == _no_more_than_random(check):
            break
    was, now, mean, low, high = (f"{value:.{decimals}f}".replace("-", "−") for value in shown)
    what = "log-probability" if target.kind == "word" else "score"
    change = "falls" if check.score_without < check.score else "rises"
    moves = f"{change} from {was} to {now}" if was != now else f"stays at {now}"
    return f"its {what} {moves}, without random ones it is {mean} ({low} to {high})"


def _no_comparison(check: AblationCheck) -> str:
    if not check.firing:
        return "there is nothing to compare with, as no other unit fires on this image"
    fire = "unit fires" if check.firing == 1 else "units fire"
    return f"only {number_word(check.firing)} other {fire} on this image, too few for a fair comparison"


def _drawn_units(check: AblationCheck) -> str:
    if check.firing == 1:
        return "the only other unit that fires here"
    count = number_word(check.drawn_units)
    if check.drawn_units == check.firing:  # every draw is the same
        return f"the {count} other units that fire here"
    drawn = "unit that fires here" if check.drawn_units == 1 else "units that fire here"
    return f"{count} other random {drawn}"


def _silent_units(check: AblationCheck, units: str) -> str:
    silent = len(check.silent)
    if silent == len(check.units):
        return "This unit is" if silent == 1 else f"All of {units} are"
    return f"{number_word(silent).capitalize()} of {units} {'is' if silent == 1 else 'are'}"
