"""Write docs/findings.md from the tables beside this file: no number is typed in by hand."""

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
    """Write a number."""
    return f"{value:.{digits}f}".replace("-", "−")


def span(line: pd.Series, name: str, digits: int = 3) -> str:
    """Write a value with its interval."""
    low, high = line[f"{name}_lo"], line[f"{name}_hi"]
    between = " to " if low < 0 else "–"
    return f"{n(line[name], digits)} ({n(low, digits)}{between}{n(high, digits)})"


def gap() -> str:
    """From cross-validation to the official test."""
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
    return f"""## Cross-validation promises what the official test does not keep
Cross-validated by patient on the training images, the {len(auc)} classical methods have a median AUC of
{n(auc["cv"].median())}; on the official test {n(auc["official"].median())}. The gap is \
{n(auc["gap"].median())} in the median, {n(auc["gap"].min())}–{n(auc["gap"].max())}
over the methods, and its 95 % interval lies above 0 for {(auc["gap_lo"] > 0).sum()} of {len(auc)}. \
Specificity at the threshold for a recall of
0.95 falls from {n(specificity["cv"].median())} to {n(specificity["official"].median())}. Nor does \
cross-validation say which method will do best on test: Spearman's
correlation of the two AUCs is {n(order, 2)} over the {len(auc)} methods.

The network trained end to end loses less: AUC {span(own, "cv")} in
cross-validation, {span(own, "official")} on test, a gap of {span(own, "gap")};
specificity {n(strict["cv"])} against {n(strict["official"])}. (Trained on the CPU of the first run, it has \
a test AUC of {span(cpu, "auc")}.)

*Tables:* [gap.csv](results/gap.csv), and for the network [gap_cnn.csv](results/gap_cnn.csv) of the second command."""


def leakage() -> str:
    """What leakage is worth."""
    rows = table("leaky")
    auc = rows[rows["metric"] == "auc"]
    above, below = (auc["worth_lo"] > 0).sum(), (auc["worth_hi"] < 0).sum()
    return f"""## Parting images instead of patients is worth next to nothing here
Folds that part images leave {auc["mixed"].iloc[0]:.0%} of the training images with an image of the same \
patient in another fold. Yet the AUC of
{len(auc)} cells changes by {n(auc["worth"].median(), 4)} in the median ({n(auc["worth"].min(), 4)} to \
{n(auc["worth"].max(), 4)}); the interval lies above 0 for {above} of them and
below 0 for {below}. Cross-validation by patient is already at its ceiling, so leakage has nothing left to
add. The accuracies of 97–99 % that private splits of these data report therefore need no leak between
patients to be explained: a split that stays within the training folder is enough. That does not
acquit such splits, and another data set may punish leakage harder.

*Table:* [leaky.csv](results/leaky.csv)"""


def shortcuts() -> str:
    """What needs no lung."""
    rows = table("shortcuts").set_index(["control", "split"])
    scores = table("scores")
    test = scores[(scores["split"] == "test") & (scores["operating_point"] == "0.5")]
    border = rows.loc[("border", "test")]
    reached = (test["auc"] <= border["auc"]).sum()
    return f"""## A frame without lungs tells the classes apart
The outer 12 % of the image alone, described by coarse HOG and LBP and a logistic regression, has a test
AUC of {span(border, "auc")}, {span(border, "below_whole")} below the whole image described in the
same way; with the lungs blacked out it is {span(rows.loc[("no_lungs", "test")], "auc")}, from the size \
of the file alone
{span(rows.loc[("size", "test")], "auc")}, from the patient's number \
{span(rows.loc[("number", "test")], "auc")}, from a thumbnail of 16 × 16
pixels {span(rows.loc[("thumbnail", "test")], "auc")}. In cross-validation the border reaches \
{n(rows.loc[("border", "cv")]["auc"])}. {reached} of {len(test)} methods
of the main table have no larger test AUC than the border. How a child is held, framed and lettered goes
with the diagnosis in these data; a high score is no proof that a method reads lungs.

*Table:* [shortcuts.csv](results/shortcuts.csv); where the importance of features lies: \
[importance.md](importance.md)"""


