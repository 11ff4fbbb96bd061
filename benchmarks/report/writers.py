"""Write sections as HTML, Markdown and LaTeX through Jinja templates, and each figure as SVG."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.fitting.cell import PIXELS
from benchmarks.io import escaping
from benchmarks.io.formatting import moment
from benchmarks.io.results import Results
from benchmarks.io.run_files import subfolder, write_text
from benchmarks.io.run_record import data_name, is_synthetic
from benchmarks.report.blocks import Figure, Section, Table

TEMPLATES = Path(__file__).parent / "templates"
FIGURES = "figures"


@dataclass(frozen=True)
class Mark:
    """A warning that every page and caption carries: a name, a sentence and a short form."""

    name: str
    text: str
    short: str


SYNTHETIC = Mark(
    "SYNTHETIC DATA",
    "These images were drawn by a program. The numbers test the software; they prove nothing about "
    "radiographs.",
    "proves nothing about radiographs",
)
OUTPUTS = {"report.html": "html", "report.md": "markdown", "tables.tex": "latex"}


def write_report(results: Results, sections: Mapping[str, Section]) -> None:
    """Write every output of a report into the run folder, each file atomically.

    Parameters
    ----------
    results : Results
    sections : mapping of str to Section
        In the order of the report; the keys become anchors.
    """
    network = " and a CNN" if (results.scores["features"] == PIXELS).any() else ""
    title = f"Classical features{network} on {data_name(results)}"
    values = _values(results, title, sections)
    figures = subfolder(results.folder, FIGURES)
    for section in sections.values():
        for block in section.blocks:
            if isinstance(block, Figure):
                write_text(figures / f"{block.name}.svg", _standalone(block.svg))
    for output, kind in OUTPUTS.items():
        text = _environment(kind).get_template(f"{output}.jinja").render(values)
        write_text(results.folder / output, text)


def html_page(results: Results, title: str, sections: Mapping[str, Section]) -> str:
    """Render sections as one HTML page in the style of the report, with the run's warnings.

    Parameters
    ----------
    results : Results
    title : str
    sections : mapping of str to Section
        The keys become anchors.

    Returns
    -------
    str
    """
    values = _values(results, title, sections)
    return _environment("html").get_template("report.html.jinja").render(values)


def write_pages(results: Results, title: str, sections: Mapping[str, Section]) -> None:
    """Write sections as ``report.html`` and ``report.md`` into a folder, without figures.

    Parameters
    ----------
    results : Results
        Of which the folder and the record are used.
    title : str
    sections : mapping of str to Section
        The keys become anchors.
    """
    values = _values(results, title, sections)
    for output in ("report.html", "report.md"):
        template = _environment(OUTPUTS[output]).get_template(f"{output}.jinja")
        write_text(results.folder / output, template.render(values))


def _values(results: Results, title: str, sections: Mapping[str, Section]) -> dict[str, Any]:
    return {
        "title": title,
        "started": moment(str(results.run.get("times", {}).get("started", ""))),
        "data": data_name(results),
        "run": results.run,
        "marks": marks(results),
        "sections": dict(sections),
        "numbers": _numbers(sections),
    }


def marks(results: Results) -> list[Mark]:
    """Return the warnings that every page must carry.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of Mark
    """
    found = [SYNTHETIC] if is_synthetic(results) else []
    sets = [results.run.get("data", {}), *results.run.get("test_data", {}).values()]
    text = " ".join(str(one["leakage"]) for one in sets if one.get("leakage"))
    return [*found, Mark("LEAKAGE ALLOWED", text, "scores can't be trusted")] if text else found


def _numbers(sections: Mapping[str, Section]) -> dict[str, int]:
    blocks = [block for section in sections.values() for block in section.blocks]
    figures = [f"figure-{block.name}" for block in blocks if isinstance(block, Figure)]
    tables = [
        f"table-{block.name}"
        for block in blocks
        if isinstance(block, Table) and block.caption and "html" in block.formats
    ]
    return {name: k for names in (figures, tables) for k, name in enumerate(names, start=1)}


def _standalone(svg: str) -> str:
    return f'<?xml version="1.0" encoding="utf-8"?>\n{svg}\n'


@cache
def _environment(kind: str) -> Environment:
    common: dict[str, Any] = {
        "loader": FileSystemLoader(TEMPLATES),
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "keep_trailing_newline": True,
    }
    if kind == "html":
        environment = Environment(autoescape=True, finalize=_printable_html, **common)
        environment.filters["safe_svg"] = Markup
        environment.filters["data_uri"] = _data_uri
        return environment
    escape: Callable[[object], escaping.Raw] = getattr(escaping, kind)
    if kind == "latex":
        # Braces and percent signs have a meaning in LaTeX, so its templates use other delimiters.
        common |= {
            "block_start_string": "<%", "block_end_string": "%>",
            "variable_start_string": "<<", "variable_end_string": ">>",
            "comment_start_string": "<#", "comment_end_string": "#>",
        }  # fmt: skip
    # finalize escapes everything that a template prints, as autoescape does for HTML.
    environment = Environment(autoescape=False, finalize=escape, **common)
    environment.filters["as_is"] = escaping.Raw
    return environment


def _printable_html(value: object) -> object:
    return value if isinstance(value, Markup) else escaping.printable(value)


def _data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")
