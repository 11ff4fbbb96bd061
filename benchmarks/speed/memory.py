"""Memory of a process and its descendants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.2  # seconds


@dataclass
class Peak:
    """Largest resident memory seen; pages that processes share count once.

    Attributes
    ----------
    mib : float
        In MiB.
    """

    mib: float = 0.0


def resident(pid: int) -> float:
    """Measure the proportional resident memory of a process and its descendants.

    Parameters
    ----------
    pid : int

    Returns
    -------
    float
        In MiB.

    Raises
    ------
    OSError
        If the system has no ``/proc/<pid>/smaps_rollup``, which only Linux has.
    """
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    children: list[str] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children += (task / "children").read_text().split()
    return own + sum(_if_alive(int(child)) for child in children)


@contextmanager
def peak_memory(pid: int) -> Iterator[Peak]:
    """Measure the peak memory of a process and its descendants from a thread.

    Parameters
    ----------
    pid : int

    Yields
    ------
    Peak
        Of samples every 0.2 seconds; 0 if the system does not report memory.
    """
    peak, done = Peak(), threading.Event()

    def _watch() -> None:
        while not done.is_set():
            with suppress(OSError, StopIteration):  # it has ended, or is not on Linux
                peak.mib = max(peak.mib, resident(pid))
            done.wait(INTERVAL)

    watcher = threading.Thread(target=_watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _if_alive(pid: int) -> float:
    try:
        return resident(pid)
    except (OSError, StopIteration):
        return 0.0