def differences() -> str:
    """Which differences stand."""
    rows = table("comparisons_auc")
    stands = rows[rows["p_holm"] < 0.05]
    classical = rows[~(rows["cell_a"] + rows["cell_b"]).str.contains("pixels/")]
    kept = classical[classical["p_holm"] < 0.05]
    parts = [classical[side].str.split("/", expand=True) for side in ("cell_a", "cell_b")]
    same = classical[parts[0][0] == parts[1][0]]
    network = rows[(rows["cell_a"] + rows["cell_b"]).str.contains("pixels/")]
    beaten = (network["p_holm"] < 0.05).sum()
    random = kept[(kept["cell_a"] + kept["cell_b"]).str.contains("embedding_random")]
    return f"""## The network stands apart; most classical differences do not stand
Of {len(rows)} pairs of methods {len(stands)} differ in test AUC after Holm's correction (clustered DeLong). \
The network differs from
{beaten} of the {len(network)} classical methods. Among these, {len(kept)} of {len(classical)} differences \
stand, {len(random)} of them with the embedding of random
weights on one side; of the {len(same)} between classifiers on one feature set \
{(same["p_holm"] < 0.05).sum()}. So a table that ranks SVM,
forest and XGBoost on these 624 images by the third decimal ranks mostly chance.

*Table:* [comparisons_auc.csv](results/comparisons_auc.csv)"""


def balancing() -> str:
    """Whether balancing helps."""
    rows = table("ablation")
    done = rows[rows["status"] == "ok"]
    cv, test = (done[done["split"] == split] for split in ("cv", "test"))
    others = test[test["balance"] != "none"]
    crossed = cv[cv["balance"] != "none"]
    half = test.groupby("balance")[
        ["recall_at_half", "specificity_at_half", "specificity"]
    ].median()
    ece = cv.groupby("balance")["ece"].median()
    return f"""## Balancing moves the threshold, not the ranking
Seven methods of balancing × four classifiers × two feature sets: against no balancing the AUC changes by
{n(crossed["auc_gain"].median(), 4)} in the median of {len(crossed)} comparisons in cross-validation and by \
{n(others["auc_gain"].median(), 4)} on test; its interval lies above 0
for {(others["auc_gain_lo"] > 0).sum()} and below 0 for {(others["auc_gain_hi"] < 0).sum()} of them on test. \
At threshold 0.5 SMOTE gives a test specificity of
{n(half.loc["smote", "specificity_at_half"])} instead of {n(half.loc["none", "specificity_at_half"])} and a \
recall of {n(half.loc["smote", "recall_at_half"])} instead of {n(half.loc["none", "recall_at_half"])} \
(medians); at the threshold
that validation chose nothing is left of it ({n(half.loc["smote", "specificity"])} and \
{n(half.loc["none", "specificity"])}). Calibration in cross-validation gets worse:
the expected calibration error is {n(ece["none"])} without balancing, {n(ece["smote"])} with SMOTE, \
{n(ece["undersample"])} with undersampling. Here a
threshold does what SMOTE does, and leaves the probabilities as they were. Where the classes shift, as
on the test images, balancing can look like better calibration, since it pushes scores the other way.

*Tables:* [ablation.csv](results/ablation.csv), [resampling.csv](results/resampling.csv)"""


