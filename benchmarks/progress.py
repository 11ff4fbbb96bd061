"""What the user sees while waiting: bars on a terminal, plain lines elsewhere, nothing if quiet."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def say(message: str, quiet: bool) -> None:
    """Print one line to standard error, above any bar."""
    if not quiet:
        tqdm.write(message, file=sys.stderr)


def track(items: Iterable[T], what: str, total: int, quiet: bool) -> Iterator[T]:
    """Yield items under a bar with rate and time left; no bar where there is no terminal."""
    return iter(tqdm(items, desc=what, total=total, disable=quiet or None, leave=False))
