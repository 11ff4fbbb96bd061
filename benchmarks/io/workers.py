"""Worker processes that end with the run, and signals that end the run cleanly."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from joblib import Parallel
from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor, get_reusable_executor

from benchmarks.errors import OutOfMemory

T = TypeVar("T")
WORKER_KILLED = (BrokenProcessPool,)  # raised if a worker process is killed
SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOKY_START = ProcessPoolExecutor._ensure_executor_running.__code__
FEW_FILES = 200  # so many take less time to read than worker processes to start
UNIX_SIGNAL = 128  # exit code of a program ended by signal n: 128 + n


_received: list[int] = []  # the first signal


class Interrupted(BaseException):
    """The user or the system asked the program to end.

    Parameters
    ----------
    signum : int
        Number of the signal.

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
    """Raise `Interrupted` at the first SIGINT or SIGTERM, and ignore later ones.

    An exception raised in a destructor or callback would be printed and lost; this one is not
    printed, and `check_interrupted` raises it again. While worker processes are being started, a
    signal waits until they have started.
    """
    hook = sys.unraisablehook

    def _interrupt(signum: int, frame: FrameType | None) -> None:
        if _starting_workers(frame):
            threading.Timer(0.05, _thread.interrupt_main, (signum,)).start()
        elif not _received:
            _received.append(signum)
            raise Interrupted(signum)

    def _report(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Interrupted):
            hook(unraisable)

    _received.clear()
    sys.unraisablehook = _report
    before = {each: signal.signal(each, _interrupt) for each in SIGNALS}
    try:
        yield
    finally:
        _received.clear()
        sys.unraisablehook = hook
        for each, handler in before.items():
            signal.signal(each, handler)


def _starting_workers(frame: FrameType | None) -> bool:
    """Whether loky is starting processes: cut short, it would leave them without their task."""
    while frame is not None:
        if frame.f_code is LOKY_START:
            return True
        frame = frame.f_back
    return False


def received() -> int:
    """Return the exit code that a received signal asks for, or 0.

    A library that a signal stops may raise an error of its own in place of `Interrupted`.

    Returns
    -------
    int
        130 or 143 if a signal was received, otherwise 0.
    """
    return Interrupted(_received[0]).exit_code if _received else 0


def check_interrupted() -> None:
    """Raise `Interrupted` again if it was raised in a destructor or callback and lost.

    Raises
    ------
    Interrupted
        If a signal was received.
    """
    if _received:
        raise Interrupted(_received[0])


def parallel(jobs: int, **options: Any) -> Parallel:
    """Create worker processes that ignore Ctrl-C and end with the main program.

    Parameters
    ----------
    jobs : int
        Number of processes.
    **options
        Passed to ``joblib.Parallel``.

    Returns
    -------
    joblib.Parallel
    """
    return Parallel(n_jobs=jobs, backend="loky", **_start(), **options)


def in_own_worker(function: Callable[..., T], *args: Any) -> T:
    """Call a function in a new worker process.

    Parameters
    ----------
    function : callable
    *args : object
        Its arguments.

    Returns
    -------
    object
        What the function returns.

    Raises
    ------
    RuntimeError
        One of ``WORKER_KILLED``, if the process is killed.
    """
    stop_workers()
    pool = get_reusable_executor(max_workers=1, **_start())
    try:
        return pool.submit(function, *args).result()
    finally:
        stop_workers()


@contextmanager
def stop_if_memory_runs_out(doing: str) -> Iterator[None]:
    """Raise `OutOfMemory` in place of a MemoryError, here or in a worker process.

    Parameters
    ----------
    doing : str
        What is being done, for the message: "reading a.png".

    Raises
    ------
    OutOfMemory
        If memory runs out, or the system ends a worker process, as Linux does to free memory.
    """
    try:
        yield
    except MemoryError as error:
        raise OutOfMemory(f"{doing} ({error})" if str(error) else doing) from error
    except WORKER_KILLED as error:
        raise OutOfMemory(f"{doing} (a worker process was ended by the system)") from error


def stop_workers() -> None:
    """End all worker processes at once."""
    get_reusable_executor(kill_workers=True, reuse=True).shutdown(wait=True, kill_workers=True)


def _start() -> dict[str, Any]:
    """How a new worker process is set up."""
    return {"initializer": _serve, "initargs": (os.getpid(), *_added())}


def _added() -> tuple[dict[str, Any], dict[str, Any]]:
    """Feature families and classifiers of other packages, which a new process does not know."""
    from features import FEATURES
    from models import MODELS

    families = {name: kind for name, kind in FEATURES.items()
                if kind.__module__.split(".")[0] != "features"}  # fmt: skip
    models = {name: module for name, module in MODELS.items()
              if module.__name__.split(".")[0] != "models"}  # fmt: skip
    return families, models


def _serve(main_program: int, families: dict[str, Any], models: dict[str, Any]) -> None:
    """Set up a worker process."""
    if families or models:
        from features import FEATURES
        from models import MODELS

        FEATURES.update(families)
        MODELS.update(models)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(main_program,), daemon=True).start()


def _end_with(main_program: int) -> None:
    """End this process when the main program has ended, even by SIGKILL."""
    while os.getppid() == main_program:
        time.sleep(1)
    os._exit(1)
