"""What the user sees while waiting: bars on a terminal, plain lines elsewhere, nothing if quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
LINE_EVERY = 30.0  # seconds, where there is no terminal


def say(message: str, quiet: bool) -> None:
    """Print one line to standard error, above any bar."""
    if not quiet:
        tqdm.write(message, file=sys.stderr)


class Steps:
    """Display of one stage: how much is done, what is in work, rate and time left.

    Parameters
    ----------
    stage : str
    total : int
        0 if it is told later, by :meth:`reach`.
    unit : str
        What is counted, in the plural.
    quiet : bool
    """

    def __init__(self, stage: str, total: int, unit: str, quiet: bool) -> None:
        self.stage, self.total, self.unit = stage, total, unit
        self.done = self._earlier = 0
        self._start = self._said = time.monotonic()
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
        """Say what is in work, beside the bar."""
        self._bar.set_postfix_str(note)

    def advance(self, count: int = 1) -> None:
        """Count steps as done."""
        self.reach(self.done + count, self.total)

    def reach(self, done: int, total: int) -> None:
        """Tell how many steps are done, of how many; those before the first told were earlier."""
        if not self.total:
            self._bar.initial = self.done = self._earlier = done - 1
        count, self.done = done - self.done, done
        self.total = self._bar.total = total
        self._bar.update(count)
        now = time.monotonic()
        if self._lines and 0 < self.done < self.total and now - self._said >= LINE_EVERY:
            self._said = now
            say(self._line(now - self._start), quiet=False)

    def _line(self, seconds: float) -> str:
        rate = (self.done - self._earlier) / seconds
        return (
            f"  {self.stage}: {self.done:,} of {self.total:,} {self.unit}, {rate:.3g} a second, "
            f"{(self.total - self.done) / rate:.0f} s left"
        )


def track(items: Iterable[T], stage: str, total: int, unit: str, quiet: bool) -> Iterator[T]:
    """Yield items, counting each as done when the next is asked for."""
    with Steps(stage, total, unit, quiet) as steps:
        for item in items:
            yield item
            steps.advance()
