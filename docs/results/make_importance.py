"""Write docs/importance.md from the report and tables beside this file and the phantom checks."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
PAGE = HERE.parent / "importance.md"
CHECKS = HERE.parent / "checks"
TITLE = "## Which features matter, and where"
START = """# Which features matter, and where on the radiograph

On the 5,840 radiographs of the [results](results/README.md), official test split, after the run:

    python run_benchmark.py importance RUN_DIR
    python docs/results/make_importance.py     # this page, from the report and its tables

What follows is the section of the report, then what the methods disagree about, and how they do where the
truth is known. For one image: `python run_benchmark.py explain RUN_DIR IMAGE`.
"""


def section() -> str:
    """The report's section, without the numbers of its tables and figures."""
    report = (HERE / "report.md").read_text(encoding="utf-8")
    body = report.split(f"{TITLE}\n", 1)[1].split("\n## ", 1)[0]
    body = re.sub(r"\*\*(Table|Figure) \d+\.\*\*", r"**\1.**", body)
    return body.replace("](figures/", "](results/figures/").strip()


def disagreement() -> str:
    """Where two ways of asking give two answers."""
    rows = pd.read_csv(HERE / "importance.csv")
    family = rows[(rows["level"] == "family") & (rows["status"] == "ok")]
    told = []
    for cell in family.loc[family["method"] == "family_left_out", "cell"].unique():
        own = family[family["cell"] == cell]
        tops = []
        for words, method, split, metric in (
            ("permutation on test", "permutation", "test", "auc"),
            ("permutation on held-out folds", "permutation", "cv", "auc"),
            ("Shapley values of whole families", "family_shap", "test", "mean_abs"),
            ("leaving families out", "family_left_out", "test", "auc"),
            ("families alone", "family_alone", "test", "auc"),
        ):
            part = own[
                (own["method"] == method) & (own["split"] == split) & (own["metric"] == metric)
            ]
            if len(part):
                top = part.loc[part["value"].idxmax()]
                tops.append(f"{words} {top['group']} ({top['value']:.3f})")
        told.append(f"- **{cell}**, most important family: {'; '.join(tops)}.")
    return "\n".join(told)


def known_truth() -> str:
    """How the methods do on phantoms."""
    lesions = pd.read_csv(CHECKS / "lesions.csv")
    planted = pd.read_csv(CHECKS / "planted.csv")
    return KNOWN.format(**truth_numbers(lesions, planted))


def truth_numbers(lesions: pd.DataFrame, planted: pd.DataFrame) -> dict[str, str]:
    """Numbers of the two checks."""
    whole = lesions[(lesions["subtype"] == "all") & (lesions["measure"] == "pointing")]
    found = {}
    for method in ("permutation", "replacement", "shap", "occlusion", "mean training lesion"):
        value = whole.loc[whole["method"] == method, "value"]
        spread = f" ({value.min():.2f}–{value.max():.2f})" if len(value) > 1 else ""
        found[method.split()[0]] = f"{value.median():.2f}{spread}"
    for letter in ("glued", "random"):
        own = planted[planted["set"] == letter]
        for method in ("permutation", "shap"):
            part = own[own["method"] == method]
            found[f"{letter}_{method}"] = f"{(part['rank'] == 1).sum()} of {len(part)}"
    return found


KNOWN = """On phantoms the lesion is known, and a letter can be planted: [the checks](checks/importance.md), which run as
`python -m benchmarks.checks.lesions` and `python -m benchmarks.checks.planted`, have all figures.

- The largest value of the map lies in the lesion, in the median over cells (lowest and highest): permutation
  {permutation}, replacement {replacement}, SHAP {shap}, occlusion {occlusion}; the mean lesion of the training
  phantoms, which looks at no image at all, {mean}. So maps find where lesions tend to be more than
  where this one is.
- A letter glued to one class ranks first among its family's regions by permutation in {glued_permutation} rows of
  cell × family and by SHAP in {glued_shap}; dealt at random in {random_permutation} and {random_shap}. Permutation misses
  it where other families carry the letter, too, so that nothing is lost by exchanging one."""


def page() -> str:
    """Build the page."""
    return (
        f"{START}\n{section()}\n\n## Where the methods disagree\n{disagreement()}\n\n"
        f"## Against known truth\n{known_truth()}\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
