"""A set of explanations made with one network, in one folder: which they are, what is shown, what was true.

    save_collection(
        "runs/demo",
        title="Twelve scenes",
        intro="What the network sees in them.",
        members=[Member("kitchen", label="kitchen"), Member("attic", label="bedroom", note="a hard one")],
        dissection="dissection",
    )
    write_report("runs/demo")        # runs/demo/index.html, and the pages that it links to

The members are folders inside the collection's own, made before; a collection adds two files beside them and
copies nothing out of them. The files and keys stand in docs/artifacts.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dissection.artifact import (
    ArtifactError,
    check_writable,
    describe_run,
    new_artifact,
    read_artifact,
    write_json,
)
from dissection.result import KIND as DISSECTION
from neuro_explain.explanation import KIND as EXPLANATION
from reports.contract import ReportError, check_collection

KIND = "collection"


@dataclass(frozen=True)
class Member:
    """One explanation of a set.

    Attributes:
        folder: its name inside the collection's folder.
        label: the image's true class, written as the network's classes are; None if unknown.
        note: what a reader should know about it.
    """

    folder: str
    label: str | None = None
    note: str | None = None


def save_collection(
    folder: str | os.PathLike[str],
    *,
    title: str,
    intro: str,
    members: Sequence[Member],
    dissection: str | None = None,
    overwrite: bool = False,
    command: list[str] | None = None,
) -> Path:
    """Writes `manifest.json` and `collection.json` beside the members, both or neither.

    Args:
        folder: holds a folder for each member, and the dissection's.
        title: of the set.
        intro: what it is about; an empty line begins a new paragraph.
        members: the explanations in the order to show them, all of one model and layer.
        dissection: name of the folder, inside `folder`, of the dissection that named the units.
        overwrite: whether an older collection there is replaced; nothing but its own files ever is.
        command: the command line, paths cut to their last part.

    Raises:
        ArtifactError: a member or the dissection is missing, damaged, of another kind or network, or listed
            twice; or the folder holds another artifact.
    """
    root = Path(folder)
    facts = {
        "title": title,
        "intro": intro,
        "members": [asdict(member) for member in members],
        "dissection": dissection,
    }
    try:
        check_collection(facts, str(root))
    except ReportError as error:
        raise ArtifactError(str(error)) from error
    check_writable(root, kind=KIND, overwrite=overwrite)
    first = read_artifact(root / members[0].folder, EXPLANATION)
    for member in members:
        manifest = read_artifact(root / member.folder, EXPLANATION)
        _refuse_other_network(member.folder, manifest, first, ("model", "layer", "weights_fingerprint"))
    if dissection is not None:
        # The same weights may have been dissected under another name, or carry no fingerprint.
        manifest = read_artifact(root / dissection, DISSECTION)
        known = None not in (manifest["weights_fingerprint"], first["weights_fingerprint"])
        _refuse_other_network(
            dissection, manifest, first, ("layer", "weights_fingerprint") if known else ("layer",)
        )
    described = describe_run(
        KIND,
        model=first["model"],
        layer=first["layer"],
        weights_fingerprint=first["weights_fingerprint"],
        data_fingerprint=None,
        options={},
        command=command,
    )
    with new_artifact(root, described, overwrite=overwrite) as draft:
        write_json(draft / "collection.json", facts)
    return root


def _refuse_other_network(
    name: str, manifest: Mapping[str, Any], expected: Mapping[str, Any], keys: Sequence[str]
) -> None:
    for key in keys:
        if manifest[key] != expected[key]:
            raise ArtifactError(
                f"{name} was made with {key} {manifest[key]!r}, the first member with {expected[key]!r}; "
                "a collection shows one network: leave one of them out"
            )
