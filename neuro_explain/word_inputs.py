"""Which words may name a unit, and on which images is it looked at?

words = open_words(["nouns.txt", "coco:data/coco"])     # concepts, each word once
images = open_images("photographs")                     # a folder, a pattern, or a concept set
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from dissection.artifact import file_record
from dissection.concepts import Concept
from dissection.images import SUFFIXES, read_image
from dissection.readers import READERS
from neuro_explain.names import open_concepts

CATEGORY = "word"
"""Of a word that comes from a list and not from a concept set."""
_KINDS = (*READERS, "diorama")


class Pictures(Protocol):
    """Images in an order; any `ConceptDataset` is such."""

    @property
    def fingerprint(self) -> str:
        """A hash of what they are."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...

    def image_id(self, index: int) -> str:
        """What an image is called."""
        ...

    def image(self, index: int) -> Image.Image:
        """The image, RGB and upright."""
        ...


@dataclass(frozen=True)
class Files:
    """Image files as `Pictures`. Called by name: no path of this machine is kept."""

    paths: tuple[Path, ...]

    @property
    def fingerprint(self) -> str:
        """A hash of the files' names and contents."""
        lines = "".join(f"{path.name} {file_record(path)['sha256']}\n" for path in self.paths)
        return f"sha256:{hashlib.sha256(lines.encode('utf-8', 'surrogateescape')).hexdigest()}"

    def __len__(self) -> int:
        return len(self.paths)

    def image_id(self, index: int) -> str:
        """The file's name."""
        return self.paths[index].name

    def image(self, index: int) -> Image.Image:
        """The image, RGB and upright."""
        return read_image(self.paths[index])


def open_images(source: str) -> Pictures:
    """The images of a folder, of a pattern such as `photographs/*/*.jpg`, or of a concept set (`coco:DIR`).

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: no images in it; a broken set.
    """
    if source.partition(":")[0] in _KINDS and ":" in source:
        return open_concepts(source)
    if Path(source).is_dir():
        return open_concepts(f"images:{source}")
    found = sorted(Path(one) for one in glob.glob(source, recursive=True))  # noqa: PTH207
    paths = tuple(path for path in found if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise FileNotFoundError(
            f"images {source!r}: expected a folder, a pattern that matches image files, or a concept set such as "
            f"coco:DIR; nothing of the kind is there"
        )
    return Files(paths)


def open_words(sources: Sequence[str]) -> tuple[Concept, ...]:
    """The words of text files and of concept sets, each word once, in their order.

    Args:
        sources: text files with a word or phrase per line (`#` begins a comment), and specs of concept sets, whose
            concepts keep their categories.

    Raises:
        FileNotFoundError: a file that is not there.
        ValueError: fewer than two words, or a file that is not text; a broken set.
    """
    found: list[Concept] = []
    for source in sources:
        kind, colon, _ = source.partition(":")
        if colon and kind in _KINDS:
            found += open_concepts(source).concepts
        else:
            found += [Concept(line, CATEGORY) for line in _lines(Path(source))]
    once: dict[str, Concept] = {}
    for concept in found:
        once.setdefault(spoken(concept.name).casefold(), concept)
    if len(once) < 2:
        raise ValueError(f"words: expected at least two different words, got {len(once)}")
    return tuple(once.values())


def spoken(word: str) -> str:
    """A word as one would say it: `dining_table` is "dining table"."""
    return " ".join(word.replace("_", " ").split())


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(
            f"words {str(path)!r}: expected a text file with a word per line, or a concept set such as coco:DIR"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"words {path}: not a text file in UTF-8") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
