"""Compile a kernel at first use and keep the machine code on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function with Numba when it is first called.

    It runs without the global interpreter lock, so that threads describe images side by side.
    Floating-point operations are neither reordered nor fused: a value does not depend on the
    processor's vector width. Machine code is kept beside the source or, where that folder can't
    be written, in the user's cache folder; where neither can, each process compiles anew.

    Parameters
    ----------
    function : callable
        On arrays and numbers. Compiled functions it calls must live in the same file: Numba
        notices an edit of the function's own file only.

    Returns
    -------
    callable
        Same arguments, same result.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for the cache
        return numba.njit(**options)(function)
