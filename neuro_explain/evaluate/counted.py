"""How many of what? A number and its noun, in the singular where there is one of it.

counted(3, "images without a class were left out")      # "3 images without a class were left out"
counted(1, "images without a class were left out")      # "1 image without a class was left out"
"""

from __future__ import annotations

_SINGULAR = {
    "boxes": "box",
    "categories": "category",
    "classes": "class",
    "images": "image",
    "photographs": "photograph",
}
_OF_ONE = {"were": "was", "have": "has", "are": "is", "stand": "stands", "their": "its"}


def counted(count: int, what: str) -> str:
    """A count and what is counted.

    Args:
        count: how many; 0 or more.
        what: in the plural, its noun first; its verbs follow the noun.
    """
    noun, *rest = what.split(" ")
    if count == 1 and noun in _SINGULAR:
        return " ".join(("1", _SINGULAR[noun], *(_OF_ONE.get(word, word) for word in rest)))
    return f"{count:,} {what}"
