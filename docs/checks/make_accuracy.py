"""Write docs/accuracy.md from the tables of the comparison of criteria.

python docs/checks/make_accuracy.py
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.checks.selection_criteria import CRITERION, MARGIN, recommend
from features.backbone import DEFAULT_BACKBONE

HERE = Path(__file__).parent
PAGE = HERE.parent / "accuracy.md"
PIPELINES = ("plain", "rule", "registered")
LAYERS, WITH_LAYERS = "2, 3, 4", "embedding of layers"
CRITERIA = {
    "folds": "cross-validation by patient",
    "changed": "the same, held-out images changed",
    "blocks": "held-out blocks of patient numbers",
    "blocks, changed": "the same, held-out images changed",
    "validation": "validation set",
}
TEXT = """# Choosing a pipeline for images that differ from the training images

On the radiographs of Kermany et al. 2018, cross-validated AUCs on the training patients are near their maximum, and the
test images differ from the training images. This page compares criteria by which features, preprocessing, copies and
views of images can be chosen with training patients alone, and shows what the choice does on the official test split.

    C="python -m benchmarks.checks.selection_criteria --data path/to/chest_xray_224 --limit 3000 --models logistic
       {steps} --augment {augment} --views {views}"
    $C --features {features}
    $C --features embedding --layers {layers} --name criteria_layers
    $C --features scattering --name criteria_scattering
    $C --features ltp+scattering,ltp+scattering+embedding --layers {layers} --name criteria_joined
    python -m benchmarks.checks.selection_criteria --data path/to/chest_xray_224 --limit 1000 --models logistic \\
        --features ltp,embedding --layers {layers} --augment 3 --views 1 --name criteria_steps \\
        {all_steps}
    python -m benchmarks.checks.selection_criteria --data phantoms --models logistic {steps} \\
        --features {phantom_features} --augment 3 --views 2 --name criteria_phantoms
    python docs/checks/make_accuracy.py     # this page

## The rule
It was written into the program before the test values on this page were computed for it. The criterion is the mean AUC
over the cells on held-out blocks of training patients whose images are changed in framing, exposure and sharpness, by
more than the copies are (`SHIFTED` in `features/preprocessing/augmentation.py`). The reason: another hospital's images
differ in both, patients and technique. Choices within {margin} of the highest count as equal, and the one with the
fewest steps, copies and views is taken. Test images are not used.

**By the rule: {rule}.**

Mean AUC over {cells} cells ({names}), from training patients only, in the order of the rule:

{choice}

Feature sets by the same criterion, with these options:

{sets}

## What is recommended
No criterion ranks preprocessing as the test images do (last table of this page; within a cell, that of the rule has a
rank correlation of {within}). The changes by which it asks are of the same kinds as those of the copies, only larger,
so it favours methods that learn from copies. Preprocessing is therefore recommended by a reason that needs no data:
classifiers get the changed copies that the CNN gets, and every chest is brought to one place, so that a feature of a
place in the image is one of a place in the chest. On phantoms, whose framing varies by construction, registration raises
the mean AUC by the criterion and on the test split (below). Features and layers are those that the criterion ranks first; `ltp`,
`scattering` and the layers were found by trials with the same criterion on about 1,500 training images. Trials of HOG at
two cell sizes, thumbnails, left–right differences, rotation-invariant LTP and scattering of first order alone found
lower values; they are not part of the program.

**Recommended: {recommended}**, with the features `ltp+scattering+embedding` and `embedding`
and, without a network, `ltp+scattering`. This pipeline and that of the rule are shown below. The test columns of the next table were seen before the pipeline was recommended, so what it gains
on these test images is an optimistic estimate; only images from elsewhere can confirm it.

The default of the program stays the plain pipeline (`--preprocess none --augment 0 --views 1`, last features of the
network): classifiers are fitted on {times} times the rows with the options.

An earlier version of registration repeated edge pixels where the registered image reached beyond the original. How many
went with the class, in training the other way round than in the test split. Registration now cuts images to what 95 %
of the training images cover, and repeats nothing.

### Cost
Milliseconds per image of 224 × 224 pixels on one thread (`python -m benchmarks.speed --only preprocessing`):

{costs}

Each copy and view costs the features of an image, too (see [speed](speed/README.md)), and classifiers are fitted on
four times the rows. The times of the runs below are no timings: other programs ran beside them.

## What each step does
AUC with 95 % intervals over patients. `Held out` is the criterion of the rule. The test columns are for comparison;
precision and specificity at a test recall of 0.95 are descriptive, since their threshold is chosen on the test images.
One seed, and about 3,000 of the 5,840 images (`--limit 3000`), of both splits in proportion.

{ladder}

