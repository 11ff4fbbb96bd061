"""Write docs/findings.md; all numbers are read from the tables in this folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.report.sections import balancing as balancing_section
from benchmarks.report.sections import gap as gap_section
from benchmarks.report.sections import leakage as leakage_section
from benchmarks.report.sections import learning as learning_section
from benchmarks.statistics.equivalence import MARGINS, counts_text

HERE = Path(__file__).parent
PAGE = HERE.parent / "findings.md"
RUN = (
    "python run_benchmark.py --data path/to/chest_xray_224 \\\n"
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


def leading() -> str:
    """Name the methods that validation cannot tell apart from the best."""
    rows = table("leading").sort_values("validation", ascending=False, kind="stable")
    best, own = rows.iloc[0], rows[rows["in_set"] == 1]
    lines = "\n".join(
        f"| {row['cell']} | {n(row['validation'], 4)} | {100 * row['chosen']:.0f} % | {span(row, 'auc')} | "
        f"{span(row, 'precision')} | {span(row, 'recall')} |"
        for _, row in own.iterrows()
    )
    return f"""## Which classical method is best
On the validation set, {best["cell"]} has the highest average precision ({n(best["validation"], 4)}; the lowest of \
{len(rows)} methods has {n(rows["validation"].min(), 4)}). If the
validation patients are drawn again, it is chosen in {100 * best["chosen"]:.0f} % of the draws. The validation set \
can't tell {len(own)} methods apart from the
best (multiple comparisons with the best, 95 %). On the test set, these have AUCs of {n(own["auc"].min())} to \
{n(own["auc"].max())} and precisions of {n(own["precision"].min())} to
{n(own["precision"].max())}:

| Cell | Average precision, validation | Chosen | AUC, test | Precision, test | Recall, test |
|---|---:|---:|---:|---:|---:|
{lines}

Other sections show the cell with the highest average precision on the validation set where they must pick one.

*Table:* [leading.csv](results/leading.csv)"""


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
    return f"""## Cross-validation and official test set
In cross-validation by patient on the training images, the {len(auc)} classical methods have a median AUC of
{n(auc["cv"].median())} and, at the threshold for a recall of 0.95, a median specificity of {n(specificity["cv"].median())}; \
on the official test set they are {n(auc["official"].median())} and
{n(specificity["official"].median())}. {gap_section.from_cross_validation(rows, table("gap_ranks"))}

Trained end to end, the network of the default has a test AUC of {span(cpu, "auc")}; it was not cross-validated. In the
second run, MobileNetV2 has an AUC of {span(own, "cv")} in cross-validation and
{span(own, "official")} on the test set, a gap of {span(own, "gap")}; its specificity is
{n(strict["cv"])} and {n(strict["official"])}.

*Tables:* [gap.csv](results/gap.csv); for MobileNetV2 [gap_cnn.csv](results/gap_cnn.csv), from the second run."""


def leakage() -> str:
    """Compare cross-validation by image with cross-validation by patient."""
    rows = table("leaky")
    done = rows[rows["status"] == "ok"]
    return f"""## Performance inflation from leakage between patients
{leakage_section.text(done, table("leaky_assignments"))}

Scores in cross-validation by patient are close to their maximum, which bounds the inflation here. The study says
nothing about the private splits of other authors, nor about other data sets.

