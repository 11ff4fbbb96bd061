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
    """Interface of a descriptor that :func:`warm_up` uses."""

    def describe_batch(self, images: NDArray[np.uint8], /) -> object:
        """Describe several images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, d)
        """


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function with Numba when it is first called.

    It runs without the global interpreter lock, so that threads describe images in parallel.
    Floating-point operations are neither reordered nor fused, so a value does not depend on the
    processor's vector width. Machine code is stored beside the source or, if that folder is not
    writable, in the user's cache folder; if neither is, every process compiles again.

    Parameters
    ----------
    function : callable
        On arrays and numbers. Compiled functions that it calls must be in the same file, since
        Numba detects only changes of the function's own file.

    Returns
    -------
    callable
        Same arguments, same result.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no writable folder for the cache
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
    """Compile the kernels of descriptors, or load their machine code, before they are used.

    Otherwise, threads that start together would wait for the first of them to compile, and each
    process would compile.

    Parameters
    ----------
    descriptors : iterable of ImageDescriptor
        As they will be used.
    shape : (int, int)
        Height and width of the images in pixels.
    on_compile : callable without arguments
        Called once, just before the first kernel is compiled. Not called if the machine code of
        all kernels is on disk or in this process.

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
    # Numba reports compilations, but not machine code that it loads.
    with event.install_listener("numba:compile", _Once(on_compile)):
        for descriptor in descriptors:
            descriptor.describe_batch(image)
    return time.perf_counter() - start
