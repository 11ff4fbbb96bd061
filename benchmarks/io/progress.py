"""Progress: bars on a terminal, lines elsewhere, nothing if quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
LINE_EVERY = 30.0  # seconds, without a terminal


def say(message: str, quiet: bool) -> None:
    """Print one line to standard error, above any bar.

    Parameters
    ----------
    message : str
    quiet : bool
        Whether to print nothing.
    """
    if not quiet:
        tqdm.write(message, file=sys.stderr)


class Steps:
    """Progress display of one stage: steps done, rate and time left; a context manager.

    Parameters
    ----------
    stage : str
        Name of the stage.
    total : int
        Number of steps; 0 if it is set later by :meth:`reach`.
    unit : str
        What is counted, in the plural.
    quiet : bool
        Whether to display nothing.
    """

    def __init__(self, stage: str, total: int, unit: str, quiet: bool) -> None:
        self.stage, self.total, self.unit = stage, total, unit
        self.done = self._earlier = 0
        self._start = self._printed = time.monotonic()
        terminal = sys.stderr.isatty()
        self._lines = not quiet and not terminal
        hidden = quiet or not terminal
        self._bar = tqdm(total=total, desc=stage, unit=f" {unit}", disable=hidden, leave=False)

    def __enter__(self) -> Steps:
        """Show the display."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self._bar.close()

    def show(self, note: str) -> None:
        """Show beside the bar what is in progress.

        Parameters
        ----------
        note : str
        """
        self._bar.set_postfix_str(note)

    def advance(self, count: int = 1) -> None:
        """Count steps as done.

        Parameters
        ----------
        count : int
        """
        self.reach(self.done + count, self.total)

    def reach(self, done: int, total: int) -> None:
        """Set the number of steps done.

        Parameters
        ----------
        done, total : int
            If the total was unknown, all steps before the first reported one count as done in an
            earlier run, and not towards the rate.
        """
        if not self.total:
            self._bar.initial = self.done = self._earlier = done - 1
        count, self.done = done - self.done, done
        self.total = self._bar.total = total
        self._bar.update(count)
        now = time.monotonic()
        if self._lines and 0 < self.done < self.total and now - self._printed >= LINE_EVERY:
            self._printed = now
            say(self._line(now - self._start), quiet=False)

    def _line(self, seconds: float) -> str:
        rate = (self.done - self._earlier) / seconds
        return (
            f"  {self.stage}: {self.done:,} of {self.total:,} {self.unit}, {rate:.3g} per second, "
            f"{(self.total - self.done) / rate:.0f} s left"
        )


def track(items: Iterable[T], stage: str, total: int, unit: str, quiet: bool) -> Iterator[T]:
    """Yield items and count each as done when the next one is requested.

    Parameters
    ----------
    items : iterable
    stage : str
        Name of the stage.
    total : int
        Number of items.
    unit : str
        What is counted, in the plural.
    quiet : bool
        Whether to display nothing.

    Yields
    ------
    object
        The items.
    """
    with Steps(stage, total, unit, quiet) as steps:
        for item in items:
            yield item
            steps.advance()
