"""Do two namers say the same of a layer's units? What is the same, renamed, gained and lost, unit by unit.

    change = compare_names(load_names("runs/lite"), load_names("runs/words"))
    change.counts["renamed"], change.agreement
    print("\\n".join(change.lines()))

The two may differ in anything: preset, layer (of as many units), checkpoint, concept set, labels or words. What they
differ in is said first, because a name that changed says nothing without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from dissection.concepts import Concept
from dissection.names import Names, UnitName
from neuro_explain.word_inputs import CATEGORY, spoken

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["same", "renamed", "gained", "lost", "unnamed"]

_SETTINGS = (
    *(
        "model_name",
        "layer",
        "fingerprint",
        "preset",
        "concept_sets",
        "data_fingerprint",
        "images",
        "quantile",
    ),
    *("label_size", "map_size", "min_iou", "max_q", "clip", "clip_fingerprint", "template", "top"),
)
_CORE = ("layer", "fingerprint", "concept_sets", "quantile", "min_iou")
_IDLE = ("batch_size", "exemplars", "workers")  # options that change no name
_CALLED = {
    "model_name": "model",
    "fingerprint": "weights",
    "concept_sets": "concept sets",
    "data_fingerprint": "data",
    "label_size": "label size",
    "map_size": "map size",
    "min_iou": "IoU needed",
    "max_q": "q allowed",
    "clip_fingerprint": "weights of the clip",
}
_HASH = 12  # characters of a fingerprint that are shown


@dataclass(frozen=True)
class Difference:
    """A setting in which two runs differ: what it is called, and what each says, for people."""

    setting: str
    before: str
    after: str


@dataclass(frozen=True)
class UnitChange:
    """One unit under two namers."""

    unit: int
    kind: Kind
    before: UnitName
    after: UnitName

    def __str__(self) -> str:
        if self.kind == "same":
            return (
                f"unit {self.unit}: {self.before.concept} stays, {_sure(self.before)} → {_sure(self.after)}"
            )
        return f"unit {self.unit}: {_told(self.before)} → {_told(self.after)}"

    def row(self) -> dict[str, object]:
        """The cells of a table."""
        row: dict[str, object] = {"unit": self.unit, "kind": self.kind}
        for side, name in (("before", self.before), ("after", self.after)):
            row[f"{side}_concept"] = None if name.concept is None else name.concept.name
            row[f"{side}_category"] = None if name.concept is None else name.concept.category
            row |= {f"{side}_iou": name.iou, f"{side}_q": name.q, f"{side}_score": name.score}
        return row


@dataclass(frozen=True)
class NameChanges:
    """What changed from one namer to another.

    Attributes:
        before, after: where the names come from, for people.
        units: one `UnitChange` for each unit, in order.
        differences: in what the two runs differ.
        by_category: whether names of other categories count as other names.
        expected: share of the units named by both that would agree if each namer's names were dealt out anew among
            them; None if there are none.
    """

    before: str
    after: str
    units: tuple[UnitChange, ...]
    differences: tuple[Difference, ...]
    by_category: bool
    expected: float | None

    @property
    def counts(self) -> dict[Kind, int]:
        """Units of each kind."""
        seen = Counter(one.kind for one in self.units)
        return {kind: seen[kind] for kind in get_args(Kind)}

    @property
    def agreement(self) -> float | None:
        """Share of the units named by both that have the same name; None if there are none."""
        both = self.counts["same"] + self.counts["renamed"]
        return self.counts["same"] / both if both else None

    def lines(self, units: Sequence[UnitChange] | None = None) -> Iterator[str]:
        """What to print; of the units those given, or those whose name changed."""
        if self.differences:
            yield f"from {self.before} to {self.after}, which differ in:"
            yield from (f"  {one.setting}: {one.before} → {one.after}" for one in self.differences)
        else:
            yield f"from {self.before} to {self.after}, which differ in nothing that they tell"
        counts = self.counts
        yield (
            f"{len(self.units)} units: {counts['same']} same, {counts['renamed']} renamed, {counts['gained']} gained, "
            f"{counts['lost']} lost, {counts['unnamed']} unnamed in both"
        )
        if self.agreement is not None and self.expected is not None:
            yield (
                f"of {counts['same'] + counts['renamed']} units named by both, {_percent(self.agreement)} agree; "
                f"{_percent(self.expected)} would by chance"
                + ("" if self.by_category else " (whatever the category)")
            )
        changed = [one for one in self.units if one.kind not in ("same", "unnamed")]
        yield from (str(one) for one in (changed if units is None else units))

    def to_frame(self) -> pd.DataFrame:
        """A row per unit, indexed by unit: kind, and each side's concept, category, IoU, q and score."""
        import pandas as pd

        rows = [one.row() for one in self.units]
        frame: pd.DataFrame = pd.DataFrame(rows).set_index("unit")
        numbers = [name for name in frame.columns if name.endswith(("_iou", "_q", "_score"))]
        words = [name for name in frame.columns if name not in numbers]
        frame = frame.astype({**dict.fromkeys(numbers, "float64"), **dict.fromkeys(words, "string")})
        return frame

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "differences": [vars(one) for one in self.differences],
            "by_category": self.by_category,
            "counts": dict(self.counts),
            "agreement": self.agreement,
            "expected": self.expected,
            "units": [one.row() for one in self.units],
        }


