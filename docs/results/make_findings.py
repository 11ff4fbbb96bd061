"""Write docs/findings.md; all numbers are read from the tables in this folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
PAGE = HERE.parent / "findings.md"
RUN = (
    "python run_benchmark.py --data path/to/chest_xray_224 --weights "
    "path/to/mobilenetv2_100.safetensors \\\n"
    "        --study shortcuts,leaky,ablation,learning --out RUN_DIR"
)
NETWORK = (
    "python run_benchmark.py --data path/to/chest_xray_224 --weights "
    "path/to/mobilenetv2_100.safetensors \\\n"
    "        --models cnn --cv-cnn --study none"
)


def table(name: str) -> pd.DataFrame:
    """Read a table of the run."""
    return pd.read_csv(HERE / f"{name}.csv", dtype={"operating_point": str})


def n(value: float, digits: int = 3) -> str:
    """Format a number."""
    return f"{value:.{digits}f}".replace("-", "−")


def span(line: pd.Series, name: str, digits: int = 3) -> str:
    """Format a value with its interval."""
    low, high = line[f"{name}_lo"], line[f"{name}_hi"]
    between = " to " if low < 0 else "–"
    return f"{n(line[name], digits)} ({n(low, digits)}{between}{n(high, digits)})"


def gap() -> str:
    """Compare cross-validation with the official test set."""
    rows = table("gap")
    auc = rows[rows["metric"] == "auc"]
    place = (rows["metric"] == "specificity") & (rows["operating_point"] == "recall95")
    specificity = rows[place]
    cnn = table("gap_cnn").set_index(["metric", "operating_point"])
    own = cnn.loc["auc"].iloc[0]
    strict = cnn.loc[("specificity", "recall95")]
    scores = table("scores")
    test = (scores["split"] == "test") & (scores["operating_point"] == "recall95")
    cpu = scores[test & (scores["features"] == "pixels")].iloc[0]
    order = auc["cv"].corr(auc["official"], method="spearman")
    return f"""## Cross-validation and official test set: scores drop
In cross-validation by patient on the training images, the {len(auc)} classical methods have a median AUC of
{n(auc["cv"].median())}; on the official test set it is {n(auc["official"].median())}. The median gap is \
{n(auc["gap"].median())} (range over the
methods {n(auc["gap"].min())}–{n(auc["gap"].max())}), and its 95 % interval lies above 0 for \
{(auc["gap_lo"] > 0).sum()} of {len(auc)} methods. At the threshold for a
recall of 0.95, the median specificity drops from {n(specificity["cv"].median())} to \
{n(specificity["official"].median())}. Cross-validation does not predict well which
method will be best on the test set: Spearman's correlation of the two AUCs is {n(order, 2)} over the \
{len(auc)} methods.

The CNN trained end to end drops less: its AUC is {span(own, "cv")} in cross-validation and
{span(own, "official")} on the test set, a gap of {span(own, "gap")}; its specificity is
{n(strict["cv"])} and {n(strict["official"])}. (These numbers are from the second run. Trained on the CPU in \
the first run, the CNN has
a test AUC of {span(cpu, "auc")}.)

*Tables:* [gap.csv](results/gap.csv); for the CNN [gap_cnn.csv](results/gap_cnn.csv), from the second run."""


def leakage() -> str:
    """Compare cross-validation by image with cross-validation by patient."""
    rows = table("leaky")
    auc = rows[rows["metric"] == "auc"]
    above, below = (auc["worth_lo"] > 0).sum(), (auc["worth_hi"] < 0).sum()
    return f"""## Performance inflation from leakage between patients: next to none here
If the folds are split by image instead of by patient, {auc["mixed"].iloc[0]:.0%} of the training images have \
an image of the same
patient in another fold. Even so, the AUC of {len(auc)} cells changes by {n(auc["worth"].median(), 4)} in the \
median (range {n(auc["worth"].min(), 4)} to {n(auc["worth"].max(), 4)});
the 95 % interval lies above 0 for {above} cells and below 0 for {below}. Cross-validation by patient is already \
near the maximum, so
leakage can add little. Accuracies of 97–99 %, which are reported for private splits of these data,
therefore do not need leakage between patients as an explanation: a split within the training folder is
enough. This does not show that such splits are free of leakage, and leakage may inflate scores more on other
data sets.

*Table:* [leaky.csv](results/leaky.csv)"""


def shortcuts() -> str:
    """Summarise the shortcut controls."""
    rows = table("shortcuts").set_index(["control", "split"])
    scores = table("scores")
    test = scores[(scores["split"] == "test") & (scores["operating_point"] == "0.5")]
    border = rows.loc[("border", "test")]
    reached = (test["auc"] <= border["auc"]).sum()
    return f"""## Shortcut controls: the border of the image separates the classes
