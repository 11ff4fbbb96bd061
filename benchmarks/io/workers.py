"""Worker processes that end with the run, and signals that end it cleanly."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from joblib import Parallel
from joblib.externals.loky import get_reusable_executor

SIGNALS = (signal.SIGINT, signal.SIGTERM)
UNIX_SIGNAL = 128  # exit code of a program ended by signal n: 128 + n


_heard: list[int] = []  # the signal that came first


class Interrupted(BaseException):
    """The user or the system asked the program to end.

    Attributes
    ----------
    exit_code : int
        130 for SIGINT (Ctrl-C), 143 for SIGTERM.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = UNIX_SIGNAL + signum


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into `Interrupted`, and don't hear the later ones.

    Where it falls into a destructor or callback, Python would print it and go on: it is not
    printed, and `check_interrupted` raises it again.
    """
    told = sys.unraisablehook

    def interrupt(signum: int, _: FrameType | None) -> None:
        if not _heard:
            _heard.append(signum)
            raise Interrupted(signum)

    def tell(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Interrupted):
            told(unraisable)

    _heard.clear()
    sys.unraisablehook = tell
    before = {each: signal.signal(each, interrupt) for each in SIGNALS}
    try:
        yield
    finally:
        _heard.clear()
        sys.unraisablehook = told
        for each, handler in before.items():
            signal.signal(each, handler)


def check_interrupted() -> None:
    """Raise `Interrupted` again where a destructor or a callback swallowed it."""
    if _heard:
        raise Interrupted(_heard[0])


def parallel(jobs: int, **options: Any) -> Parallel:
    """Make processes that leave Ctrl-C to the main program and don't outlive it.

    See ``joblib.Parallel`` for ``options``.
    """
    start = {"initializer": _serve, "initargs": (os.getpid(),)}
    return Parallel(n_jobs=jobs, backend="loky", **start, **options)


def stop_workers() -> None:
    """End all worker processes at once."""
    get_reusable_executor(kill_workers=True, reuse=True).shutdown(wait=True, kill_workers=True)


def _serve(main_program: int) -> None:
    """Set up a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(main_program,), daemon=True).start()


def _end_with(main_program: int) -> None:
    """End this process when the main program is gone, even by SIGKILL."""
    while os.getppid() == main_program:
        time.sleep(1)
    os._exit(1)