*Tables:* [leaky.csv](results/leaky.csv), [leaky_assignments.csv](results/leaky_assignments.csv)"""


def shortcuts() -> str:
    """Summarise the shortcut controls."""
    rows = table("shortcuts").set_index(["control", "split"])
    scores = table("scores")
    test = scores[(scores["split"] == "test") & (scores["operating_point"] == "0.5")]
    border = rows.loc[("border", "test")]
    reached = (test["auc"] <= border["auc"]).sum()
    return f"""## Shortcut controls
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
    rates = table("comparisons_rates")
    counted = [
        f"{(own['p_holm'] < 0.05).sum()} in {metric}" for metric, own in rates.groupby("metric")
    ]
    strict = rates[(rates["cell_a"] + rates["cell_b"]).str.contains("pixels/")]
    strict_counted = [
        f"{(own['p_holm'] < 0.05).sum()} in {metric}" for metric, own in strict.groupby("metric")
    ]
    return f"""## Pairwise comparisons
After Holm's correction, {len(significant)} of {len(rows)} pairs of methods differ significantly in test AUC (clustered \
DeLong test, 5 % level). The CNN differs
from {beaten} of the {len(network)} classical methods. Among the classical methods, {len(kept)} of \
{len(classical)} pairs differ; in {len(random)} of these, at least
one of the two is the embedding with random weights. Of the {len(same)} pairs of classifiers on the same feature set, \
{(same["p_holm"] < 0.05).sum()} differ. Pairs
without a significant difference are not shown to be equivalent.

At the thresholds for a recall of 0.95 on the validation set, which each bootstrap resample chooses again, \
{" and ".join(counted)} of {len(rows)} pairs
differ. Of the {len(network)} pairs with the CNN, {" and ".join(strict_counted)} do.

*Tables:* [comparisons_auc.csv](results/comparisons_auc.csv), [comparisons_rates.csv](results/comparisons_rates.csv)"""


def balancing() -> str:
    """Compare the methods of balancing with none."""
    rows = table("ablation")
    done = rows[rows["status"] == "ok"]
    cv, test = (done[done["split"] == split] for split in ("cv", "test"))
    half = test.groupby("balance")[
        ["recall_at_half", "specificity_at_half", "specificity"]
    ].median()
    ece = cv.groupby("balance")["ece"].median()
    answers = "\n\n".join(balancing_section.answers(done))
    return f"""## Class balancing
Methods of balancing were compared with none, for {done["model"].nunique()} classifiers and \
{done["features"].nunique()} feature sets.

{answers}

At threshold 0.5, the median test specificity is {n(half.loc["none", "specificity_at_half"])} without balancing and \
{n(half.loc["smote", "specificity_at_half"])} with SMOTE, and the median
recall {n(half.loc["none", "recall_at_half"])} and {n(half.loc["smote", "recall_at_half"])}. At the threshold selected \
on the validation set, the median specificity is
{n(half.loc["none", "specificity"])} and {n(half.loc["smote", "specificity"])}. The median expected calibration error in \
cross-validation is {n(ece["none"])} without balancing,
{n(ece["smote"])} with SMOTE and {n(ece["undersample"])} with undersampling. These medians have no intervals.

*Tables:* [ablation.csv](results/ablation.csv), [resampling.csv](results/resampling.csv)"""


def operating() -> str:
    """Show what the thresholds of the validation set give on the test set."""
    rows = table("matched")
    lines = []
    leads = table("leading").sort_values("validation", ascending=False, kind="stable")
    for cell in (leads["cell"].iloc[0], "pixels/cnn/seed0"):
        own = rows[rows["cell"] == cell].set_index(["split", "target_recall"])
        for target in (0.90, 0.95, 0.98):
            line = own.loc[("test", target)]
            before = own.loc[("validation", target)]
            lines.append(
                f"| {cell} | {target:.2f} | {n(before['specificity'])} | {span(line, 'recall')} | "
                f"{span(line, 'specificity')} | {span(line, 'precision')} |"
            )
    rows_shown = "\n".join(lines)
    strict = rows[(rows["split"] == "test") & (rows["target_recall"] == 0.95)]
    above, below = (strict["recall"] > 0.95).sum(), (strict["recall"] < 0.95).sum()
    counts = counts_text(strict, ("recall", "recall_lo", "recall_hi"), MARGINS["recall"], 0.95)
    return f"""## Operating points on the test set
At the threshold for a recall of 0.95 on the validation set, the test recall is above 0.95 for {above} and below it \
for {below} of
{len(strict)} methods; {counts}.

Thresholds selected for three recalls on the validation set, for the classical method with the highest average
precision on the validation set and the CNN:

| Cell | Target recall | Specificity, validation | Recall, test | Specificity, test | Precision, test |
|---|---|---|---|---|---|
{rows_shown}

*Table:* [matched.csv](results/matched.csv). Precision at other prevalences: \
[prevalence.csv](results/prevalence.csv)"""


