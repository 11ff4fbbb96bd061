"""What a report is made of: sections of blocks, each of which every output format can write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Link:
    """A link inside a paragraph; ``url`` is ours, never foreign."""

    text: str
    url: str
    kind: ClassVar[str] = "link"


@dataclass(frozen=True)
class Strong:
    """Words that a paragraph stresses."""

    text: str
    kind: ClassVar[str] = "strong"


@dataclass(frozen=True)
class Code:
    """A name or command, set in a fixed width."""

    text: str
    kind: ClassVar[str] = "code"


Part = str | Link | Strong | Code


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; ``tone`` ``"note"`` sets it apart."""

    parts: tuple[Part, ...]
    tone: str = ""
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Subheading:
    """A heading inside a section."""

    text: str
    kind: ClassVar[str] = "subheading"


@dataclass(frozen=True)
class Bullets:
    """A list, one item a line."""

    items: tuple[tuple[Part, ...], ...]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes
    ----------
    text : str
        The value.
    detail : str
        What stands below it in small print: an interval.
    spread : str
        Standard deviation over seeds, if there are several.
    best : bool
        Whether it is the best of its column.
    span : int
        Columns it covers.
    """

    text: str
    detail: str = ""
    spread: str = ""
    best: bool = False
    span: int = 1


@dataclass(frozen=True)
class Group:
    """A heading over neighbouring columns.

    Attributes
    ----------
    title : str
        Empty for columns without one.
    span : int
        Columns that it covers.
    short : str
        What Markdown, which has one heading a column, puts in brackets behind each; may be empty.
    """

    title: str
    span: int
    short: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption.

    Attributes
    ----------
    name : str
        Anchor in HTML, label in LaTeX.
    caption : str
    header : tuple of str
    rows : tuple of rows
        The spans of a row add up to the header's length.
    groups : tuple of Group
        Their spans add up to the header's length.
    labels : int
        Leading columns that hold words; the others hold numbers.
    breaks : tuple of int
        Rows above which a rule is drawn.
    note : str
        Below the table.
    formats : tuple of str
        Outputs that show it: of ``html``, ``markdown``, ``latex``.
    words : bool
        Whether its labels may be long and break anywhere: file names, settings.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    groups: tuple[Group, ...] = ()
    labels: int = 1
    breaks: tuple[int, ...] = ()
    note: str = ""
    formats: tuple[str, ...] = ("html", "markdown")
    words: bool = False
    kind: ClassVar[str] = "table"

    def titles(self) -> list[str]:
        """Headings of the columns, each with its group's short name in brackets."""
        groups = [group.short for group in self.groups for _ in range(group.span)]
        groups = groups or [""] * len(self.header)
        return [
            f"{title} ({group})" if group else title
            for title, group in zip(self.header, groups, strict=True)
        ]

    def spans(self) -> list[tuple[int, int]]:
        """First and last column, from 1, of each group that has a name."""
        found, first = [], 1
        for group in self.groups:
            if group.title:
                found.append((first, first + group.span - 1))
            first += group.span
        return found


@dataclass(frozen=True)
class Figure:
    """A drawing: ``svg`` is a whole SVG element, also saved as ``figures/<name>.svg``."""

    name: str
    caption: str
    alt: str
    svg: str
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Picture:
    """One small image of a row of pictures; ``data`` is a PNG's bytes, empty if there is none."""

    data: bytes
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Pictures:
    """A row of radiographs: in report.html only, so that none leaves the run folder by accident."""

    caption: str
    items: tuple[Picture, ...]
    kind: ClassVar[str] = "pictures"


Block = Paragraph | Subheading | Bullets | Table | Figure | Pictures


@dataclass(frozen=True)
class Section:
    """A part of the report: a title and blocks."""

    title: str
    blocks: tuple[Block, ...]


def paragraph(*parts: Part) -> Paragraph:
    """Shorthand for a paragraph of parts."""
    return Paragraph(parts)


def note(*parts: Part) -> Paragraph:
    """Shorthand for a paragraph that is set apart."""
    return Paragraph(parts, tone="note")


def row(*texts: object) -> tuple[Cell, ...]:
    """Shorthand for a table row of plain values.

    Examples
    --------
    >>> [cell.text for cell in row("NORMAL", 1349)]
    ['NORMAL', '1349']
    """
    return tuple(Cell(str(text)) for text in texts)
