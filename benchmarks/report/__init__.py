"""The report of a run, rendered from its tables alone: HTML, Markdown and LaTeX.

A section is one file with ``render(results) -> Section`` and one line in ``SECTIONS``.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.io.results import read_results
from benchmarks.paper import files as paper
from benchmarks.report.sections import (
    all_metrics,
    audit,
    balancing,
    calibration,
    confusion,
    curves,
    data,
    decision,
    differences,
    gap,
    importance,
    leakage,
    learning,
    limits,
    matched,
    methods,
    mistakes,
    multiclass,
    prevalence,
    published,
    settings,
    shortcuts,
    sources,
    subgroups,
    summary,
    training,
)
from benchmarks.report.writers import write_report

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
    "shortcuts": shortcuts.render,
    "importance": importance.render,
    "leakage": leakage.render,
    "balancing": balancing.render,
    "learning": learning.render,
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
MULTICLASS_SECTIONS = {
    "summary": multiclass.render,
    "confusion": multiclass.render_confusions,
    **{
        key: SECTIONS[key]
        for key in ("training", "audit", "data", "settings", "sources", "methods")
    },
    "limits": multiclass.render_limits,
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
    several = results.run.get("config", {}).get("task") == "subtype"
    sections = MULTICLASS_SECTIONS if several else SECTIONS
    write_report(results, {key: render(results) for key, render in sections.items()})
    if not several:  # its tables and checklists are of two classes
        paper.write_paper(results)
