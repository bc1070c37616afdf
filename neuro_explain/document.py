"""How is the outcome of an experiment shown? A document: figures, text, tables and pictures, on one page.

    document = Document(
        "Which class does the map show?", "…",
        figures=[Fact("images", "90")],
        sections=[Section("By method", [Table("…", ("method", "right"), [("Grad-CAM", "61 %")])])],
    )
    document.save("runs/study", model="vgg16", layer="features.29", options={})
    write_report("runs/study")

Every experiment that has no page of its own kind is a document, so that all look and read alike.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dissection.artifact import describe_run, new_artifact, write_json

KIND = "document"
_QUALITY = 80  # of pictures, as WebP


@dataclass(frozen=True)
class Fact:
    """A figure that stands large at the top: what it is of, its value, and what to know of it."""

    label: str
    value: str
    why: str | None = None


@dataclass(frozen=True)
class Text:
    """A paragraph; `note` makes it stand out, for what a reader must not overlook."""

    text: str
    note: bool = False


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        caption: what it shows.
        columns: the header's cells.
        rows: as many cells each; the first names the row.
        strong: numbers of the rows that stand out.
        left: numbers of the columns of text; the first always is one, the others hold numbers.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    strong: Sequence[int] = ()
    left: Sequence[int] = (0,)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with its caption; `image` may be encoded already (WebP, as `reports.draw` makes it)."""

    image: Image.Image | bytes
    label: str
    alt: str
    note: str | None = None


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures beside one another."""

    pictures: Sequence[Picture]
    caption: str | None = None


@dataclass(frozen=True)
class Links:
    """Pages in folders inside the document's: (what is there, path of the page relative to the folder)."""

    links: Sequence[tuple[str, str]]


Block = Text | Table | Pictures | Links


@dataclass(frozen=True, eq=False)
class Section:
    """A heading and what stands under it."""

    heading: str
    blocks: Sequence[Block]
    lead: str | None = None


@dataclass(frozen=True, eq=False)
class Document:
    """A page's worth of results.

    Attributes:
        title: the question that it answers.
        lead: the answer, in a sentence or two.
        figures: a handful of figures.
        sections: the rest.
        data: the same results for machines, plain data; None if there are none.
        arrays: what of it are arrays, by their names; None if there are none.
    """

    title: str
    lead: str
    figures: Sequence[Fact] = ()
    sections: Sequence[Section] = ()
    data: Mapping[str, Any] | None = None
    arrays: Mapping[str, NDArray[Any]] | None = None

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        model: str,
        layer: str,
        options: Mapping[str, Any],
        weights_fingerprint: str | None = None,
        data_fingerprint: str | None = None,
        seed: int = 0,
        overwrite: bool = False,
        command: list[str] | None = None,
    ) -> Path:
        """Writes the artifact; `write_report` makes its page.

        Args:
            folder: where to; other files in it stay.
            model, layer: what was looked at.
            options: of the experiment.
            weights_fingerprint, data_fingerprint: of what it was made from, where there is one.
            seed: of all that was drawn by lot.
            overwrite: replace a document that is there.
            command: the command line.

        Raises:
            ArtifactError: the folder holds another artifact.
            ValueError: a table's row with another number of cells than its header; a link that leads out of the folder.
        """
        described = describe_run(
            KIND,
            model=model,
            layer=layer,
            weights_fingerprint=weights_fingerprint,
            data_fingerprint=data_fingerprint,
            options=options,
            seed=seed,
            command=command,
        )
        with new_artifact(folder, described, overwrite=overwrite) as draft:
            pictures: list[bytes] = []
            facts = {
                "title": self.title,
                "lead": self.lead,
                "figures": [asdict(figure) for figure in self.figures],
                "sections": [
                    {
                        "heading": section.heading,
                        "lead": section.lead,
                        "blocks": [_plain(block, pictures) for block in section.blocks],
                    }
                    for section in self.sections
                ],
            }
            if pictures:
                (draft / "pictures").mkdir()
            for number, data in enumerate(pictures):
                (draft / _file(number)).write_bytes(data)
            write_json(draft / "document.json", facts)
            if self.data is not None:
                write_json(draft / "data.json", dict(self.data))
            if self.arrays is not None:
                # under any names, also those that the function has for its own arguments
                with zipfile.ZipFile(draft / "arrays.npz", "w", zipfile.ZIP_DEFLATED) as archive:
                    for name, array in self.arrays.items():
                        with archive.open(f"{name}.npy", "w") as file:
                            np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
        return Path(folder)


def _plain(block: Block, pictures: list[bytes]) -> dict[str, Any]:
    """A block as JSON; its pictures are appended to those of the document."""
    if isinstance(block, Text):
        return {"kind": "text", "text": block.text, "note": block.note}
    if isinstance(block, Links):
        for _, path in block.links:
            # as the page's reader checks it
            if {"", ".."} & set(path.split("/")) or set("\\:\0") & set(path):
                raise ValueError(f"links: expected paths inside the document's folder, got {path!r}")
        return {"kind": "links", "links": [{"text": text, "path": path} for text, path in block.links]}
    if isinstance(block, Table):
        for row in block.rows:
            if len(row) != len(block.columns):
                raise ValueError(
                    f"table {block.caption!r}: expected {len(block.columns)} cells in each row, got {len(row)}"
                )
        return {
            "kind": "table",
            "caption": block.caption,
            "columns": list(block.columns),
            "rows": [list(row) for row in block.rows],
            "strong": list(block.strong),
            "left": sorted({0, *block.left}),
        }
    rows = []
    for picture in block.pictures:
        rows.append(
            {"file": _file(len(pictures)), "label": picture.label, "note": picture.note, "alt": picture.alt}
        )
        pictures.append(picture.image if isinstance(picture.image, bytes) else _encoded(picture.image))
    return {"kind": "pictures", "caption": block.caption, "pictures": rows}


def _file(number: int) -> str:
    return f"pictures/{number:03}.webp"


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=_QUALITY, method=4)
    return buffer.getvalue()