## All preprocessing steps
Mean AUC of `ltp` and `embedding` (layers {layers_words}) with logistic regression, one view, on about 1,000 images
(`--limit 1000`): by the criterion of the rule, and on the test images, of which these are few. In the order of the
criterion with copies.

{all_steps_table}

By the criterion, {better}.

## The same on phantoms
The built-in phantoms vary in framing, exposure and position, and their test images come from the same generator as the
training images. AUC with logistic regression on held-out phantoms of the training split, changed as above (`held out`: the
criterion of the rule), and on the test split; embedding of `{backbone}`:

{phantoms}

On these, the rule takes {phantom_rule}. Without a difference between training and test images,
cross-validation ranks the pipelines well: its rank correlation with the test AUC is {phantom_folds} over all {phantom_count} pipelines; that of the rule's criterion is {phantom_rank}. How close registration brings landmarks of phantoms to each other:
[checks](checks/README.md).

## All methods with and without these steps
{runs} plain, with the options of the rule and with the
recommended ones (`Registered`), on all images, one seed. The runs are of a few commits between which these numbers did
not change: a cell that two of them have, has the same AUC in both (`make_pipelines.py` checks it). Precision, recall and
specificity, plain → recommended, are at the threshold that gives a recall of 0.95 on the validation set. `At recall
0.95` is the precision at a recall of 0.95 on the test images: descriptive, as above. Differences are to the plain AUC, on
the same test images, with 95 % intervals by DeLong's method for clustered data (patients); the fitted models are held
fixed. {stand} `combined` is the mean over all classifiers of a run but
random controls and sets with `scattering`: {members}.

{methods}

### Maps of importance before and after registration
![Maps of importance, plain images](results/figures/importance-maps.svg)

![Maps of importance, registered images](results/figures/registered-importance-maps.svg)

**Figures.** Importance of each region's columns, on the mean training image as the models receive it: plain (upper
figure) and registered with copies, views and layers (lower figure); for each feature set, the cell with the highest average
precision on the validation set. Orange: high; each map has its own scale. A region of a registered image is about the
same place of every chest, and the mean of these images is a chest.

### Where the remaining errors lie
Test images that more than half of the methods misclassify at their thresholds, over the {common} methods that all three
pipelines have (without the random control and the combinations):

{errors}

## Which criterion ranks pipelines as the test images do
Spearman's rank correlation between the AUC by each criterion and the AUC on the test images, over {pipelines} pipelines
(cells × preprocessing × copies × views, without `--layers`, `scattering` and the sets with it), and the median of those over the pipelines of one cell.
Intervals: 95 %, over the patients of both; these pipelines are held fixed.

{ranks}

