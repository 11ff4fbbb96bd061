"""What is known about the origin of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """What is known about the origin of a data set.

    Attributes
    ----------
    licence, citation : str
        Empty if not known.
    limitations : tuple of str
        Sentences on whom and what the data represent, for the report.
    facts : mapping of str to str
        What the authors of the data state, for the checklists: ``setting``, ``eligible``,
        ``acquired``, ``annotators`` and ``test_annotators``.
    """

    licence: str
    citation: str
    limitations: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


UNKNOWN = Source("", "")
