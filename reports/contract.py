"""What `docs/artifacts.md` promises, as far as pages rely on it, and the checks that a folder keeps it.

A key, a column or a shape that is missing ends in a `ReportError` naming it, never in a page with a hole.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1
Row = dict[str, Any]

SEE = "see docs/artifacts.md"


class ReportError(ValueError):
    """A folder that no page can be made from; the message says why, and what to do."""


def _keys(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MANIFEST = _keys(
    "created model layer weights_fingerprint data_fingerprint options seed versions command files"
)
SUMMARY = _keys(
    "units images images_left_out positions map_size quantile label_size min_iou named distinct categories "
    "layer_reason concept_sets"
)
CHANCE = _keys("max_q permutations seed smallest_q coarse_error named_by_iou_alone named_by_q_alone")
CATEGORY = _keys("category units distinct detectors unique_detectors concepts pixels images")
COLLECTION = _keys("title intro members dissection")
MEMBER = _keys("folder label note")
PROFILE = _keys(
    "model layer source of compare asked top least level images errors labelled right all_classes few concepts "
    "classes comparisons"
)
PROFILE_CONCEPT = _keys("name category units")
PROFILE_CLASS = _keys("number name images predicted labelled right for against")
PROFILE_MEANS = _keys("mean low high share positive")
PROFILE_COMPARISON = _keys("name first second about tests findings classes ranked")
PROFILE_DIFFERENCE = _keys("number name tested first second")
PROFILE_DIFFERENCES = _keys("first_mean second_mean difference low high p q d")
PROFILE_SIDE = _keys("images labelled right")
EXPLANATION = _keys("image model names rank_by top named_only predictions targets check text notes")
PARTS = {
    "image": _keys("name width height crop"),
    "model": _keys("name layer layer_reason origin licence units map_size rectified"),
    "names": _keys("source concept_sets quantile min_iou units named verified"),
}
PREDICTION = _keys("index label score probability")
TARGET = _keys(
    "kind label index versus score probability sentence zero_map named_alpha_share "
    "named_contribution_share silent_units for against"
)
ASKED = _keys("task text question forced words")
WORD = _keys("text target probability")
TASKS = ("caption", "answer")
TARGET_KINDS: Mapping[str | None, tuple[str, ...]] = {  # by the task; without one the network is a classifier
    None: ("class", "contrast", "counterfactual"),
    "answer": ("class", "contrast", "counterfactual"),
    "caption": ("caption", "word"),
}
UNIT = _keys(
    "unit rank concept category iou margin best_concept runner_up alpha activation contribution silent "
    "above_threshold map"
)
CROP = _keys("unit rank kind image active labelled")
CHECK = _keys(
    "units silent score score_without probability probability_without draws drawn_units firing random_score "
    "random_probability text"
)


def need(value: Any, keys: Iterable[str], where: str) -> None:
    """Refuse what is no JSON object with these keys; `where` is what the message calls it."""
    need_type(value, dict, where)
    missing = [key for key in keys if key not in value]
    if missing:
        raise ReportError(f"{where}: expected the key {', '.join(map(repr, missing))}; {SEE}")


def need_type(value: Any, kind: type, where: str) -> None:
    """Refuse what is not of this type."""
    if not isinstance(value, kind):
        raise ReportError(f"{where}: expected {kind.__name__}, got {type(value).__name__}; {SEE}")


def _integer(text: str) -> int | None:
    return int(text) if text else None


def _real(text: str) -> float | None:
    value = float(text) if text else None
    if value is not None and not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


COLUMNS: dict[str, dict[str, Callable[[str], Any]]] = {
    "units": {
        "unit": int, "concept": str, "category": str, "iou": _real, "best_concept": str, "best_category": str,
        "runner_up": str, "runner_up_category": str, "runner_up_iou": _real, "margin": _real,
        "threshold": _real, "active_pixels": _integer, "intersection": _integer, "activation_area": _integer,
        "concept_area": _integer, "note": str,
    },
    "concepts": {
        "concept": int, "name": str, "category": str, "pixels": int, "images": int, "share": _real,
        "ceiling": _real, "reachable": _boolean, "units": int,
    },
    "exemplars": {"unit": int, "rank": int, "image": str, "peak": _real},
    "evidence": {"unit": int, "rank": int, "kind": str, "image": str, "active": int, "labelled": int},
    "labels": {
        "unit": int, "rank": int, "concept": str, "category": str, "iou": _real, "best_of_category": _boolean,
    },
    "compositions": {"unit": int, "formula": str, "iou": _real, "length": int, "single_iou": _real},
}  # fmt: skip
LATER: Mapping[str, Mapping[str, Callable[[str], Any]]] = {  # columns that an older folder has not
    "units": dict.fromkeys(_keys("precision recall f1 p q iou_low iou_high"), _real),
}
KINDS = ("for", "against")
"""Of crops that show how a unit came to its label: it fires on the label, or mostly beside it."""


def typed_rows(
    data: bytes,
    where: str,
    columns: Mapping[str, Callable[[str], Any]],
    later: Mapping[str, Callable[[str], Any]] | None = None,
) -> list[Row]:
    """The rows of a CSV file as typed dictionaries; columns that we do not know are left out.

    Those of `later` may be missing: then they are None in every row.
    """
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""), strict=True)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise ReportError(f"{where}: expected the column {', '.join(missing)}; {SEE}")
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ReportError(f"{where} is not readable as CSV ({error})") from error
    known = reader.fieldnames or ()
    absent = dict.fromkeys(name for name in later or {} if name not in known)
    columns = {**columns, **{name: convert for name, convert in (later or {}).items() if name in known}}
    typed: list[Row] = []
    for line, row in enumerate(rows, start=2):
        try:
            typed.append({name: convert(row[name] or "") for name, convert in columns.items()} | absent)
        except (ValueError, KeyError) as error:
            raise ReportError(f"{where}, row {line}: unexpected value ({error})") from error
    return typed


def check_summary(summary: Row, tables: Mapping[str, list[Row]], root: Path) -> None:
    """The summary has its keys, and the table a row for each of its units."""
    need(summary, SUMMARY, str(root / "summary.json"))
    for i, category in enumerate(summary["categories"]):
        need(category, CATEGORY, f"{root / 'summary.json'}: categories[{i}]")
    numbers = [row["unit"] for row in tables["units"]]
    if numbers != list(range(summary["units"])):
        raise ReportError(
            f"{root / 'units.csv'}: expected a row for each of {summary['units']} units in order, "
            f"got {len(numbers)}"
        )
    if summary.get("chance") is not None:
        need(summary["chance"], CHANCE, f"{root / 'summary.json'}: chance")
    for name in ("evidence", "labels", "compositions"):
        for row in tables.get(name, ()):
            if not 0 <= row["unit"] < summary["units"]:
                raise ReportError(f"{root / name}.csv: unit {row['unit']} of {summary['units']}; {SEE}")


def check_evidence(rows: list[Row], pictures: Mapping[int, tuple[int, int]], where: str) -> None:
    """Crops that show how units came to their labels: in order, for before against, and as many as are drawn.

    Args:
        rows: of `evidence.csv`.
        pictures: width and height of each unit's picture.
        where: what the message calls the rows.
    """
    crops: dict[int, list[Row]] = {}
    for i, row in enumerate(rows):
        need(row, CROP, f"{where}, row {i + 1}")
        crops.setdefault(row["unit"], []).append(row)
    for unit, found in crops.items():
        kinds = [row["kind"] for row in found]
        ordered = kinds == sorted(kinds, key=lambda kind: KINDS.index(kind) if kind in KINDS else -1)
        if not (set(kinds) <= set(KINDS) and ordered):
            raise ReportError(
                f"{where}: unit {unit}: expected crops 'for' and then crops 'against', got {', '.join(kinds)}; {SEE}"
            )
        for rank, row in enumerate(found):
            if row["rank"] != rank or not 0 <= row["labelled"] <= row["active"]:
                raise ReportError(
                    f"{where}: unit {unit}: expected the rank {rank} and no more labelled than active pixels, got "
                    f"rank {row['rank']} with {row['labelled']} of {row['active']}; {SEE}"
                )
    for unit, (width, height) in pictures.items():
        drawn = len(crops.get(unit, ()))
        if width != drawn * height:
            raise ReportError(
                f"{where}: unit {unit}: {drawn} crops do not fit its picture of {width} × {height} pixels; {SEE}"
            )


def check_explanation(facts: Row, arrays: Mapping[str, NDArray[np.float32]], where: str) -> None:
    """The explanation has its keys, and every target and unit a map in the arrays."""
    need(facts, EXPLANATION, where)
    for part, keys in PARTS.items():
        need(facts[part], keys, f"{where}: {part}")
    for i, prediction in enumerate(facts["predictions"]):
        need(prediction, PREDICTION, f"{where}: predictions[{i}]")
    asked = facts.get("asked")
    if asked is not None:
        need(asked, ASKED, f"{where}: asked")
        if asked["task"] not in TASKS:
            tasks = ", ".join(map(repr, TASKS))
            raise ReportError(f"{where}: asked: expected a task among {tasks}, got {asked['task']!r}; {SEE}")
    kinds = TARGET_KINDS[None if asked is None else asked["task"]]
    targets, shape = facts["targets"], tuple(facts["model"]["map_size"])
    signed, units = arrays["signed_map"], arrays["unit_map"]
    if not targets or signed.shape != (len(targets), *shape) or units.shape[1:] != shape:
        raise ReportError(
            f"{where}: {len(targets)} targets with maps of {list(shape)} do not fit the arrays, whose "
            f"shapes are {list(signed.shape)} (signed_map) and {list(units.shape)} (unit_map)"
        )
    for i, target in enumerate(targets):
        need(target, TARGET, f"{where}: targets[{i}]")
        if target["kind"] not in kinds:
            of = "of a classifier" if asked is None else f"of the task {asked['task']!r}"
            raise ReportError(
                f"{where}: targets[{i}]: expected a kind {of}, {', '.join(map(repr, kinds))}, "
                f"got {target['kind']!r}; {SEE}"
            )
        for side in ("for", "against"):
            for j, unit in enumerate(target[side]):
                need(unit, UNIT, f"{where}: targets[{i}]: {side}[{j}]")
                if not 0 <= unit["map"] < len(units):
                    raise ReportError(f"{where}: unit {unit['unit']}: map {unit['map']} of {len(units)}")
    if facts["check"] is not None:
        need(facts["check"], CHECK, f"{where}: check")
    if asked is not None:
        _check_asked(asked, targets, f"{where}: asked")
    need_type(facts.get("evidence", []), list, f"{where}: evidence")


def _check_asked(asked: Row, targets: list[Row], where: str) -> None:
    """The words of a caption stand in order, and each has its target; an answer has a question and no words."""
    need_type(asked["text"], str, f"{where}: text")
    need_type(asked["forced"], bool, f"{where}: forced")
    need_type(asked["words"], list, f"{where}: words")
    if asked["task"] == "answer":
        need_type(asked["question"], str, f"{where}: question")
        if asked["words"]:
            raise ReportError(
                f"{where}: words: expected none for an answer, got {len(asked['words'])}; {SEE}"
            )
        return
    if asked["question"] is not None:
        raise ReportError(f"{where}: question: expected null for a caption, got a question; {SEE}")
    for place, word in enumerate(asked["words"]):
        here = f"{where}: words[{place}]"
        need(word, WORD, here)
        need_type(word["text"], str, f"{here}: text")
        need_type(word["target"], int, f"{here}: target")
        if not 0 <= word["target"] < len(targets):
            raise ReportError(f"{here}: target {word['target']} of {len(targets)}; {SEE}")
        target = targets[word["target"]]
        if (target["kind"], target["index"]) != ("word", place):
            raise ReportError(
                f"{here}: expected the target of kind 'word' with index {place}, got kind {target['kind']!r} "
                f"with index {target['index']}; {SEE}"
            )
        share = word["probability"]
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ReportError(f"{here}: expected a probability from 0 to 1, got {share!r}; {SEE}")
    kinds = [target["kind"] for target in targets]
    if (kinds.count("caption"), kinds.count("word")) != (1, len(asked["words"])):
        raise ReportError(
            f"{where}: expected a target of kind 'caption' and one of kind 'word' for each of "
            f"{len(asked['words'])} words, got {kinds.count('caption')} and {kinds.count('word')}; {SEE}"
        )


def check_collection(facts: Row, where: str) -> None:
    """The collection has its keys, and lists folders that lie directly inside its own, each once."""
    need(facts, COLLECTION, where)
    for key in ("title", "intro"):
        need_type(facts[key], str, f"{where}: {key}")
    need_type(facts["members"], list, f"{where}: members")
    if not facts["members"]:
        raise ReportError(f"{where}: members: expected at least one, got none; {SEE}")
    for i, member in enumerate(facts["members"]):
        need(member, MEMBER, f"{where}: members[{i}]")
        for key in ("label", "note"):
            if member[key] is not None:
                need_type(member[key], str, f"{where}: members[{i}]: {key}")
    folders = [member["folder"] for member in facts["members"]]
    folders += [] if facts["dissection"] is None else [facts["dissection"]]
    for name in folders:
        need_type(name, str, f"{where}: a folder's name")
        if name in ("", ".", "..") or any(sign in name for sign in "/\\:\0"):
            raise ReportError(f"{where}: expected the bare name of a folder beside it, got {name!r}; {SEE}")
        if folders.count(name) > 1:
            raise ReportError(f"{where}: the folder {name!r} is listed twice; list each once")


def check_profile(facts: Row, where: str) -> None:
    """The profile has its keys, and every class a number for each concept."""
    need(facts, PROFILE, where)
    concepts = len(facts["concepts"])
    for i, concept in enumerate(facts["concepts"]):
        need(concept, PROFILE_CONCEPT, f"{where}: concepts[{i}]")
    for i, one in enumerate(facts["classes"]):
        here = f"{where}: classes[{i}]"
        need(one, PROFILE_CLASS, here)
        _need_columns(one, PROFILE_MEANS, concepts, here)
        for side in ("for", "against"):
            if not all(isinstance(place, int) and 0 <= place < concepts for place in one[side]):
                raise ReportError(f"{here}: {side}: expected places of {concepts} concepts; {SEE}")
    for i, comparison in enumerate(facts["comparisons"]):
        here = f"{where}: comparisons[{i}]"
        need(comparison, PROFILE_COMPARISON, here)
        for j, one in enumerate(comparison["classes"]):
            need(one, PROFILE_DIFFERENCE, f"{here}: classes[{j}]")
            _need_columns(one, PROFILE_DIFFERENCES, concepts, f"{here}: classes[{j}]")
            for side in ("first", "second"):
                need(one[side], PROFILE_SIDE, f"{here}: classes[{j}]: {side}")
        for row, place in comparison["ranked"]:
            if not (0 <= row < len(comparison["classes"]) and 0 <= place < concepts):
                raise ReportError(
                    f"{here}: ranked: expected a class and a concept, got {row} and {place}; {SEE}"
                )


def _need_columns(one: Row, names: Iterable[str], length: int, where: str) -> None:
    """Refuse what has no list of this length under each of the names."""
    need(one, names, where)
    for name in names:
        need_type(one[name], list, f"{where}: {name}")
        if len(one[name]) != length:
            raise ReportError(f"{where}: {name}: expected {length} numbers, got {len(one[name])}; {SEE}")