def patients() -> str:
    """Show the test AUC against the number of training patients."""
    rows = table("learning")
    test = rows[rows["split"] == "test"]
    lines = []
    for cell, own in test.groupby("cell", sort=False):
        means = own.groupby("fraction")[["patients", "auc"]].mean()
        shown = means.iloc[0], means.loc[0.2], means.iloc[-1]
        lines.append(f"| {cell} | " + " | ".join(n(point["auc"]) for point in shown) + " |")
    header = " | ".join(f"{point['patients']:.0f} patients" for point in shown)
    rows_shown = "\n".join(lines)
    found = "\n\n".join(learning_section.gains_texts(table("learning_gains")))
    return f"""## Learning curves
Test AUC by number of training patients (means over random subsets):

| Cell | {header} |
|---|---|---|---|
{rows_shown}

{found}

*Tables:* [learning.csv](results/learning.csv), [learning_gains.csv](results/learning_gains.csv)"""


def subgroups() -> str:
    """Compare the recall of bacterial and viral pneumonia."""
    rows = table("subgroups")
    apart = rows[(rows["kind"] == "subtype") & rows["metric"].str.endswith("_difference")
                 & (rows["operating_point"] == "recall95")]  # fmt: skip
    counts = counts_text(apart, ("value", "lo", "hi"), MARGINS["recall"])
    return f"""## Subgroups: recall of bacterial and viral pneumonia
At the threshold for a recall of 0.95, the recall of bacterial pneumonia minus that of viral pneumonia is
{n(apart["value"].median())} in the median of {len(apart)} methods; {counts}.

*Table:* [subgroups.csv](results/subgroups.csv)"""


def by_patient() -> str:
    """Compare AUCs of images and of patients."""
    rows = table("patients")
    lines = []
    for level, words in (("mean", "mean of a patient's scores"), ("maximum", "maximum")):
        own = rows[rows["level"] == level]
        counts = counts_text(own, ("difference", "lo", "hi"), MARGINS["auc"])
        lines.append(
            f"- {words}: median AUC {n(own['auc'].median())} (range {n(own['auc'].min())}–"
            f"{n(own['auc'].max())}). Difference to the AUC of images: {counts}."
        )
    images = rows[rows["level"] == "image"]
    found = "\n".join(lines)
    return f"""## Results by patient
The median AUC of images is {n(images["auc"].median())}, over {len(images)} methods. With one score per patient:

{found}

A maximum favours patients with many images, who more often have pneumonia here.

*Table:* [patients.csv](results/patients.csv)"""


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
    parts = [leading(), gap(), shortcuts(), leakage(), differences(), operating(), balancing(), patients(),
             subgroups(), by_patient(), audit()]  # fmt: skip
    head = f"""# Findings on the radiographs of Kermany et al. 2018

Data: 5,840 of the 5,856 radiographs at 224 × 224 pixels, official test split (624 images of 427 patients).
Seed 0; 95 % intervals, with patients as the unit; those at a chosen threshold include the choice of the threshold
([protocol](protocol.md)). All numbers come from one run with the default options and, for the cross-validated CNN, from
one of an earlier version, with MobileNetV2 on a GPU:

    {RUN}
    {NETWORK}

`python docs/results/make_findings.py` writes this page from the tables in [results](results/README.md).
The data come from one hospital and from children of one to five years; other data may give other results.
"""
    return head + "\n" + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
