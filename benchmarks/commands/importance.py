"""The command ``importance``: all methods of importance for the cells of a finished run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from benchmarks.commands.report import render_report
from benchmarks.config import ConfigError
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.study_context import StudyContext
from benchmarks.importance import MORE_METHODS, REFITS, measure
from benchmarks.importance.measured_cell import Tables
from benchmarks.importance.measuring import feature_columns, joined, measure_cells
from benchmarks.importance.shap_values import require_shap
from benchmarks.io.progress import say
from benchmarks.io.results import read_more_tables, write_table
from benchmarks.run.run_folder import locked
from benchmarks.saved.reopen_run import reopen_run
from features.backbone import MissingExtra

KEYS = ("cell", "method", "level", "split", "region")  # new rows replace old rows with these keys


def importance(
    run_dir: Path, given: dict[str, Any], cells: Collection[str] | None, refits: bool = True
) -> None:
    """Measure the importance of features in a finished run and render its report again.

    Parameters
    ----------
    run_dir : Path
        Run folder with fitted models.
    given : dict
        See :func:`benchmarks.saved.reopen_run.reopen_run`.
    cells : collection of str, optional
        Names of cells or their beginnings; all by default.
    refits : bool
        Whether to apply ``MORE_METHODS`` and ``REFITS`` as well, which take longer.

    Raises
    ------
    ConfigError
        If shap is missing, or the run has no such cell.
    RunError, DataError, ModelFileError
        See :func:`benchmarks.saved.reopen_run.reopen_run`.

    Notes
    -----
    Tables are written after each method. Rows of other cells and of methods that are not applied
    remain.
    """
    if refits:
        _require_shap()
    with locked(run_dir, "RUN_DIR"), reopen_run(run_dir, given, cells) as context:
        if not context.finished:
            raise ConfigError(
                f"--cells: got {', '.join(cells or ())}, but expected finished cells on features "
                f"whose models {run_dir} contains. For the CNN, use the command explain."
            )
        results = list(context.finished.values())
        columns = feature_columns(context, results)
        _keep(run_dir, measure(context, results, columns), measured_again=True)
        for tables in _more(context, columns) if refits else ():
            _keep(run_dir, tables)
    render_report(run_dir)
    say(f"Report: {run_dir / 'report.html'}", context.config.quiet)


def _require_shap() -> None:
    """Raise `ConfigError` without shap, before the work rather than after it."""
    try:
        require_shap()
    except MissingExtra as missing:
        raise ConfigError(f"{missing} Or omit what needs it with --no-refits.") from missing


def _more(context: StudyContext, columns: dict[str, Any]) -> Iterator[Tables]:
    best = list(best_cells(context.finished, context.rows).values())
    for name, method in MORE_METHODS.items():
        yield measure_cells(context, best, {name: method}, columns, f"importance, {name}")
    for refit in REFITS.values():
        yield refit(context, columns)


def _keep(run_dir: Path, tables: Tables, measured_again: bool = False) -> None:
    """Write rows in place of old rows with the same keys.

    If the cells are ``measured_again``, their failures of earlier calls are removed as well.
    """
    before = read_more_tables(run_dir, tuple(tables))
    for name, table in tables.items():
        keys = [key for key in KEYS if key in table.columns]
        text = dict.fromkeys(keys, object)  # pandas reads the columns of an empty table as numbers
        new = table[keys].astype(text).fillna("").drop_duplicates()
        old = before[name].astype(text).merge(new, how="left", indicator=True)
        replaced = (old["_merge"] == "both").to_numpy()
        if measured_again and "status" in old:
            failed = (old["status"] != "ok") & old["cell"].isin(new["cell"])
            replaced = replaced | failed.to_numpy()
        write_table(run_dir, name, joined([before[name][~replaced], table], name))
