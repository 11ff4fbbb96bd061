"""Render the report of a run from its tables alone."""

from __future__ import annotations

from pathlib import Path

from benchmarks.io.results import LABELS, read_results
from benchmarks.paper.files import write_paper
from benchmarks.report.labels_page import write_labels_report
from benchmarks.report.sections import MULTICLASS_SECTIONS, SECTIONS
from benchmarks.report.writers import write_report


def render_report(folder: Path) -> None:
    """Write the report, its figures and the files for a paper into a run folder.

    Parameters
    ----------
    folder : Path
        A folder written by a run of one label or several. Nothing else is read: neither data
        nor models.

    Raises
    ------
    RunError
        If the folder or one of its tables is missing or unreadable.

    Notes
    -----
    Rendering the same folder again gives the same bytes.
    """
    if (folder / LABELS).exists():
        write_labels_report(folder)
        return
    results = read_results(folder)
    multiclass = results.run.get("config", {}).get("task") == "subtype"
    sections = MULTICLASS_SECTIONS if multiclass else SECTIONS
    write_report(results, {key: render(results) for key, render in sections.items()})
    if not multiclass:  # the checklists and tables of a paper are for two classes
        write_paper(results)
