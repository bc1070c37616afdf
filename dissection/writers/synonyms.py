"""Other names of a set's concepts: what to keep in a table when the set is handed on.

    synonyms_of(open_concepts("broden:data/broden1_224"))    # {Concept("grass", "object"): ("lawn",), …}

A set carries them as rules (`dissection.readers.merged`), Broden's from the column `syns` of its `label.csv`. Nothing
is merged by them here.
"""

from __future__ import annotations

from dissection.concepts import Concept, ConceptDataset
from dissection.readers.merged import SYNONYM, Rule


def synonyms_of(dataset: ConceptDataset) -> dict[Concept, tuple[str, ...]]:
    """The other names of each concept that has any, by first appearance."""
    found: dict[Concept, dict[str, None]] = {}
    rules: tuple[Rule, ...] = getattr(dataset, "merge_rules", ())
    for rule in rules:
        if rule.kind == SYNONYM:
            found.setdefault(rule.target, {})[rule.name] = None
    return {concept: tuple(names) for concept, names in found.items()}
