"""What a concept set holds, as lines for a terminal and as data for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from dissection.inventory import Inventory, inventory
from dissection.readers.errors import ConceptSetError
from neuro_explain.names import open_concepts


def show_concepts(
    specs: Sequence[str], *, label: str | None, category: str | None, limit: int, size: int
) -> tuple[list[str], dict[str, Any]]:
    """Lines to print and data to dump.

    Args:
        specs: of the concept sets.
        label: list the images that have it, instead of the counts.
        category: only this category.
        limit: at most so many images.
        size: S at which labels are counted.

    Raises:
        ConceptSetError: a broken set, an unknown label or category.
    """
    from tqdm import tqdm

    dataset = open_concepts(list(specs))
    stock = inventory(
        dataset,
        size,
        lambda numbers: tqdm(numbers, desc="reading labels", unit="image", disable=None, delay=1),
    )
    if label is not None:
        try:
            examples = stock.examples(label, category, limit)
        except ConceptSetError as error:
            raise ConceptSetError(f"{', '.join(specs)}: {error}") from error
        lines = [f"{one.image}: {_share(one.pixels, stock)} {one.concept}" for one in examples]
        if not examples:
            lines = [f"no image has the label {label}"]
        return lines, {"label": label, "examples": [asdict(one) for one in examples]}
    known = [one.category for one in stock.categories]
    if category is not None and category not in known:
        raise ConceptSetError(
            f"{', '.join(specs)}: category {category!r} is not in this set; it has {', '.join(known)}"
        )
    return list(_lines(stock, category)), _data(stock, category)


def _share(pixels: int, stock: Inventory) -> str:
    return f"{100 * pixels / stock.size**2:.1f} %"


def _lines(stock: Inventory, category: str | None) -> Iterator[str]:
    yield f"{stock.images} images, {stock.unlabelled} without a label, {stock.broken} broken"
    for group in stock.categories:
        if category not in (None, group.category):
            continue
        yield ""
        yield f"{group.category}: {group.seen} of {group.concepts} labels seen, on {group.images} images"
        counts = [one for one in stock.labels if one.concept.category == group.category and one.images]
        for one in sorted(counts, key=lambda c: (-c.images, -c.pixels, c.concept.name)):
            mean = one.pixels / one.images / stock.size**2
            yield f"  {one.concept.name}: {one.images} images, {100 * mean:.1f} % of each on average"
    if stock.problems:
        yield ""
        yield "What is wrong:" if stock.broken else "To know:"
        yield from (f"  {problem}" for problem in stock.problems)


def _data(stock: Inventory, category: str | None) -> dict[str, Any]:
    return {
        "images": stock.images,
        "unlabelled": stock.unlabelled,
        "broken": stock.broken,
        "size": stock.size,
        "categories": [asdict(one) for one in stock.categories if category in (None, one.category)],
        "labels": [asdict(one) for one in stock.labels if category in (None, one.concept.category)],
        "problems": list(stock.problems),
    }
