"""Write docs/importance.md.

Tables and figures are those of ``importance_report.md``; the text is written here, with numbers from the CSV
files beside this script and, for the checks on phantoms, in ``docs/checks``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from benchmarks.report.importance_data import judged

HERE = Path(__file__).parent
PAGE = HERE.parent / "importance.md"
CHECKS = HERE.parent / "checks"
RANKINGS = (
    ("permutation on the test set", "permutation", "test", "auc"),
    ("permutation in cross-validation", "permutation", "cv", "auc"),
    ("Shapley values of families", "family_shap", "test", "mean_abs"),
    ("refit without the family", "family_left_out", "test", "auc"),
    ("refit with the family alone", "family_alone", "test", "auc"),
)
TEXT = """# Feature importance on the radiographs of Kermany et al. 2018

Data: the 5,840 radiographs of the [results](results/README.md), official test split. The numbers come from
the run of the results and from:

    python run_benchmark.py importance RUN_DIR
    python docs/results/make_importance.py     # this page

The tables and figures are those of [its report](results/importance_report.md). To explain the scores of a single image:
`python run_benchmark.py explain RUN_DIR IMAGE`.

Importance here describes what a fitted model uses on these images. It does not say which signs of disease matter
to a physician.

## Permutation and SHAP by feature family
For permutation importance, all columns of a feature family are permuted between test images together. The AUC
then drops by what the other features cannot replace. A small drop does not mean that a family is useless:
another family may carry the same information.

{falls}

**Table.** Drop of three test metrics when the columns of a family are permuted together (precision at the threshold
for a recall of 0.95 on the validation set), and mean \\|SHAP\\| of the family's sum, in log-odds (random forest: in
probability). Intervals: 95 %, over patients and, for permutation, also over permutations.

{families}

Cells: {cells}.

{parts}

**Figure.** Most important parts of the families (HOG: direction, LBP: radius, GLCM: property, Gabor: wavelength,
intensity: statistic, embedding: blocks of columns), with 95 % intervals.

## Importance by image region
Percentage of the positive importance that lies outside the chest (outside a fixed trapezium around the lungs), where
letters, borders and arms are. A uniform map would have {uniform} there.

{outside}

{maps}

**Figure.** Importance of each region's columns, summed over families, on the mean of the two classes' mean training images.
Orange: high. Each map has its own scale. A map shows what a method uses, not where disease is.

{classes}

**Figure.** Mean SHAP value of each region for {shap_cell}, over the normal (top) and the pneumonia (bottom) test
images, on the mean training image of the class. Orange: towards pneumonia, blue: towards normal; one scale for
all.

## Single features
**Table.** Columns with the largest mean \\|SHAP\\| in {shap_cell}.

{columns}

{swarm}

**Figure.** Columns with the largest mean \\|SHAP\\| in {shap_cell}. Each point is a test image; its colour is
the value of the column, relative to the other images.

The SHAP values add up to the score in all {additive} cells, with an error of at most {additivity}. They were computed for
{explained} test images against 100 training images (interventional SHAP).

## Agreement of the methods
Rank correlation (Kendall's tau) of two methods for the same groups of features of the same cell:

{agreement}

The methods answer different questions. Permutation measures what the test score would lose, SHAP what moves the score,
and impurity and gain what the trees were grown with. The last two favour columns with many values and are
computed on training rows; they are shown for comparison only.

{agreement_figure}

**Figure.** Rank agreement of two methods.

The most important family of a cell depends on the method:

{disagreement}

## Refits without and with a single family
{refits}

**Table.** Test AUC of a refit with the family alone; drop of the AUC of a refit without it ("left out"), and by permutation on
the test set and in cross-validation; mean absolute Shapley value of the family, in probability.

{refits_table}

## Stability of the rankings
Each cell was fitted again with other seeds, without each fold, and on resampled patients ({fits} refits in all). A feature
or group is called trusted if it is among the largest in at least nine of ten fits.

**Table.** Stability: Kendall's W (1: all fits give the same ranking) and the fraction of the largest groups that two fits
have in common ("top"), over seeds, folds and patients drawn with replacement.

{stability}

## Redundant columns
Redundant columns hide each other's importance. Columns were clustered by the rank correlation on training images (mean
\\|correlation\\| of 0.7 or more). For {hidden} of the {clusters} most important clusters, permuting the whole cluster costs more than twice
the sum of permuting its columns one by one.

