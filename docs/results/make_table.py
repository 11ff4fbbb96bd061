"""Write tables of scores into README.md (short) and docs/results/README.md (all methods).

Each stands between two marks of its page, such as ``results`` and ``end of results``, and comes from
a ``scores*.csv`` beside this script::

    python docs/results/make_table.py
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
METRICS = {"precision": "Precision", "recall": "Recall", "specificity": "Specificity", "auc": "AUC"}


def read_scores(name: str = "scores") -> pd.DataFrame:
    """Read the scores of all methods of a run."""
    return pd.read_csv(HERE / f"{name}.csv", dtype={"operating_point": str})


def best_cells(scores: pd.DataFrame) -> list[str]:
    """Select the cell of largest average precision on the validation set for each feature set.

    The end-to-end CNN has a feature set of its own (``pixels``), so it is always included.
    """
    rows = scores[(scores["split"] == "validation") & (scores["operating_point"] == "0.5")]
    best = rows.groupby("features", sort=False)["average_precision"].idxmax()
    return rows.loc[best, "cell"].tolist()


def full_table(scores: pd.DataFrame) -> str:
    """Format the test scores at the threshold selected on the validation set as Markdown."""
    rows = scores[(scores["split"] == "test") & (scores["operating_point"] == "recall95")]
    shown = pd.DataFrame({"Features": rows["features"], "Classifier": rows["model"]})
    for metric, title in METRICS.items():
        best = rows[metric].max()
        end = "" if metric == "auc" else "_threshold"  # with the choice of the threshold
        low, high = rows[f"{metric}_lo{end}"], rows[f"{metric}_hi{end}"]
        bounds = zip(rows[metric], low, high, strict=True)
        shown[title] = [
            f"{f'**{value:.3f}**' if value == best else f'{value:.3f}'} ({low:.3f}–{high:.3f})"
            for value, low, high in bounds
        ]
    return shown.to_markdown(index=False, colalign=("left", "left", *["right"] * len(METRICS)))


def short_table(scores: pd.DataFrame) -> str:
    """Format the rows of :func:`best_cells` only."""
    return full_table(scores[scores["cell"].isin(best_cells(scores))])


README = HERE.parent.parent / "README.md"
TABLES = (  # page, mark, scores, table
    (README, "results", "scores", short_table),
    (README, "registered", "scores_registered", short_table),
    (HERE / "README.md", "results", "scores", full_table),
    (HERE / "README.md", "registered", "scores_registered", full_table),
    (HERE / "README.md", "mobilenetv2", "scores_mobilenetv2", full_table),
)


def marks(name: str) -> tuple[str, str]:
    """Return the lines before and after a table."""
    return f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"


def main() -> None:
    """Replace the tables of each page."""
    for page, name, file, table in TABLES:
        start, end = marks(name)
        before, rest = page.read_text(encoding="utf-8").split(start)
        after = rest.split(end)[1]
        text = f"{before}{start}{table(read_scores(file))}\n{end}{after}"
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
