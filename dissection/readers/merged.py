"""One concept for what several sets call by several names, and broader concepts beside narrow ones, by a table.

    concepts = merged(open_concepts([...]), "own")              # by what the sets say themselves
    concepts = merged(open_concepts([...]), "table.csv")        # by your own

| name | category | into | kind | |
|---|---|---|---|---|
| couch | object | sofa | synonym | every couch becomes a sofa, there is no couch any more |
| sofa | object | furniture | hypernym | a sofa's pixels are furniture as well, and sofa stays |

`into` may be a concept of the set or a new one, and is of the same category. Synonyms come first: what the table says
of couch then holds for sofa. A concept may have several broader ones, and these broader ones in turn. `write_table`
writes the table that a set carries itself, to be looked at and changed.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dissection.concepts import NO_LABEL, Concept, ConceptDataset, Labels
from dissection.readers.errors import ConceptSetError, hint
from dissection.readers.over import Over
from dissection.readers.tables import read_table

OWN = "own"
SYNONYM, HYPERNYM = "synonym", "hypernym"
COLUMNS = ("name", "category", "into", "kind")


@dataclass(frozen=True)
class Rule:
    """One row of a table.

    Attributes:
        name, category: the concept that it is about.
        into: the name that takes its place, or that is broader; of the same category.
        kind: "synonym" or "hypernym".
        where: the place in a file, for messages.
    """

    name: str
    category: str
    into: str
    kind: str
    where: str = field(default="", compare=False)

    @property
    def concept(self) -> Concept:
        """What it is about."""
        return Concept(self.name, self.category)

    @property
    def target(self) -> Concept:
        """What takes its place or is broader."""
        return Concept(self.into, self.category)

    def __str__(self) -> str:
        text = f"{self.name!r} → {self.into!r} ({self.category}, {self.kind})"
        return f"{self.where}: {text}" if self.where else text


def merged(dataset: ConceptDataset, table: str | os.PathLike[str]) -> ConceptDataset:
    """A set with its concepts merged by `table`: "own" for what it says itself, or a CSV file.

    Raises:
        ConceptSetError: a broken table, or a set that says nothing itself.
    """
    if os.fspath(table) == OWN:
        return Merged(dataset, _some_own(dataset))
    return Merged(dataset, load_table(table))


def load_table(path: str | os.PathLike[str]) -> list[Rule]:
    """The rules of a CSV file with the columns name, category, into, kind.

    Raises:
        ConceptSetError: no such table, or an empty cell.
    """
    rows = read_table(Path(path).expanduser(), COLUMNS)
    return [
        Rule(row.text("name"), row.text("category"), row.text("into"), row.text("kind"), row.where)
        for row in rows
    ]


def write_table(dataset: ConceptDataset, path: str | os.PathLike[str]) -> Path:
    """Writes the table that a set carries itself; a file that is there is refused.

    Raises:
        ConceptSetError: the set carries none, or the file cannot be written.
    """
    rules, path = _some_own(dataset), Path(path).expanduser()
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(astuple(rule)[:4] for rule in rules)
    except FileExistsError as error:
        raise ConceptSetError(
            f"{path}: is there already; a table may have been changed by hand, choose another name"
        ) from error
    except OSError as error:
        raise ConceptSetError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path


def own_table(dataset: ConceptDataset) -> list[Rule]:
    """The table that a set carries itself: Broden's `syns` and COCO's supercategories; empty if there is none.

    Rules of concepts that the set has not are left out, and so is what contradicts an earlier one: a second synonym of
    a name, and a rule that closes a circle.
    """
    known = set(dataset.concepts)
    given: Sequence[Rule] = getattr(dataset, "merge_rules", ())
    becomes: dict[Concept, Concept] = {}
    rules = [rule for rule in dict.fromkeys(given) if rule.concept in known]
    synonyms = []
    for rule in (one for one in rules if one.kind == SYNONYM):
        if rule.concept not in becomes and _last(becomes, rule.target) != rule.concept:
            becomes[rule.concept] = rule.target
            synonyms.append(rule)
    broader: dict[Concept, list[Concept]] = {}
    hypernyms = []
    for rule in (one for one in rules if one.kind == HYPERNYM):
        below, above = _last(becomes, rule.concept), _last(becomes, rule.target)
        circle = below in (above, *_above(broader, above))
        if not circle and above not in broader.setdefault(below, []):
            broader[below].append(above)
            hypernyms.append(rule)
    return synonyms + hypernyms


def _some_own(dataset: ConceptDataset) -> list[Rule]:
    rules = own_table(dataset)
    if not rules:
        raise ConceptSetError(
            "the concept set carries no table of synonyms or broader concepts (Broden's `syns` and COCO's "
            f"supercategories are such); write one with the columns {','.join(COLUMNS)}"
        )
    return rules


class Merged(Over):
    """A concept data set whose concepts are merged; a `ConceptDataset` itself.

    Args:
        dataset: the set.
        table: what to merge.

    Raises:
        ConceptSetError: a concept that neither the set nor the table has, a rule that is there twice, two synonyms of
            one name, or a circle.
    """

    def __init__(self, dataset: ConceptDataset, table: Sequence[Rule]) -> None:
        super().__init__(dataset)
        self.table = tuple(table)
        _check(self.table, dataset.concepts)
        becomes = _synonyms(self.table)
        broader = _hypernyms(self.table, becomes)
        place: dict[Concept, int] = {}
        numbers = [place.setdefault(_last(becomes, concept), len(place)) for concept in dataset.concepts]
        for concept in list(place):
            for other in _above(broader, concept):
                place.setdefault(other, len(place))
        self._concepts = tuple(place)
        # the last entry is what index -1 finds: NO_LABEL stays NO_LABEL
        self._numbers = np.array([*numbers, NO_LABEL], np.int32)
        above = [[place[other] for other in _above(broader, concept)] for concept in place]
        depth = max(map(len, above), default=0)
        self._above = np.full((depth, len(place) + 1), NO_LABEL, np.int32)
        for number, others in enumerate(above):
            self._above[: len(others), number] = others

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """Those of the set under the names that they have now, then the new broader ones."""
        return self._concepts

    @property
    def fingerprint(self) -> str:
        """Of the set below and of the table."""
        rules = [astuple(rule)[:4] for rule in self.table]
        return f"sha256:{hashlib.sha256(f'merged {self.base.fingerprint} {rules!a}'.encode()).hexdigest()}"

    def labels(self, index: int, size: int) -> Labels:
        """The labels of the set below under their new names, and more layers with the broader concepts."""
        below = self.base.labels(index, size)
        count = len(self._numbers) - 1
        seen = [below.layers.min(initial=NO_LABEL), below.layers.max(initial=NO_LABEL), *below.whole]
        if min(seen) < NO_LABEL or max(seen) >= count:
            raise ConceptSetError(
                f"{self.image_id(index)}: has labels numbered {min(seen)} to {max(seen)}, but the set has the "
                f"concepts 0 to {count - 1}"
            )
        layers: list[NDArray[np.int32]] = list(self._numbers[below.layers])
        whole = [int(self._numbers[number]) for number in below.whole]
        for above in self._above:
            broader = [above[layer] for layer in layers[: len(below.layers)]]
            layers += [layer for layer in broader if (layer != NO_LABEL).any()]
            whole += [int(above[number]) for number in whole[: len(below.whole)] if above[number] != NO_LABEL]
        stack = np.stack(layers) if layers else below.layers
        return Labels(stack, tuple(dict.fromkeys(whole)), below.categories)


def _check(table: Sequence[Rule], concepts: Sequence[Concept]) -> None:
    """Says what is wrong with single rules, or with two of them."""
    known = {*concepts, *(rule.target for rule in table)}
    seen: dict[Rule, Rule] = {}
    for rule in table:
        if rule.kind not in (SYNONYM, HYPERNYM):
            raise ConceptSetError(
                f"{rule}: the kind is {SYNONYM!r} or {HYPERNYM!r}; {hint(rule.kind, (SYNONYM, HYPERNYM))}"
            )
        if rule in seen:
            first = f"{seen[rule].where} says it already" if seen[rule].where else "it is there twice"
            raise ConceptSetError(f"{rule}: {first}; drop one of the two")
        if rule.concept not in known:
            others = sorted({c.category for c in known if c.name == rule.name})
            near = (
                f"{rule.name!r} is there as {' and '.join(others)}"
                if others
                else hint(
                    rule.name, sorted(c.name for c in known if c.category == rule.category) or _names(known)
                )
            )
            raise ConceptSetError(f"{rule}: the set has no {rule.category} {rule.name!r}; {near}")
        seen[rule] = rule


def _names(concepts: Iterable[Concept]) -> list[str]:
    return sorted(str(concept) for concept in concepts)


def _synonyms(table: Sequence[Rule]) -> dict[Concept, Concept]:
    """What takes the place of each concept that goes."""
    becomes: dict[Concept, Concept] = {}
    for rule in (one for one in table if one.kind == SYNONYM):
        if rule.concept in becomes:
            raise ConceptSetError(
                f"{rule}: {rule.name!r} becomes {becomes[rule.concept].name!r} already; a name has one synonym"
            )
        if _last(becomes, rule.target) == rule.concept:
            raise ConceptSetError(f"{rule}: leads in a circle back to {rule.name!r}; drop one of its rules")
        becomes[rule.concept] = rule.target
    return becomes


def _hypernyms(table: Sequence[Rule], becomes: Mapping[Concept, Concept]) -> dict[Concept, list[Concept]]:
    """The concepts that are broader than each, by one step, after synonyms."""
    broader: dict[Concept, list[Concept]] = {}
    for rule in (one for one in table if one.kind == HYPERNYM):
        below, above = _last(becomes, rule.concept), _last(becomes, rule.target)
        if below in (above, *_above(broader, above)):
            raise ConceptSetError(
                f"{rule}: makes {below.name!r} broader than itself, in a circle; drop one of its rules"
            )
        if above not in broader.setdefault(below, []):
            broader[below].append(above)
    return broader


def _last(becomes: Mapping[Concept, Concept], concept: Concept) -> Concept:
    while concept in becomes:
        concept = becomes[concept]
    return concept


def _above(broader: Mapping[Concept, Sequence[Concept]], concept: Concept) -> list[Concept]:
    """All concepts that are broader, by any number of steps, nearest first."""
    found: dict[Concept, None] = {}
    waiting = list(broader.get(concept, ()))
    while waiting:
        other = waiting.pop(0)
        if other not in found:
            found[other] = None
            waiting += broader.get(other, ())
    return list(found)