**Table.** The two most important clusters of each cell: drop of the AUC when their columns are permuted together, and
the sum of the drops when they are permuted one by one.

{clusters_table}

## Validation on phantoms
On phantoms, the position of the lesion is known, and a letter can be added as an artificial shortcut. The
[checks of importance](checks/importance.md) (`python -m benchmarks.checks.lesions`,
`python -m benchmarks.checks.planted`) have all numbers.

- Fraction of images in which the largest value of the map lies inside the lesion, median over cells (range):
  permutation {permutation}, replacement {replacement}, SHAP {shap}, occlusion {occlusion}. The mean lesion of the training
  phantoms, which does not depend on the image, reaches {mean}. The maps therefore show where lesions usually are
  more than where the lesion of this image is.
- A letter added to all images of one class ranks first among the regions of its family in {glued_permutation} rows (cell × family)
  for permutation and in {glued_shap} for SHAP. If it is added to images of both classes at random, it ranks first in
  {random_permutation} and {random_shap}. Permutation misses the letter where other families carry it too, because nothing is lost if
  only one of them is permuted.
"""


def report_section() -> str:
    """Return the section on feature importance of the run's report."""
    return (HERE / "importance_report.md").read_text(encoding="utf-8")


def quoted(section: str) -> dict[str, str]:
    """Take tables and figures from the section, and the few numbers that no CSV file here has."""
    tables = [table.strip() for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)]
    names = ("families", "columns", "refits_table", "stability", "clusters_table")
    values = dict(zip(names, tables, strict=True))
    for name, file in (
        ("parts", "parts"), ("maps", "maps"), ("classes", "classes"), ("swarm", "swarm"),
        ("agreement_figure", "agreement"),
    ):  # fmt: skip
        image = re.search(rf"!\[.*\]\(figures/importance-{file}\.svg\)", section)
        assert image is not None
        values[name] = image[0].replace("](figures/", "](results/figures/")
    cells = re.search(r"permutation: ([^;]*); shap: ([^.]*)\.", section)
    assert cells is not None
    values["cells"] = f"permutation: {cells[1]}; SHAP: {cells[2]}"
    values["shap_cell"] = cells[2].split(", ")[-1]
    place = re.search(r"(\d+%) there\): by permutation ([^;]*); by SHAP ([^.]*)\.", section)
    assert place is not None
    values |= {"uniform": place[1], "outside": _outside(place[2], place[3], section)}
    pairs = re.findall(r"(\w+ and \w+): (median tau [^;.]*\.[^;]*?\))", section)
    values["agreement"] = "\n".join(f"- {methods}: {tau}" for methods, tau in pairs)
    return values


def _outside(permutation: str, shap: str, section: str) -> str:
    """Format the percentages outside the chest and the most important region as a table."""
    found = re.findall(
        r"(\w+): of \d+ intervals, [^;]*; "
        r"(?:the largest of those above 0 after correction is (.*?\)(?=\. |\.\n))|(no region[^.]*))",
        section.split("by permuting a single region: ")[1],
    )
    regions = {features: largest or f"({none})" for features, largest, none in found}
    by_shap = dict(one.split() for one in shap.split(", "))
    lines = ["| Features | Permutation | SHAP | Largest drop of the AUC by permuting one region that is above 0 after correction |",
             "|---|---:|---:|---|"]  # fmt: skip
    for one in permutation.split(", "):
        features, percent = one.split()
        lines.append(f"| {features} | {percent} | {by_shap[features]} | {regions[features]} |")
    return "\n".join(lines)


