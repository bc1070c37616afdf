"""Gives memory that is free inside the process back to the system.

A network asks for blocks of some megabytes and frees them again, thousands of times; what small things are kept
meanwhile stand between them, and the C library keeps the gaps. Nothing leaks, and still the process would grow.
"""

from __future__ import annotations

import ctypes
from functools import cache


def give_back() -> None:
    """Gives back what is free; where the C library cannot be asked to (it is not GNU's), nothing happens."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> ctypes._NamedFuncPointer | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return None
