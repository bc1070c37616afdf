"""Names that come with this package, for networks whose concept sets do not.

    names = shipped_names("efficientnet-lite0")

Each is an ordinary dissection folder, made by `neuro-explain dissect` on real photographs; its manifest says which
sets, which options and which weights.
"""

from __future__ import annotations

from pathlib import Path

from dissection.result import Dissection

_FOLDER = Path(__file__).resolve().parent / "data" / "names"


def shipped_names(model_name: str) -> Dissection:
    """The names of a network's units.

    Raises:
        ValueError: no names of this network come with the package.
    """
    folder = _FOLDER / model_name
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in _FOLDER.iterdir() if path.is_dir()))
        raise ValueError(
            f"no names of {model_name} come with this package ({known} has some): give a concept set, "
            "--concepts coco:DIR or another"
        )
    return Dissection.load(folder)
