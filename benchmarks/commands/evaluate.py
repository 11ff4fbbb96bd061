"""The command ``evaluate``: score another labelled data set with the fitted cells of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.commands.predict import say_versions
from benchmarks.commands.report import render_report
from benchmarks.config import READING, ConfigError, load_config
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.external_test.evaluation import score_set, tabulate_set
from benchmarks.external_test.external_set import audit_external, read_external
from benchmarks.io.progress import say
from benchmarks.io.results import Results, read_results, write_run
from benchmarks.io.run_record import class_pair
from benchmarks.run.run_folder import locked
from benchmarks.saved.reopen_run import load_same_data
from benchmarks.saved.stored_config import read_record, require_two_classes, stored_config

LOCAL = ("weights", "jobs", "quiet")  # options of this machine
EACH = ("limit", "max_unreadable")  # options of the external set


def evaluate(
    run_dir: Path,
    data: str,
    given: dict[str, Any],
    *,
    run_data: str | None = None,
    only_test: bool = False,
    features_from: Any = None,
) -> None:
    """Score an external test set, write its tables into the run folder, render the report again.

    Parameters
    ----------
    run_dir : Path
        Run folder with saved models.
    data : str
        ``NAME=DATA``: a name for the set, and what ``--data`` of a run takes.
    given : dict
        Options by field of ``RunConfig``: how the set is read (``READING``), ``limit``,
        ``max_unreadable``, ``allow_leakage``, and ``weights``, ``jobs``, ``quiet``.
    run_data : str, optional
        The run's data, if they have moved since the run.
    only_test : bool
        Whether to use the set's own test split only; all its images by default.
    features_from : object, optional
        Name and table of each feature set that the run read from a table, for the images of the
        set; see :func:`benchmarks.option_values.names_and_files`.

    Raises
    ------
    RunError
        If the folder is no run folder, has no models, or the run has more than two classes.
    ConfigError
        If an option can't be used.
    DataError
        If the set can't be read, its classes are not those of the run, or it shares images with
        those that the run was fitted on.
    ModelFileError
        If a saved model is damaged or unsafe.

    Notes
    -----
    Nothing is fitted or chosen. Tables of an earlier set with the same name are replaced.
    """
    asked = load_config({"test_data": [data]} | {k: given[k] for k in (*READING, *EACH)
                                                 if k in given})  # fmt: skip
    ((name, path),) = asked.test_data
    with locked(run_dir, "RUN_DIR"):
        here = {"quiet": False} | {key: given[key] for key in LOCAL if key in given}
        config = stored_config(run_dir, here)
        run = read_results(run_dir)
        require_two_classes(config, run_dir, "evaluate")
        say_versions(run)
        reading = {key: getattr(asked, key) for key in READING if key in given}
        of_set = config.model_copy(update={key: getattr(asked, key) for key in EACH})
        dataset = read_external(of_set, path, reading, class_pair(run), only_test=only_test)
        known = _run_images(run, run_dir, given, run_data)
        external = audit_external(
            name, dataset, run.manifest, known,
            patients_known=bool(run.run["data"].get("groups_known", True)),
            allow_leakage=bool(given.get("allow_leakage")), only_test=only_test,
        )  # fmt: skip
        say(f"{name}: {external.summary()}", config.quiet)
        score_set(run_dir, config, external, known, features_from)
        record = read_record(run_dir)
        record.setdefault("test_data", {})[name] = {
            **external.record(), "data": path, "limit": asked.limit,
        }  # fmt: skip
        write_run(run_dir, record)
        tabulate_set(run_dir, name)
        render_report(run_dir)
    say(f"Report: {run_dir / 'report.html'}", config.quiet)


def _run_images(
    run: Results, run_dir: Path, given: dict[str, Any], moved: str | None
) -> Dataset | None:
    """Read the run's data, to look for near duplicates; None if they can't be read."""
    options: dict[str, Any] = {"quiet": False} | {
        key: given[key] for key in ("jobs", "quiet") if key in given
    }
    options |= {"data": moved} if moved else {}
    try:
        return load_same_data(run, stored_config(run_dir, options))
    except (DataError, ConfigError) as error:
        if moved:
            raise
        say(
            f"CAUTION: the run's data can't be read, so near duplicates of its images can't be "
            f"looked for ({error}) Give them with --run-data.",
            quiet=False,
        )
        return None
