"""References of data and methods, and the licence of the data."""

from __future__ import annotations

from benchmarks.io.results import Results
from benchmarks.paper.bibliography import address, in_words, used
from benchmarks.paper.references import DATA, references
from benchmarks.report.blocks import (
    Block,
    Bullets,
    Code,
    Link,
    Part,
    Section,
    Subheading,
    paragraph,
)

_UNKNOWN_CITATION = "not known to the program; cite the source of the data"


def render(results: Results) -> Section:
    """Cite the data with its licence, and the works that the finished cells and tables use.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    data = results.run.get("data", {})
    keys = [key for key in used(results) if key not in DATA]
    blocks: list[Block] = [
        Subheading("Data"),
        paragraph(
            f"{data.get('name', 'Unnamed data')}. Citation: "
            f"{(data.get('citation') or _UNKNOWN_CITATION).rstrip('.')}. Licence: "
            f"{data.get('licence') or 'not known to the program; ask the owner of the data'}."
        ),
    ]
    if keys:
        blocks += [
            Subheading("Methods"),
            paragraph("Works used by the finished parts of this run; BibTeX entries are in ",
                      Code("references.bib"), "."),
            Bullets(tuple(_reference(key) for key in keys)),
        ]  # fmt: skip
    return Section("References and licence", tuple(blocks))


def _reference(key: str) -> tuple[Part, ...]:
    """Link to a DOI, which is permanent; other addresses are shown as text."""
    words, (text, url) = f"{references()[key].what}: {in_words(key)} ", address(key)
    return (words, Link(text, url)) if references()[key].doi else (words, text)
