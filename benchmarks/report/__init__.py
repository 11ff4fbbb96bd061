"""The report of a run, rendered from its tables alone: HTML, Markdown and LaTeX.

A section is one file with ``render(results) -> Section`` and one line in ``SECTIONS``.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.paper import files as paper
from benchmarks.report import (
    all_metrics,
    audit,
    calibration,
    confusion,
    curves,
    data,
    decision,
    differences,
    gap,
    limits,
    matched,
    methods,
    mistakes,
    prevalence,
    published,
    settings,
    sources,
    subgroups,
    summary,
    training,
)
from benchmarks.report.writers import write_report
from benchmarks.results import read_results

SECTIONS = {
    "summary": summary.render,
    "curves": curves.render,
    "confusion": confusion.render,
    "subgroups": subgroups.render,
    "differences": differences.render,
    "matched": matched.render,
    "calibration": calibration.render,
    "decision": decision.render,
    "prevalence": prevalence.render,
    "gap": gap.render,
    "metrics": all_metrics.render,
    "published": published.render,
    "training": training.render,
    "audit": audit.render,
    "data": data.render,
    "mistakes": mistakes.render,
    "settings": settings.render,
    "sources": sources.render,
    "methods": methods.render,
    "limits": limits.render,
}


def render_report(folder: Path) -> None:
    """Write the report, its figures and what a paper needs into a run folder.

    Parameters
    ----------
    folder : Path
        A folder written by a run. Nothing else is read: neither data nor models.

    Raises
    ------
    RunError
        If the folder or one of its tables is missing or unreadable.

    Notes
    -----
    Rendering the same folder again gives the same bytes.
    """
    results = read_results(folder)
    write_report(results, {key: render(results) for key, render in SECTIONS.items()})
    paper.write_paper(results)
