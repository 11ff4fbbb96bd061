"""Write the table of scores into README.md (short) and docs/results/README.md (all methods).

Both tables stand between the marks ``results`` and ``end of results`` of their page and come from
``scores.csv`` beside this script::

    python docs/results/make_table.py
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
START, END = "<!-- results -->\n", "<!-- end of results -->\n"
METRICS = {"precision": "Precision", "recall": "Recall", "specificity": "Specificity", "auc": "AUC"}


def read_scores() -> pd.DataFrame:
    """Read the scores of all methods."""
    return pd.read_csv(HERE / "scores.csv", dtype={"operating_point": str})


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


PAGES = {HERE.parent.parent / "README.md": short_table, HERE / "README.md": full_table}


def main() -> None:
    """Replace the table of each page."""
    scores = read_scores()
    for page, table in PAGES.items():
        before, rest = page.read_text(encoding="utf-8").split(START)
        after = rest.split(END)[1]
        page.write_text(f"{before}{START}{table(scores)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