def compare_names(before: Names, after: Names, *, by_category: bool | None = None) -> NameChanges:
    """Compares two namers unit by unit.

    Args:
        before, after: names of as many units.
        by_category: whether "bed (object)" and "bed (scene)" are two names. If not given, they are, unless there are
            plain words among the names, which have no category.

    Raises:
        ValueError: another number of units.
    """
    for given in (before, after):
        if not isinstance(given, Names):
            raise ValueError(f"expected names, got {given!r}; load_names(path) reads them from a folder")
    if len(before) != len(after):
        raise ValueError(
            f"{before.source} names {len(before)} units and {after.source} {len(after)}: only namers of as many units "
            "can be compared, unit by unit; choose two of one layer, or of layers of one width"
        )
    if by_category is None:
        by_category = not (_plain(before) or _plain(after))
    keys = [[_key(name.concept, by_category) for name in names] for names in (before, after)]
    units = tuple(
        UnitChange(number, _kind(one, other), before[number], after[number])
        for number, (one, other) in enumerate(zip(*keys, strict=True))
    )
    both = [(one, other) for one, other in zip(*keys, strict=True) if one is not None and other is not None]
    expected = None
    if both:
        first, second = Counter(one for one, _ in both), Counter(other for _, other in both)
        expected = sum(count * second[key] for key, count in first.items()) / len(both) ** 2
    one, other = before.source, after.source
    if one == other:
        one, other = f"{one} (first)", f"{other} (second)"
    return NameChanges(one, other, units, _differences(before, after), by_category, expected)


def choose_changes(
    changes: NameChanges, units: Sequence[int], concept: str | None = None, category: str | None = None
) -> list[UnitChange]:
    """The changes that were asked for: of some units, of those that either side names so, or all.

    Raises:
        IndexError: a unit that does not exist.
        ValueError: a name or category that neither side gives to any unit.
    """
    wrong = [unit for unit in units if not 0 <= unit < len(changes.units)]
    if wrong:
        raise IndexError(f"unit {wrong[0]}: expected units 0 to {len(changes.units) - 1}")
    chosen = [changes.units[unit] for unit in units] if units else list(changes.units)

    def asked(found: Concept | None) -> bool:
        return (
            found is not None
            and (concept is None or spoken(found.name).casefold() == spoken(concept).casefold())
            and (category is None or found.category.casefold() == category.casefold())
        )

    if concept is not None or category is not None:
        chosen = [one for one in chosen if asked(one.before.concept) or asked(one.after.concept)]
        if not chosen:
            wanted = " in category ".join(repr(word) for word in (concept, category) if word is not None)
            raise ValueError(
                f"neither {changes.before} nor {changes.after} names one of these units {wanted}"
            )
    return chosen


def _plain(names: Names) -> bool:
    """Whether there are names without a category."""
    found = {name.concept.category.casefold() for name in names if name.concept is not None}
    return not found.isdisjoint({CATEGORY, ""})


def _key(concept: Concept | None, by_category: bool) -> tuple[str, str] | None:
    if concept is None:
        return None
    return spoken(concept.name).casefold(), concept.category.casefold() if by_category else ""


def _kind(before: object, after: object) -> Kind:
    if before is None:
        return "unnamed" if after is None else "gained"
    if after is None:
        return "lost"
    return "same" if before == after else "renamed"


def _settings(names: Names) -> dict[str, object]:
    found: dict[str, object] = {"named by": "words" if hasattr(names, "clip") else "labels"}
    found |= {key: getattr(names, key, None) for key in _SETTINGS}
    chance = getattr(names, "chance", None)
    found |= {key: getattr(chance, key, None) for key in ("permutations", "draws", "turns", "seed")}
    options = getattr(names, "options", None)
    if isinstance(options, dict):
        found |= {key: value for key, value in options.items() if found.get(key) is None}
    return found


def _differences(before: Names, after: Names) -> tuple[Difference, ...]:
    one, other = _settings(before), _settings(after)
    # What one side cannot have, or does not tell, is no difference unless it is among what all names may tell.
    core = _CORE if one["named by"] == other["named by"] else _CORE[:2]
    return tuple(
        Difference(_CALLED.get(key, key), _shown(one.get(key)), _shown(other.get(key)))
        for key in dict.fromkeys((*one, *other))
        if key not in _IDLE
        and one.get(key) != other.get(key)
        and (key in core or None not in (one.get(key), other.get(key)))
    )


def _shown(value: object) -> str:
    if value is None:
        return "not told"
    if isinstance(value, str):
        return value[: len("sha256:") + _HASH] + "…" if value.startswith("sha256:") else value
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _told(name: UnitName) -> str:
    if name.concept is not None:
        return f"{name.concept}, {_sure(name)}"
    if name.best is None:
        return f"unnamed ({name.note})" if name.note else "unnamed"
    return f"unnamed (closest: {name.best}, {_sure(name)})"


def _sure(name: UnitName) -> str:
    return name.strength if name.q is None else f"{name.strength}, q {name.q:.2g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