def family_values(cell: str, method: str, split: str, metric: str) -> pd.DataFrame:
    """Select one importance of each family of a cell, the largest first."""
    rows = pd.read_csv(HERE / "importance.csv")
    wanted = {"cell": cell, "method": method, "split": split, "metric": metric, "status": "ok"}
    rows = rows[rows["level"] == "family"]
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return rows.sort_values("value", ascending=False, kind="stable")


def falls(cell: str) -> str:
    """Say which family costs a cell most, and for which no drop is shown."""
    rows = judged(family_values(cell, "permutation", "test", "auc"))
    top = rows.iloc[0]
    bounds = f"{top['value']:.3f} ({top['lo']:.3f} to {top['hi']:.3f})"
    shown = "" if top["verdict"] == "useful" else ", which is not shown to differ from 0"
    text = f"the drop is largest for {top['group']}, {bounds}{shown}"
    for verdict, words in (
        ("open", "No drop is shown for"), ("harmful", "The AUC increases without"),
    ):  # fmt: skip
        groups = rows.loc[rows["verdict"] == verdict, "group"].tolist()
        text += f". {words} {', '.join(groups)}" * bool(groups)
    return f"- **{cell}**: {text} (corrected for {len(rows)} intervals)."


def refits(cell: str) -> str:
    """Say which families a refit misses, and which family is best alone."""
    lost = judged(family_values(cell, "family_left_out", "test", "auc"))
    needed = lost.loc[lost["verdict"] == "useful", "group"].tolist()
    alone = family_values(cell, "family_alone", "test", "auc").iloc[0]
    worse = f"the AUC is lower without {' or without '.join(needed)}" if needed else (
        "the AUC is not shown to be lower without any one family"
    )  # fmt: skip
    return (
        f"- **{cell}**: {worse} (corrected for {len(lost)} intervals). The best single family is {alone['group']} "
        f"(AUC {alone['value']:.3f})."
    )


def disagreement(cell: str) -> str:
    """Name the most important family of a cell by each method."""
    tops = []
    for words, method, split, metric in RANKINGS:
        rows = family_values(cell, method, split, metric)
        if len(rows):
            tops.append(f"{words}: {rows.iloc[0]['group']} ({rows.iloc[0]['value']:.3f})")
    return f"- **{cell}**: {'; '.join(tops)}."


def counts() -> dict[str, str]:
    """Count refits, clusters and SHAP checks."""
    stability = pd.read_csv(HERE / "importance_stability.csv")
    clusters = pd.read_csv(HERE / "importance_clusters.csv").dropna(subset=["alone"])
    checks = pd.read_csv(HERE / "importance_checks.csv")
    additive = checks[checks["check"] == "shap_additivity"]
    return {
        "fits": str(stability.loc[stability["kind"] == "all", "fits"].max() - 1),
        "clusters": str(len(clusters)),
        "hidden": str((clusters["value"] > 2 * clusters["alone"].clip(lower=0)).sum()),
        "additive": str(len(additive)),
        "additivity": f"{additive['value'].max():.1g}",
        "explained": str(additive["images"].max()),
    }


def phantom_numbers(lesions: pd.DataFrame, planted: pd.DataFrame) -> dict[str, str]:
    """Summarise the two checks on phantoms."""
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


def page() -> str:
    """Compose the page."""
    values = quoted(report_section())
    cells = values["cells"].split(";")[0].removeprefix("permutation: ").split(", ")
    lesions, planted = (pd.read_csv(CHECKS / f"{name}.csv") for name in ("lesions", "planted"))
    for name, line in (("falls", falls), ("refits", refits), ("disagreement", disagreement)):
        values[name] = "\n".join(line(cell) for cell in cells)
    return TEXT.format(**values, **counts(), **phantom_numbers(lesions, planted))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