The cells and changes tried here are few, and the ranks of the pipelines of one cell depend on each other; the table says
how these pipelines rank, not that a criterion works for others. Over all pipelines, the changed images rank feature sets
and copies to some degree; cross-validation and the validation set do not. In an earlier comparison, of HOG, LBP and
embeddings with the registration that repeated pixels, changed images ranked the pipelines of a cell with a correlation of
0.57 (0.22 to 0.70): a criterion can look good on a few pipelines.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Make the text of the page from the tables."""
    values = pd.read_csv(HERE / "criteria.csv", keep_default_na=False)
    layers = pd.read_csv(HERE / "criteria_layers.csv", keep_default_na=False)
    known = f"{WITH_LAYERS} {LAYERS}"
    scattering = pd.read_csv(HERE / "criteria_scattering.csv", keep_default_na=False)
    joined = pd.read_csv(HERE / "criteria_joined.csv", keep_default_na=False)
    joined["features"] = joined["features"].str.replace("embedding", known)
    everything = pd.concat([values, layers.assign(features=known), scattering, joined])
    ranks = pd.read_csv(HERE / "criteria_ranks.csv")
    choice = recommend(everything)
    best = choice[choice["preprocess"] == "registration"].iloc[0]
    methods = pd.read_csv(HERE.parent / "results" / "pipelines.csv")
    cells = sorted(set(everything["features"] + " + " + everything["model"]))
    tried = [name or "none" for name in values["preprocess"].unique()]
    steps = pd.read_csv(HERE / "criteria_steps.csv", keep_default_na=False)
    phantoms = pd.read_csv(HERE / "criteria_phantoms.csv", keep_default_na=False)
    of_phantoms = pd.read_csv(HERE / "criteria_phantoms_ranks.csv")
    return TEXT.format(
        steps=" ".join(f"--preprocess {name}" for name in tried),
        features=",".join(values["features"].unique()), layers=LAYERS.replace(" ", ""),
        augment=values["augment"].max(), views=values["views"].max(), margin=MARGIN,
        rule=_options(choice.iloc[0]), recommended=_options(best), times=int(choice.iloc[0]["augment"]) + 1,
        cells=len(cells), names="; ".join(cells), choice=_choice(choice),
        sets=_sets(everything, choice.iloc[0]), ladder=_ladder(everything),
        ranks=_ranks(ranks), pipelines=int(ranks["pipelines"].iloc[0]),
        methods=_methods(methods), stand=_stand(methods), errors=_errors(),
        within=_rank(ranks, CRITERION, "cell"), members=_members(methods), common=_common(),
        runs=_runs(methods), costs=_costs(),
        all_steps=" ".join(f"--preprocess {name or 'none'}" for name in steps["preprocess"].unique()),
        all_steps_table=_table(_steps(steps)), better=_better(steps), layers_words=LAYERS,
        phantom_features=",".join(phantoms["features"].unique()), phantoms=_phantoms(phantoms),
        backbone=DEFAULT_BACKBONE, phantom_rule=_options(recommend(phantoms).iloc[0], layers=False),
        phantom_folds=_rank(of_phantoms, "folds", "all"), phantom_rank=_rank(of_phantoms, CRITERION, "all"),
        phantom_count=int(of_phantoms["pipelines"].iloc[0]),
    )  # fmt: skip


def _steps(values: pd.DataFrame) -> pd.DataFrame:
    """Average the cells of each step, with and without copies."""
    wide = values.pivot_table(index="preprocess", columns=["criterion", "augment"], values="auc")
    most = values["augment"].max()
    shown = {
        f"{words}, {f'{copies} copies' if copies else 'no copies'}": wide[criterion, copies]
        for copies in (0, most)
        for words, criterion in (("Criterion", CRITERION), ("Test", "test"))
    }
    table = pd.DataFrame(shown).sort_values(f"Criterion, {most} copies", ascending=False)
    table = table.map("{:.3f}".format)
    table.insert(0, "Step", [name or "none" for name in table.index])
    return table.reset_index(drop=True)


def _better(values: pd.DataFrame) -> str:
    """Say which steps the criterion ranks above plain images with copies."""
    most = values[
        (values["augment"] == values["augment"].max()) & (values["criterion"] == CRITERION)
    ]
    means = most.groupby("preprocess")["auc"].mean()
    found = means[means > means[""] + MARGIN].index.tolist()
    if not found:
        return f"no step raises the mean with copies by more than {MARGIN}, and the rule takes none of them"
    return f"{', '.join(found)} raise the mean with copies by more than {MARGIN}"


def _phantoms(values: pd.DataFrame) -> str:
    """Format the ladder on phantoms, one row per pipeline and one column per feature set."""
    rows = []
    for (steps, copies, views), own in values.groupby(
        ["preprocess", "augment", "views"], sort=False
    ):
        row = {"Preprocessing": steps or "none", "Copies": copies, "Views": views}
        for words, criterion in (("held out", CRITERION), ("test", "test")):
            one = own[own["criterion"] == criterion].set_index("features")["auc"]
            row |= {f"{name}, {words}": f"{value:.3f}" for name, value in one.items()}
        rows.append(row)
    return _table(pd.DataFrame(rows))


def _sets(values: pd.DataFrame, choice: pd.Series) -> str:
    """Order the cells by the criterion, with the recommended options."""
    own = values[values["criterion"] == CRITERION]
    for option in ("preprocess", "augment", "views"):
        own = own[own[option] == choice[option]]
    own = own.sort_values("auc", ascending=False)
    return _table(pd.DataFrame({
        "Features": own["features"], "Classifier": own["model"],
        "AUC, held out": [_interval(row) for _, row in own.iterrows()],
    }))  # fmt: skip


def _options(row: pd.Series, layers: bool = True) -> str:
    text = (
        f"--preprocess {row['preprocess'] or 'none'} --augment {row['augment']} "
        f"--views {row['views']}"
    )
    return f"`{text} --layers {LAYERS.replace(' ', '')}`" if layers else f"`{text}`"


def _choice(table: pd.DataFrame) -> str:
    shown = pd.DataFrame({
        "Preprocessing": table["preprocess"].replace("", "none"), "Copies": table["augment"],
        "Views": table["views"],
        **{f"{name[:1].upper()}{name[1:]}": table[name].map("{:.4f}".format) for name in CRITERIA},
    })  # fmt: skip
    return _table(shown)


def _ladder(values: pd.DataFrame) -> str:
    rows = []
    keys = ["features", "model", "preprocess", "augment", "views"]
    ordered = values.sort_values(["features", "model"], kind="stable")
    for key, own in ordered.groupby(keys, sort=False):
        held, test = (own[own["criterion"] == name].iloc[0] for name in (CRITERION, "test"))
        features, model, steps, copies, views = key
        rows.append({
            "Cell": f"{features} + {model}", "Preprocessing": steps or "none", "Copies": copies,
            "Views": views, "Held out": _interval(held), "Test": _interval(test),
            "Precision": f"{test['precision_at_recall95']:.3f}",
            "Specificity": f"{test['specificity_at_recall95']:.3f}",
        })  # fmt: skip
    return _table(pd.DataFrame(rows))


def _methods(table: pd.DataFrame) -> str:
    """Format every cell plain, by the rule and registered."""
    shown = {
        "Method": table["cell"].str.rsplit("/", n=1).str[0],
        "AUC, plain": table["auc_plain"].map("{:.3f}".format),
    }
    for name in PIPELINES[1:]:
        shown[name.capitalize()] = [
            "" if pd.isna(row[f"auc_{name}"]) else
            f"{row[f'auc_{name}']:.3f}: {row[f'difference_{name}']:+.3f} "
            f"({row[f'difference_{name}_lo']:.3f} to {row[f'difference_{name}_hi']:.3f})"
            .replace("-", "−")
            for _, row in table.iterrows()
        ]  # fmt: skip
    for rate in ("precision", "recall", "specificity"):
        shown[rate.capitalize()] = _changes(table, rate)
    shown["At recall 0.95"] = _changes(table, "matched_precision")
    return _table(pd.DataFrame(shown))


def _changes(table: pd.DataFrame, rate: str) -> list[str]:
    return [
        f"{plain:.3f}" + ("" if pd.isna(new) else f" → {new:.3f}")
        for plain, new in zip(table[f"{rate}_plain"], table[f"{rate}_registered"], strict=True)
    ]


def _rank(ranks: pd.DataFrame, criterion: str, within: str) -> str:
    own = ranks[(ranks["criterion"] == criterion) & (ranks["within"] == within)].iloc[0]
    return f"{own['rho']:.2f}, {own['rho_lo']:.2f} to {own['rho_hi']:.2f}".replace("-", "−")


def _members(table: pd.DataFrame) -> str:
    """Say how many classifiers the combination of each pipeline has."""
    others = ("combined/", "embedding_random/", "pixels/", "scattering/", "ltp+scattering")
    single = table[~table["cell"].str.startswith(others)]
    counts = [f"{single[f'auc_{name}'].notna().sum()} {name}" for name in PIPELINES]
    return ", ".join(counts)


def _common() -> int:
    table = pd.read_csv(HERE.parent / "results" / "errors.csv")
    return int(table["methods"].unique().item())


def _runs(table: pd.DataFrame) -> str:
    """Say how many methods were fitted, and on what network."""
    return f"{len(table)} methods (embeddings and CNN: `{DEFAULT_BACKBONE}`),"


def _errors() -> str:
    """Format how many images of each kind most methods misclassify."""
    table = pd.read_csv(HERE.parent / "results" / "errors.csv")
    by_kind = {name: table[table["pipeline"] == name].set_index("kind") for name in PIPELINES}
    plain = by_kind["plain"]
    return _table(pd.DataFrame({
        "Images": plain.index, "Number": plain["images"], "Patients": plain["patients"],
        **{name.capitalize(): own["most_wrong"] for name, own in by_kind.items()},
    }))  # fmt: skip


def _costs() -> str:
    """Format the time of each step, of a copy and of a view."""
    table = pd.read_csv(HERE.parent / "speed" / "speed.csv")
    own = table[table["section"] == "preprocessing"]
    return _table(pd.DataFrame({"Step": own["ours"], "ms": own["ms"].map("{:.2f}".format)}))


def _stand(table: pd.DataFrame) -> str:
    """Count the differences that stand after Holm's correction."""
    found = []
    for name in PIPELINES[1:]:
        known = table[table[f"difference_{name}"].notna()]
        sure = known.loc[known[f"difference_{name}_p_holm"] < 0.05, f"difference_{name}"]
        up = int((sure > 0).sum())
        found.append(f"{name}, gains {up}, losses {len(sure) - up}, of {len(known)}")
    return f"With p < 0.05 after Holm's correction over all differences: {'; '.join(found)}."


def _interval(row: pd.Series) -> str:
    return f"{row['auc']:.3f} ({row['auc_lo']:.3f}–{row['auc_hi']:.3f})"


def _ranks(table: pd.DataFrame) -> str:
    shown = {}
    for (within, criterion), row in table.set_index(["within", "criterion"]).iterrows():
        text = f"{row['rho']:.2f} ({row['rho_lo']:.2f} to {row['rho_hi']:.2f})".replace("-", "−")
        shown.setdefault(criterion, {})[within] = text
    return _table(pd.DataFrame(
        [{"Criterion": f"{name}: {CRITERIA[name]}", "All pipelines": own["all"],
          "Within a feature set": own["feature set"], "Within a cell": own["cell"]}
         for name, own in shown.items()]
    ))  # fmt: skip


def _table(table: pd.DataFrame) -> str:
    return table.to_markdown(index=False, disable_numparse=True)


if __name__ == "__main__":
    main()