def operating() -> str:
    """What a threshold of validation gives on test."""
    rows = table("matched")
    told = []
    for cell in ("hybrid/svm/seed0", "pixels/cnn/seed0"):
        own = rows[rows["cell"] == cell].set_index(["split", "target_recall"])
        for target in (0.90, 0.95, 0.98):
            line = own.loc[("test", target)]
            before = own.loc[("validation", target)]
            told.append(
                f"| {cell} | {target:.2f} | {n(before['specificity'])} | {span(line, 'recall')} | "
                f"{span(line, 'specificity')} | {span(line, 'precision')} |"
            )
    lines = "\n".join(told)
    return f"""## A threshold keeps its recall on test and loses its specificity
| Cell | Recall asked of validation | Specificity there | Recall on test | Specificity | Precision |
|---|---|---|---|---|---|
{lines}

*Table:* [matched.csv](results/matched.csv); precision at other prevalences: \
[prevalence.csv](results/prevalence.csv)"""


def patients() -> str:
    """How many patients it takes."""
    rows = table("learning")
    test = rows[rows["split"] == "test"]
    told, later = [], []
    for cell, own in test.groupby("cell", sort=False):
        means = own.groupby("fraction")[["patients", "auc"]].mean()
        few, fifth, all_ = means.iloc[0], means.loc[0.2], means.iloc[-1]
        later.append(all_["auc"] - fifth["auc"])
        told.append(
            f"{cell} {n(few['auc'])} with {few['patients']:.0f} patients, {n(fifth['auc'])} with "
            f"{fifth['patients']:.0f}, {n(all_['auc'])} with {all_['patients']:.0f}"
        )
    return f"""## More patients of this kind would hardly help
Test AUC: {"; ".join(told)}. From a fifth of the patients on, five times as many add \
{n(min(later))} to {n(max(later))}. So the distance to the
network, and to the cross-validated score, is hardly one of too few patients from the same source.

*Table:* [learning.csv](results/learning.csv)"""


def subgroups() -> str:
    """Bacterial and viral pneumonia."""
    rows = table("subgroups")
    apart = rows[(rows["kind"] == "subtype") & rows["metric"].str.endswith("_difference")
                 & (rows["operating_point"] == "recall95")]  # fmt: skip
    above, below = (apart["lo"] > 0).sum(), (apart["hi"] < 0).sum()
    return f"""## Bacterial and viral pneumonia are found alike
At the threshold for a recall of 0.95 the recall of bacterial less that of viral pneumonia is
{n(apart["value"].median())} in the median of {len(apart)} methods; the interval lies above 0 for {above} and \
below 0 for {below}.

*Table:* [subgroups.csv](results/subgroups.csv)"""


def audit() -> str:
    """What the audit says of the data."""
    rows = table("audit")
    counts = rows.groupby("severity").size()
    exact = rows[rows["check"] == "exact_duplicate"]
    marks = rows[rows["check"] == "class_mark"]
    near = (rows["check"] == "near_duplicate").sum()
    conflicts = rows["check"].isin(["label_conflict", "patient_leak"]).sum()
    told = f" One is of a place {marks.iloc[0]['detail']}." if len(marks) else ""
    return f"""## The data
The audit of the 5,840 radiographs finds {counts.get("stop", 0)} reasons to stop, {counts.get("warn", 0)} \
warnings and {counts.get("note", 0)} notes: {len(exact)} groups of exact duplicates
({exact["images"].sum()} images), {near} near duplicates, {conflicts} conflicts of labels or splits.{told}

*Table:* [audit.csv](results/audit.csv), of `python run_benchmark.py audit --data path/to/chest_xray_224`"""


def page() -> str:
    """Build the page."""
    parts = [gap(), shortcuts(), leakage(), differences(), operating(), balancing(), patients(),
             subgroups(), audit()]  # fmt: skip
    head = f"""# What these radiographs teach

5,840 of the 5,856 radiographs of Kermany et al. 2018 at 224 × 224 pixels, official test split (624 images of
428 patients), seed 0, 95 % intervals by bootstrap over patients unless said otherwise. All numbers are of one
run and, for the cross-validated network, of a second one (on a GPU):

    {RUN}
    {NETWORK}

`python docs/results/make_findings.py` writes this page from the tables in [results](results/README.md).
What is said of these radiographs need not hold for others: one hospital, children of one to five years.
"""
    return head + "\n" + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
