"""Blocks of a report: paragraphs, tables, figures. Every output format can write each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Link:
    """A link inside a paragraph; ``url`` comes from the program, never from the data."""

    text: str
    url: str
    kind: ClassVar[str] = "link"


@dataclass(frozen=True)
class Strong:
    """Emphasised words of a paragraph."""

    text: str
    kind: ClassVar[str] = "strong"


@dataclass(frozen=True)
class Code:
    """A name or command, set in a fixed-width font."""

    text: str
    kind: ClassVar[str] = "code"


ALL_FORMATS = ("html", "markdown", "latex")
Part = str | Link | Strong | Code


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; with the tone ``"note"`` it is highlighted."""

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
    """A bulleted list, one item per line."""

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
        Shown below the value in small print, e.g. an interval.
    spread : str
        Standard deviation over seeds, if there are several.
    best : bool
        Whether it is the best of its column.
    span : int
        Number of columns it covers.
    reason : str
        Why there are no values; shown as a numbered note below the table.
    """

    text: str
    detail: str = ""
    spread: str = ""
    best: bool = False
    span: int = 1
    reason: str = ""


@dataclass(frozen=True)
class Group:
    """A heading over neighbouring columns.

    Attributes
    ----------
    title : str
        Empty for columns without one.
    span : int
        Number of columns it covers.
    short : str
        Added in brackets to each heading in Markdown, which has one heading row; may be empty.
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
        Number of leading columns that hold text; the others hold numbers.
    breaks : tuple of int
        Rows above which a rule is drawn.
    note : str
        Shown below the table.
    formats : tuple of str
        Output formats that include it, of ``html``, ``markdown`` and ``latex``.
    words : bool
        Whether labels may be long and wrap anywhere, as file names and settings do.
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
        """Return the heading of each column, with its group's short name in brackets."""
        groups = [group.short for group in self.groups for _ in range(group.span)]
        groups = groups or [""] * len(self.header)
        return [
            f"{title} ({group})" if group else title
            for title, group in zip(self.header, groups, strict=True)
        ]

    def reasons(self) -> list[str]:
        """Return the reasons of all cells without repetition, in the order of their numbers."""
        return list(dict.fromkeys(cell.reason for row in self.rows for cell in row if cell.reason))

    def spans(self) -> list[tuple[int, int]]:
        """Return the first and last column, counted from 1, of each group that has a title."""
        found, first = [], 1
        for group in self.groups:
            if group.title:
                found.append((first, first + group.span - 1))
            first += group.span
        return found


@dataclass(frozen=True)
class Figure:
    """A figure: ``svg`` is a complete SVG element, also saved as ``figures/<name>.svg``."""

    name: str
    caption: str
    alt: str
    svg: str
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Picture:
    """A thumbnail; ``data`` are the bytes of a PNG, empty if there is no image."""

    data: bytes
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Pictures:
    """Thumbnails of radiographs, in report.html only so that they are not published by accident."""

    caption: str
    items: tuple[Picture, ...]
    kind: ClassVar[str] = "pictures"


Block = Paragraph | Subheading | Bullets | Table | Figure | Pictures


@dataclass(frozen=True)
class Section:
    """A section of the report: a title and blocks."""

    title: str
    blocks: tuple[Block, ...]


def paragraph(*parts: Part) -> Paragraph:
    """Make a paragraph.

    Parameters
    ----------
    *parts : Part

    Returns
    -------
    Paragraph
    """
    return Paragraph(parts)


def text_section(title: str, *parts: Part) -> Section:
    """Make a section of one paragraph, as where there is nothing to show.

    Parameters
    ----------
    title : str
    *parts : str, Link, Strong or Code

    Returns
    -------
    Section
    """
    return Section(title, (Paragraph(parts),))


def note(*parts: Part) -> Paragraph:
    """Make a highlighted paragraph.

    Parameters
    ----------
    *parts : Part

    Returns
    -------
    Paragraph
    """
    return Paragraph(parts, tone="note")


def row(*texts: object) -> tuple[Cell, ...]:
    """Make a table row of plain values.

    Parameters
    ----------
    *texts : object
        One value per cell.

    Returns
    -------
    tuple of Cell

    Examples
    --------
    >>> [cell.text for cell in row("NORMAL", 1349)]
    ['NORMAL', '1349']
    """
    return tuple(Cell(str(text)) for text in texts)


def not_included(title: str, study: str) -> Section:
    """Make the section of a study that was not part of the run.

    Parameters
    ----------
    title : str
    study : str
        Value of ``--study`` that includes it.

    Returns
    -------
    Section
    """
    return text_section(
        title, "This run did not include this study. To include it, add ",
        Code(f"--study {study}"), " or ", Code("--full"), ".",
    )  # fmt: skip


def none_finished(title: str, reason: str) -> Section:
    """Make the section of a study in which no fit finished.

    Parameters
    ----------
    title : str
    reason : str
        Of the first fit.

    Returns
    -------
    Section
    """
    return text_section(title, f"No fit of this study finished: {reason.rstrip('.')}.")
