"""From an artifact folder to its page; the pages themselves are made by `reports`, which knows no network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from dissection.artifact import ArtifactError


def write_report(
    folder: str | os.PathLike[str], *, colors: Literal["perceptual", "paper"] = "perceptual"
) -> Path:
    """Renders `index.html` in the folder of an explanation, a dissection or a collection; returns its path.

    With a collection, the pages of its members and of its dissection are rendered too, linked to one another.

    Args:
        folder: of a saved `Explanation` or `Dissection`, or of a collection.
        colors: the colours of the maps at first sight; "paper" is the rainbow of the paper's figures.

    Raises:
        ArtifactError: not a whole artifact.
    """
    from reports.contract import ReportError
    from reports.write import write_report as render

    try:
        return render(folder, colors=colors)
    except ReportError as error:
        raise ArtifactError(str(error)) from error