Each control is a simple model of an input with little or no lung. Test AUC:

| Input | Test AUC |
|---|---|
| outer 12 % of the image (coarse HOG and LBP, logistic regression) | {span(border, "auc")} |
| image with the lungs blacked out | {span(rows.loc[("no_lungs", "test")], "auc")} |
| thumbnail of 16 × 16 pixels | {span(rows.loc[("thumbnail", "test")], "auc")} |
| size of the file | {span(rows.loc[("size", "test")], "auc")} |
| number of the patient | {span(rows.loc[("number", "test")], "auc")} |

The AUC of the border is {span(border, "below_whole")} below that of the whole image with the same features and \
classifier.
In cross-validation, the border has an AUC of {n(rows.loc[("border", "cv")]["auc"])}. The test AUC of {reached} of \
the {len(test)} methods in the main table is
no larger than that of the border. In these data, positioning, framing and lettering of the radiograph are
associated with the diagnosis; a high score does not prove that a method uses the lungs.

*Table:* [shortcuts.csv](results/shortcuts.csv). Where in the image the important features are: \
[importance.md](importance.md)"""


def differences() -> str:
    """Count the pairwise differences in test AUC that remain significant."""
    rows = table("comparisons_auc")
    significant = rows[rows["p_holm"] < 0.05]
    classical = rows[~(rows["cell_a"] + rows["cell_b"]).str.contains("pixels/")]
    kept = classical[classical["p_holm"] < 0.05]
    parts = [classical[side].str.split("/", expand=True) for side in ("cell_a", "cell_b")]
    same = classical[parts[0][0] == parts[1][0]]
    network = rows[(rows["cell_a"] + rows["cell_b"]).str.contains("pixels/")]
    beaten = (network["p_holm"] < 0.05).sum()
    random = kept[(kept["cell_a"] + kept["cell_b"]).str.contains("embedding_random")]
    return f"""## Pairwise comparisons: the CNN differs from all classical methods, few of them differ from each other
After Holm's correction, {len(significant)} of {len(rows)} pairs of methods differ significantly in test AUC (clustered \
DeLong test, 5 % level). The CNN differs
from {beaten} of the {len(network)} classical methods. Among the classical methods, {len(kept)} of \
{len(classical)} pairs differ; in {len(random)} of these, at least
one of the two is the embedding with random weights. Of the {len(same)} pairs of classifiers on the same feature set, \
{(same["p_holm"] < 0.05).sum()} differ. A
ranking of SVM, random forest and XGBoost on these 624 images by the third decimal is therefore mostly
due to chance.

*Table:* [comparisons_auc.csv](results/comparisons_auc.csv)"""


def balancing() -> str:
    """Compare the methods of balancing with none."""
    rows = table("ablation")
    done = rows[rows["status"] == "ok"]
    cv, test = (done[done["split"] == split] for split in ("cv", "test"))
    others = test[test["balance"] != "none"]
    crossed = cv[cv["balance"] != "none"]
    half = test.groupby("balance")[
        ["recall_at_half", "specificity_at_half", "specificity"]
    ].median()
    ece = cv.groupby("balance")["ece"].median()
    return f"""## Class balancing: it moves the threshold, not the ranking
Seven methods of balancing were compared with none, for four classifiers and two feature sets
({len(crossed)} comparisons). The median change of the AUC is {n(crossed["auc_gain"].median(), 4)} in \
cross-validation and {n(others["auc_gain"].median(), 4)} on the test set, where
its 95 % interval lies above 0 for {(others["auc_gain_lo"] > 0).sum()} and below 0 for \
{(others["auc_gain_hi"] < 0).sum()} of them. At threshold 0.5, SMOTE changes the median
test specificity from {n(half.loc["none", "specificity_at_half"])} to \
{n(half.loc["smote", "specificity_at_half"])} and the median recall from \
{n(half.loc["none", "recall_at_half"])} to {n(half.loc["smote", "recall_at_half"])}. At the threshold
selected on the validation set, the effect disappears (specificity {n(half.loc["none", "specificity"])} without, \
{n(half.loc["smote", "specificity"])} with SMOTE).

Calibration in cross-validation gets worse: the median expected calibration error is {n(ece["none"])} without
balancing, {n(ece["smote"])} with SMOTE and {n(ece["undersample"])} with undersampling. Here, selecting a \
threshold does what SMOTE does
and leaves the probabilities unchanged. Where the class distribution shifts, as on the test images,
balancing can look like better calibration because it moves the scores in the opposite direction.

