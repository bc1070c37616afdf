"""What `document.json` must hold so that a page can be made of it: sections of text, tables, pictures and links."""

from __future__ import annotations

from collections.abc import Mapping

from reports.contract import SEE, ReportError, Row, need

_KEYS = ("title", "lead", "figures", "sections")
_FIGURE = ("label", "value", "why")
_SECTION = ("heading", "lead", "blocks")
_BLOCKS: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "note"),
    "table": ("caption", "columns", "rows", "strong", "left"),
    "pictures": ("caption", "pictures"),
    "links": ("links",),
}
_PICTURE = ("file", "label", "note", "alt")


def check_document(facts: Row, files: Mapping[str, bytes], where: str) -> None:
    """The document has its keys, its tables as many cells in each row, and its pictures are there."""
    need(facts, _KEYS, where)
    for i, figure in enumerate(facts["figures"]):
        need(figure, _FIGURE, f"{where}: figures[{i}]")
    for i, section in enumerate(facts["sections"]):
        need(section, _SECTION, f"{where}: sections[{i}]")
        for j, block in enumerate(section["blocks"]):
            here = f"{where}: sections[{i}]: blocks[{j}]"
            need(block, ("kind",), here)
            if block["kind"] not in _BLOCKS:
                kinds = ", ".join(map(repr, _BLOCKS))
                raise ReportError(f"{here}: expected a kind among {kinds}, got {block['kind']!r}; {SEE}")
            need(block, _BLOCKS[block["kind"]], here)
            _check_block(block, files, here)


def _check_block(block: Row, files: Mapping[str, bytes], where: str) -> None:
    if block["kind"] == "table":
        cells = len(block["columns"])
        for row in block["rows"]:
            if len(row) != cells:
                raise ReportError(f"{where}: expected {cells} cells in each row, got {len(row)}; {SEE}")
    elif block["kind"] == "pictures":
        for picture in block["pictures"]:
            need(picture, _PICTURE, where)
            if picture["file"] not in files:
                raise ReportError(f"{where}: the manifest does not list {picture['file']!r}; {SEE}")
    elif block["kind"] == "links":
        for link in block["links"]:
            need(link, ("text", "path"), where)
            # the page's own reader must stay in its folder
            if (
                ".." in (parts := str(link["path"]).split("/"))
                or "" in parts
                or set("\\:\0") & set(link["path"])
            ):
                raise ReportError(f"{where}: expected a path inside the folder, got {link['path']!r}; {SEE}")
