"""Where do downloaded files stay? One folder, which an environment variable moves.

    cache.weights("resnet18_places365.pth.tar")     # ~/.cache/neuro-explain/weights/resnet18_places365.pth.tar

Asking makes no folder; whoever writes there does. Weights that torchvision, timm or Hugging Face publish stay in the
caches of those libraries, where other programs find them too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "NEURO_EXPLAIN_CACHE"
"""The environment variable that moves the folder."""

_NAME = "neuro-explain"


def folder() -> Path:
    """The folder of all that is kept: `$NEURO_EXPLAIN_CACHE`, or the system's usual place for caches.

    That place is `$XDG_CACHE_HOME/neuro-explain`, otherwise `~/.cache/neuro-explain`; on Windows
    `%LOCALAPPDATA%\\neuro-explain`. An empty variable counts as none, and so does a relative `XDG_CACHE_HOME`, as
    its standard demands. The program's own variable may be relative, to the current folder, and may begin with `~`.
    """
    own = os.environ.get(VARIABLE)
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    if base and Path(base).is_absolute():
        return Path(base) / _NAME
    return Path.home() / ".cache" / _NAME


def weights(file: str) -> Path:
    """Where the weights file of this name is kept, whether or not it is there."""
    return folder() / "weights" / file
