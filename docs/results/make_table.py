"""Write the table between the ``results`` marks of README.md from scores.csv beside this file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
README = HERE.parent.parent / "README.md"
START, END = "<!-- results -->\n", "<!-- end of results -->\n"
METRICS = {"precision": "Precision", "recall": "Recall", "specificity": "Specificity", "auc": "AUC"}


def table(scores: pd.DataFrame) -> str:
    """Rows of the test split at the threshold chosen on validation, as Markdown."""
    rows = scores[(scores["split"] == "test") & (scores["operating_point"] == "recall95")]
    shown = pd.DataFrame({"Features": rows["features"], "Classifier": rows["model"]})
    for metric, title in METRICS.items():
        best = rows[metric].max()
        shown[title] = [
            f"**{value:.3f}**" if value == best else f"{value:.3f}" for value in rows[metric]
        ]
        shown[title] += [
            f" ({low:.3f}–{high:.3f})"
            for low, high in zip(rows[f"{metric}_lo"], rows[f"{metric}_hi"], strict=True)
        ]
    return shown.to_markdown(index=False, colalign=("left", "left", *["right"] * len(METRICS)))


def main() -> None:
    """Replace the table in README.md."""
    scores = pd.read_csv(HERE / "scores.csv", dtype={"operating_point": str})
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    README.write_text(f"{before}{START}{table(scores)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
