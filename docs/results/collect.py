"""Copy the small tables, figures and report of a run into this folder, for the documentation.

    python docs/results/collect.py RUN_DIR CNN_RUN_DIR AUDIT_DIR REGISTERED_RUN_DIR ...

No image of a patient is copied. Absolute paths are shortened to ``path/to``.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
WHOLE = (
    "scores", "features", "gap", "gap_ranks", "shortcuts", "leaky", "leaky_assignments", "learning",
    "learning_gains", "ablation", "resampling", "calibration", "recalibration", "prevalence",
    "matched", "matched_on_test", "subgroups", "leading", "patients", "sample_size",
)  # fmt: skip
LAST = ("combined", "pixels")
LEVELS = ("family", "subfamily")  # of importance.csv; regions would be thousands of rows


def main(run: Path, network: Path, audit: Path, *registered: Path) -> None:
    """Copy the results of ``run``, the gap of ``network``, the audit, scores of ``registered``."""
    for name in WHOLE:
        shutil.copy(run / f"{name}.csv", HERE / f"{name}.csv")
    comparisons = pd.read_csv(run / "comparisons.csv", dtype={"operating_point": str})
    areas = comparisons[comparisons["test"] == "clustered_delong"]
    _write(areas.dropna(axis=1, how="all"), "comparisons_auc")
    rates = comparisons[(comparisons["test"] == "bootstrap") & comparisons["p"].notna()]
    _write(rates.dropna(axis=1, how="all"), "comparisons_rates")
    if (run / "importance_stability.csv").exists():  # measured by the importance command
        _importance(run)
    scores = [
        pd.read_csv(run / "scores.csv", dtype=str, keep_default_na=False) for run in registered
    ]
    rows = pd.concat(scores).sort_values(
        "features", key=lambda name: name.isin(LAST), kind="stable"
    )
    _write(rows, "scores_registered")
    shutil.copy(network / "gap.csv", HERE / "gap_cnn.csv")
    shutil.copy(audit / "audit.csv", HERE / "audit.csv")
    for figure in (run / "figures").glob("*.svg"):
        (HERE / "figures").mkdir(exist_ok=True)
        shutil.copy(figure, HERE / "figures")
    for name in ("report.md", "tables.tex"):
        text = (run / name).read_text(encoding="utf-8")
        (HERE / name).write_text(without_paths(text), encoding="utf-8")


def _importance(run: Path) -> None:
    """Copy the tables of the importance command and the section of the report that shows them."""
    for name in ("importance_stability", "importance_checks"):
        shutil.copy(run / f"{name}.csv", HERE / f"{name}.csv")
    importance = pd.read_csv(run / "importance.csv")
    _write(importance[importance["level"].isin(LEVELS)], "importance")
    clusters = pd.read_csv(run / "importance_clusters.csv")
    _write(clusters.dropna(subset=["alone"]), "importance_clusters")
    sections = (run / "report.md").read_text(encoding="utf-8").split("\n## ")
    own = next(part for part in sections if "(figures/importance-maps.svg)" in part)
    text = without_paths(f"## {own.rstrip()}\n")
    (HERE / "importance_report.md").write_text(text, encoding="utf-8")


def _write(table: pd.DataFrame, name: str) -> None:
    table.to_csv(HERE / f"{name}.csv", index=False, lineterminator="\n")


def without_paths(text: str) -> str:
    """Shorten absolute paths with at least two folders to their last part."""
    return re.sub(r"(?<![\w.:/])/(?:[\w.\\-]+/)+([\w.\\-]+)", r"path/to/\1", text)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
