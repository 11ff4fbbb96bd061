"""The command ``audit``: check a data set, write tables and a summary, fit nothing."""

from __future__ import annotations

from pathlib import Path

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.audit.findings import NOTE, STOP, Audit, summary
from benchmarks.audit.patient_groups import keep_together
from benchmarks.config import RunConfig
from benchmarks.datasets import splits
from benchmarks.io.progress import say
from benchmarks.io.results import write_table
from benchmarks.run.run_folder import new_folder

NOTHING_STOPS, SOMETHING_STOPS = 0, 1


def audit_data(config: RunConfig) -> int:
    """Audit data and write ``audit.csv`` and ``audit_images.csv``.

    Parameters
    ----------
    config : RunConfig
        ``data``, ``out``, ``image_size``, ``jobs``, ``limit``, ``max_unreadable`` and ``quiet``
        apply.

    Returns
    -------
    int
        0 if the data may be used in a run, 1 if the audit would stop it.

    Raises
    ------
    ConfigError
        If the folder is not empty or can't be written.
    DataError
        If the data can't be read or split.
    """
    with new_folder(config) as folder:
        return _audit(config.model_copy(update={"out": folder}), folder)


def _audit(config: RunConfig, folder: Path) -> int:
    dataset = datasets.load(config, datasets.image_size(config))
    found = audit(dataset)
    dataset = found.dataset or dataset
    write_table(folder, "audit", found.findings)
    write_table(folder, "audit_images", found.images)
    for note in dataset.notes:
        say(f"  {note}", config.quiet)
    _say(found, config.quiet)
    say(f"Findings: {folder / 'audit.csv'}", config.quiet)
    groups = keep_together(dataset.manifest, found.duplicates)
    joined = dataset.manifest.assign(group=groups)
    splits.assign(joined, allow_leakage=True, classes=dataset.classes)
    return SOMETHING_STOPS if found.count(STOP) else NOTHING_STOPS


def _say(found: Audit, quiet: bool) -> None:
    say(summary(found), quiet)
    serious = found.findings[found.findings["severity"] != NOTE]
    for one in serious.to_dict("records"):
        say(f"  {one['severity']}: {one['check']}: {one['detail']}", quiet)
