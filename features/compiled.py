"""Compile a kernel at first use and keep the machine code on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numba
import numpy as np
from numba.core import event
from numpy.typing import NDArray


class Describer(Protocol):
    """What :func:`warm_up` needs of a descriptor."""

    def describe_batch(self, images: NDArray[np.uint8], /) -> object:
        """Describe a batch: ``(n, H, W)`` uint8."""


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


class _Once(event.Listener):
    """Call a function when the first compilation starts."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def on_start(self, event: event.Event) -> None:
        call, self.call = self.call, None
        if call is not None:
            call()

    def on_end(self, event: event.Event) -> None:
        pass


def warm_up(
    descriptors: Iterable[Describer], shape: tuple[int, int], on_compile: Callable[[], object]
) -> float:
    """Compile the kernels of some descriptors, or load their machine code, before they are used.

    Threads that start together would wait for the first of them to compile, and processes would
    each compile.

    Parameters
    ----------
    descriptors : iterable of ImageDescriptor
        As they will be used.
    shape : (int, int)
        Height and width of the images in pixels.
    on_compile : callable without arguments
        Called once, just before the first kernel is compiled; not at all if the machine code of
        all is on disk or in this process.

    Returns
    -------
    float
        Seconds taken.

    Examples
    --------
    >>> from features.intensity import Intensity
    >>> warm_up([Intensity()], (64, 64), on_compile=lambda: None) < 60
    True
    """
    start = time.perf_counter()
    image = np.zeros((1, *shape), np.uint8)
    # Numba tells of a compilation, not of machine code that it loads.
    with event.install_listener("numba:compile", _Once(on_compile)):
        for descriptor in descriptors:
            descriptor.describe_batch(image)
    return time.perf_counter() - start