*Tables:* [ablation.csv](results/ablation.csv), [resampling.csv](results/resampling.csv)"""


def operating() -> str:
    """Show what the thresholds of the validation set give on the test set."""
    rows = table("matched")
    lines = []
    for cell in ("hybrid/svm/seed0", "pixels/cnn/seed0"):
        own = rows[rows["cell"] == cell].set_index(["split", "target_recall"])
        for target in (0.90, 0.95, 0.98):
            line = own.loc[("test", target)]
            before = own.loc[("validation", target)]
            lines.append(
                f"| {cell} | {target:.2f} | {n(before['specificity'])} | {span(line, 'recall')} | "
                f"{span(line, 'specificity')} | {span(line, 'precision')} |"
            )
    rows_shown = "\n".join(lines)
    return f"""## Operating points: the threshold keeps its recall on the test set but loses specificity
Thresholds selected for three recalls on the validation set, for the best classical method on the validation
set and the CNN:

| Cell | Target recall | Specificity, validation | Recall, test | Specificity, test | Precision, test |
|---|---|---|---|---|---|
{rows_shown}

*Table:* [matched.csv](results/matched.csv). Precision at other prevalences: \
[prevalence.csv](results/prevalence.csv)"""


def patients() -> str:
    """Show the test AUC against the number of training patients."""
    rows = table("learning")
    test = rows[rows["split"] == "test"]
    lines, later = [], []
    for cell, own in test.groupby("cell", sort=False):
        means = own.groupby("fraction")[["patients", "auc"]].mean()
        shown = means.iloc[0], means.loc[0.2], means.iloc[-1]
        later.append(shown[2]["auc"] - shown[1]["auc"])
        lines.append(f"| {cell} | " + " | ".join(n(point["auc"]) for point in shown) + " |")
    header = " | ".join(f"{point['patients']:.0f} patients" for point in shown)
    rows_shown = "\n".join(lines)
    return f"""## Learning curve: more patients of this kind would hardly help
Test AUC by number of training patients:

| Cell | {header} |
|---|---|---|---|
{rows_shown}

From a fifth of the patients to all of them, the AUC rises by {n(min(later))} to {n(max(later))}. The \
distance to the CNN, and to the
cross-validated score, is therefore hardly due to too few patients from the same source.

*Table:* [learning.csv](results/learning.csv)"""


def subgroups() -> str:
    """Compare the recall of bacterial and viral pneumonia."""
    rows = table("subgroups")
    apart = rows[(rows["kind"] == "subtype") & rows["metric"].str.endswith("_difference")
                 & (rows["operating_point"] == "recall95")]  # fmt: skip
    above, below = (apart["lo"] > 0).sum(), (apart["hi"] < 0).sum()
    return f"""## Subgroups: bacterial and viral pneumonia have a similar recall
At the threshold for a recall of 0.95, the recall of bacterial pneumonia minus that of viral pneumonia is
{n(apart["value"].median())} in the median of {len(apart)} methods; its 95 % interval lies above 0 for {above} \
and below 0 for {below} of them.

*Table:* [subgroups.csv](results/subgroups.csv)"""


def audit() -> str:
    """Summarise the findings of the audit."""
    rows = table("audit")
    counts = rows.groupby("severity").size()
    exact = rows[rows["check"] == "exact_duplicate"]
    marks = rows[rows["check"] == "class_mark"]
    near = (rows["check"] == "near_duplicate").sum()
    conflicts = rows["check"].isin(["label_conflict", "patient_leak"]).sum()
    marked = "".join(
        "\n\nOne note is about places outside the lungs whose brightness alone separates the classes:\n\n"
        f"> {detail}"
        for detail in marks["detail"].head(1)
    )
    return f"""## Audit of the data
The audit of the 5,840 radiographs reports {counts.get("stop", 0)} findings that stop a run, \
{counts.get("warn", 0)} warnings and {counts.get("note", 0)} notes. It finds
{len(exact)} groups of exact duplicates ({exact["images"].sum()} images), {near} near duplicates, and \
{conflicts} conflicts of labels or splits.{marked}

*Table:* [audit.csv](results/audit.csv), from `python run_benchmark.py audit --data path/to/chest_xray_224`"""


def page() -> str:
    """Compose the page."""
    parts = [gap(), shortcuts(), leakage(), differences(), operating(), balancing(), patients(),
             subgroups(), audit()]  # fmt: skip
    head = f"""# Findings on the radiographs of Kermany et al. 2018

Data: 5,840 of the 5,856 radiographs at 224 × 224 pixels, official test split (624 images of 427 patients).
Seed 0; 95 % intervals by bootstrap over patients unless stated otherwise. All numbers come from one run
and, for the cross-validated CNN, from a second run on a GPU:

    {RUN}
    {NETWORK}

`python docs/results/make_findings.py` writes this page from the tables in [results](results/README.md).
The data come from one hospital and from children of one to five years; other data may give other results.
"""
    return head + "\n" + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
