"""What the values of masks mean, from a table that lies beside them.

    labels.csv    value,name,category            7,road,object
    labels.json   [{"id": 7, "name": "road"}, {"id": 4, "name": "static", "void": true}]

In the CSV file every row is a label. In the JSON file an entry may have a "category"; "void": true, or an id below 0,
says that it is no label.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dissection.concepts import Concept
from dissection.readers.errors import ConceptSetError
from dissection.readers.tables import LARGEST, read_table


def values_from_csv(path: Path) -> dict[int, Concept]:
    """The concept of each value that has a row.

    Raises:
        ConceptSetError: the table is broken, or a value is there twice.
    """
    values: dict[int, Concept] = {}
    for row in read_table(path, ("value", "name", "category")):
        value = row.integer("value")
        if value in values:
            raise ConceptSetError(f"{row.where}: value {value} is there twice; a value is one label")
        values[value] = Concept(row.text("name"), row.text("category"))
    return values


def values_from_json(path: Path, category: str) -> dict[int, Concept]:
    """The concept of each value that has an entry and is not void.

    Args:
        path: the file.
        category: of entries that name none.

    Raises:
        ConceptSetError: not JSON, an entry without id or name, an id twice, or no label at all.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON
        raise ConceptSetError(f"{path}: is not JSON in UTF-8 ({error})") from error
    except OSError as error:
        raise ConceptSetError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not isinstance(records, list) or not records:
        raise ConceptSetError(f"{path}: a list of entries with 'id' and 'name' was expected")
    named: dict[int, Concept] = {}
    seen: set[int] = set()
    for place, record in enumerate(records, start=1):
        where = f"{path.name}, entry {place}"
        value, void = _id_and_void(record, where)
        if value in seen:
            raise ConceptSetError(f"{where}: id {value} is there twice; an id is one label")
        seen.add(value)
        if not void and value >= 0:
            named[value] = Concept(_text(record, "name", where), _text(record, "category", where, category))
    if not named:
        raise ConceptSetError(f"{path}: all its entries are void; at least one label was expected")
    return named


def _id_and_void(record: Any, where: str) -> tuple[int, bool]:
    if not isinstance(record, dict):
        raise ConceptSetError(f"{where}: is {record!r}, an object with 'id' and 'name' was expected")
    value, void = record.get("id"), record.get("void", False)
    # JSON's true is an int in Python
    if not isinstance(value, int) or isinstance(value, bool) or not -1 <= value <= LARGEST:
        raise ConceptSetError(f"{where}: 'id' is {value!r}, a whole number from -1 to {LARGEST} was expected")
    if not isinstance(void, bool):
        raise ConceptSetError(f"{where}: 'void' is {void!r}, true or false was expected")
    return value, void


def _text(record: dict[str, Any], key: str, where: str, default: str | None = None) -> str:
    text = record.get(key, default)
    if not isinstance(text, str) or not text.strip():
        raise ConceptSetError(f"{where}: {key!r} is {text!r}, a name was expected")
    return text.strip()
