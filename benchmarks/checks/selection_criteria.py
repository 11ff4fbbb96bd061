"""Compare criteria by which a pipeline could be chosen without the test images.

Every feature set and classifier is fitted as it is, with preprocessing and with augmented copies,
and each of these pipelines gets a value by each criterion, from training patients only:

- ``folds``: AUC of patient-grouped cross-validation, as papers report it;
- ``changed``: the same held-out images after changes of framing, exposure and sharpness that exceed
  those of the augmented copies;
- ``blocks``: AUC on held-out blocks of neighbouring patient numbers, as the test patients are;
- ``blocks, changed``: both.

The AUC on the test split is computed beside them, to see which criterion ranks pipelines as the
test does. It is used for nothing else.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.audit.patient_groups import keep_together
from benchmarks.config import RunConfig, load_config
from benchmarks.datasets import splits
from benchmarks.extraction.extract import extract
from benchmarks.extraction.prepare import Preparation, fit_preparation, reading_size
from benchmarks.extraction.store import open_store
from benchmarks.extraction.variants import Variants, with_variants
from benchmarks.fitting.cell import Cell, plan
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import fold_rows
from benchmarks.fitting.fit import Matrix
from benchmarks.fitting.fit_each import FitTask, fit_each
from benchmarks.fitting.scoring import average
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io.image_stack import GreyImages, ImageStack
from benchmarks.io.progress import say
from benchmarks.io.tables import write_csv
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval, with_interval
from benchmarks.metrics.operating_points import thresholds_in_draws
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import confusion_in_draws
from benchmarks.statistics.gap import rank_correlation
from features.preprocessing.augmentation import SHIFTED, augment

COUNT = 4  # folds and blocks
SEED = 0
DRAWS = 500
CRITERION, MARGIN = "blocks, changed", 0.002  # of the recommended choice
CRITERIA = ("folds", "changed", "blocks", "blocks, changed", "validation", "test")
AT_RECALL = ("precision", "specificity")  # at the threshold for a recall of 0.95 on these images
COLUMNS = ["features", "model", "preprocess", "augment", "views", "criterion", "auc", "auc_lo",
           "auc_hi", *(f"{name}_at_recall95" for name in AT_RECALL), "fit_seconds"]  # fmt: skip
RANKS = ["criterion", "pipelines", "within", "rho", "rho_lo", "rho_hi"]


@dataclass(frozen=True)
class Material:
    """Features of all rows, and which rows a fit and its scores use.

    Attributes
    ----------
    matrices : dict of matrices of shape (rows, d), float32
        The n images, then the changed training images, then copies and views.
    rows : SplitIndices
        Of the images and the changed training images.
    n : int
        Number of images; the k-th training image after the change is image n + k.
    fold : dict of ndarray of shape (n_train,)
        Held-out part of each training image, by ``folds`` and ``blocks``.
    """

    matrices: Mapping[str, Matrix]
    rows: SplitIndices
    n: int
    fold: dict[str, NDArray[np.integer]]


def blocks(manifest: pd.DataFrame, count: int) -> NDArray[np.integer]:
    """Divide the patients of each class into blocks of neighbouring numbers.

    Parameters
    ----------
    manifest : DataFrame of n rows
        Training images with ``group``, such as ``IM/0115`` (series and number), and ``label``.
    count : int

    Returns
    -------
    ndarray of shape (n,), int
        Block from 1; series are sorted by name, patients within a series by number.

    Examples
    --------
    >>> table = pd.DataFrame({"group": ["b/2", "a/10", "a/9", "b/1"], "label": [1, 1, 1, 1]})
    >>> blocks(table, 2).tolist()
    [2, 1, 1, 2]
    """
    block = np.zeros(len(manifest), dtype=np.int64)
    for _, own in manifest.reset_index(drop=True).groupby("label"):
        patients = sorted(set(own["group"]), key=_series_and_number)
        images = own["group"].value_counts()
        before = np.cumsum([0, *(images[patient] for patient in patients)])[:-1]
        number = dict(zip(patients, 1 + before * count // len(own), strict=True))
        block[own.index] = [number[patient] for patient in own["group"]]
    return block


def _series_and_number(patient: str) -> tuple[str, int, str]:
    found = re.findall(r"\d+", patient)
    return patient.rpartition("/")[0], int(found[-1]) if found else 0, patient


def shifted(images: GreyImages) -> GreyImages:
    """Change the framing, exposure and sharpness of images as they are read.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8

    Returns
    -------
    ndarray of shape (n, S, S), uint8
        Each depends on its own pixels only.
    """
    padding = bytes(-images[0].size % 8) if len(images) else b""  # to whole 64-bit numbers
    seeds = (int(np.frombuffer(image.tobytes() + padding, np.uint64).sum()) for image in images)
    return augment(images, seeds, SHIFTED)


def material(
    images: ImageStack, manifest: pd.DataFrame, preparation: Preparation, config: RunConfig,
    scratch: Path,
) -> Material:  # fmt: skip
    """Extract the features of images, copies, views and changed images.

    Parameters
    ----------
    images : ImageStack of shape (n, S, S)
        As they are read.
    manifest : DataFrame of n rows
        With ``split`` as assigned.
    preparation : Preparation
    config : RunConfig
        ``augment`` and ``views`` are the most that a pipeline uses.
    scratch : Path
        Folder for the matrices.

    Returns
    -------
    Material
    """
    rows = SplitIndices.of_manifest(manifest)
    train = rows.train
    changed = images.take(train).map(shifted, images.size)
    base = _joined(*(preparation.applied_to(stack, config.quiet) for stack in (images, changed)))
    variants = Variants.of(len(base), train, config.augment, config.views)
    families = {family for cell in plan(config) for family in cell.families}
    with open_store(config) as store:
        found = extract(with_variants(base, variants), config, families, scratch, store)
    label, group = (np.append(one, one[train]) for one in (rows.label, rows.group))
    known = manifest.iloc[train]
    fold = {"folds": splits.folds(known, COUNT), "blocks": blocks(known, COUNT)}
    everything = SplitIndices(label, group, train, rows.parts, variants)
    return Material(found.matrices, everything, len(manifest), fold)


def _joined(first: ImageStack, second: ImageStack) -> ImageStack:
    def _read(rows: NDArray[np.intp]) -> GreyImages:
        late = rows >= len(first)
        images = np.empty((len(rows), first.size, first.size), np.uint8)
        images[~late], images[late] = first[rows[~late]], second[rows[late] - len(first)]
        return images

    return ImageStack(_read, np.arange(len(first) + len(second)), first.size)


def tasks(copies: int, found: Material) -> dict[str, SplitIndices]:
    """List the fits of a cell: on all training images, and without each fold and block.

    Parameters
    ----------
    copies : int
        Copies of each training image to fit on.
    found : Material

    Returns
    -------
    dict of SplitIndices
        By name, such as ``blocks 2``; ``all`` scores ``validation`` and ``test``, the others the
        held-out images as they are and changed.
    """
    variants = found.rows.variants
    assert variants is not None
    own = replace(variants, copies=variants.copies[:, :copies], views=variants.views[:, :0])
    rows = replace(found.rows, variants=own)
    listed = {"all": rows}
    for kind, fold in found.fold.items():
        for k, part in fold_rows(rows, fold).items():
            held_out = np.flatnonzero(fold == k)
            parts = {kind: part.parts["cv"], f"{kind}, changed": found.n + held_out}
            listed[f"{kind} {k}"] = replace(part, parts=parts)
    return listed


def with_views(rows: SplitIndices, views: NDArray[np.intp]) -> SplitIndices:
    """Score each further view of the images as a part of its own.

    Parameters
    ----------
    rows : SplitIndices
    views : ndarray of shape (images, V), int
        Rows of the further views of each image.

    Returns
    -------
    SplitIndices
        With the parts ``test``, ``test@1`` for the first further view, …
    """
    further = {
        f"{name}@{k}": view
        for name, part in rows.parts.items() for k, view in enumerate(views[part].T, start=1)
    }  # fmt: skip
    return replace(rows, parts={**rows.parts, **further})


def averaged(result: CellResult, part: str, views: int) -> Floats:
    """Average the scores of some views.

    Parameters
    ----------
    result : CellResult
        Of the parts of :func:`with_views`.
    part : str
    views : int
        Counting the image itself.

    Returns
    -------
    ndarray
    """
    names = [part, *(f"{part}@{k}" for k in range(1, views))]
    return average([result.scores[name] for name in names])


def draws_of(
    listed: Mapping[str, SplitIndices], results: Mapping[str, CellResult], views: int
) -> dict[str, dict[str, Floats]]:
    """Compute AUC, and precision and specificity at a recall of 0.95, in bootstrap draws.

    Parameters
    ----------
    listed : dict of SplitIndices
        From :func:`tasks`.
    results : dict of CellResult
        By the same names, with the parts of :func:`with_views`.
    views : int
        Views whose scores are averaged.

    Returns
    -------
    dict of dict of ndarray of shape (1 + draws,)
        By criterion and metric: the value, then that in each draw of patients. Over folds and
        blocks they are means. The threshold of each draw is chosen on the images themselves.
    """
    found: dict[str, list[dict[str, Floats]]] = {}
    for name, rows in listed.items():
        if results[name].status != "ok":
            raise click.ClickException(f"{results[name].cell.name}: {results[name].reason}")
        for part, images in rows.parts.items():
            label, score = rows.label[images], averaged(results[name], part, views)
            weights = PatientBootstrap.draw(rows.group[images], label, SEED, DRAWS).with_original()
            cut = thresholds_in_draws(label, score, weights)
            at = confusion_in_draws(label, score >= cut[:, None], weights)
            values = {
                "auc": ranking_metrics(label, score, weights).auc,
                **{f"{name}_at_recall95": getattr(at, name) for name in AT_RECALL},
            }
            found.setdefault("changed" if part == "folds, changed" else part, []).append(values)
    return {
        criterion: {name: np.mean([one[name] for one in each], axis=0) for name in each[0]}
        for criterion, each in found.items()
    }


def rank_rows(table: pd.DataFrame, draws: Mapping[str, Floats]) -> Iterator[dict[str, Any]]:
    """Compare the order of the pipelines by each criterion with their order on the test images.

    Parameters
    ----------
    table : DataFrame
        One row per pipeline, in the order of the draws.
    draws : dict of ndarray of shape (pipelines, 1 + draws)
        AUC by criterion.

    Yields
    ------
    dict
        Columns ``RANKS``: Spearman's correlation over all pipelines, then the median of those over
        the pipelines of one feature set and of one classifier, with intervals over patients.
    """
    everything = np.zeros(len(table), dtype=int)
    groupings = {
        "all": everything,
        "feature set": pd.factorize(table["features"])[0],
        "cell": pd.factorize(table["features"] + "/" + table["model"])[0],
    }
    for criterion, (within, member) in product(CRITERIA[:-1], groupings.items()):
        rho = np.array([
            rank_correlation(draws[criterion][member == k], draws["test"][member == k])
            for k in np.unique(member) if (member == k).sum() > 2
        ])  # fmt: skip
        if len(rho):
            middle = np.nanmedian(rho, axis=0)
            low, high = percentile_interval(middle[1:])
            yield {"criterion": criterion, "pipelines": len(table), "within": within,
                   "rho": middle[0], "rho_lo": low, "rho_hi": high}  # fmt: skip


def compare_criteria(
    config: RunConfig,
    preprocess: Sequence[tuple[str, ...]],
    scores: Path | None = None,
    wanted: Collection[str] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit all pipelines and value them by each criterion.

    Parameters
    ----------
    config : RunConfig
        ``augment`` and ``views`` are tried with and without.
    preprocess : sequence of tuple of str
        Preprocessing steps that are tried; an empty tuple for none.
    scores : Path, optional
        File for the scores of all images, ``.npz``.
    wanted : collection of str
        Cells, such as ``hog/svm``; all of the configuration if empty.

    Returns
    -------
    values : DataFrame
        Columns ``COLUMNS``.
    ranks : DataFrame
        Columns ``RANKS``.
    """
    dataset = datasets.load(config, reading_size(config))
    joined = keep_together(dataset.manifest, audit(dataset).duplicates)
    manifest = dataset.manifest.assign(group=joined)
    manifest = manifest.assign(split=splits.assign(manifest, classes=dataset.classes)[0])
    lines: list[dict[str, Any]] = []
    kept: dict[str, Floats] = {}
    draws: dict[str, list[Floats]] = {criterion: [] for criterion in CRITERIA}
    if config.cache:
        config.cache.mkdir(parents=True, exist_ok=True)
    for names in preprocess:
        own = config.model_copy(update={"preprocess": names})
        with tempfile.TemporaryDirectory(dir=config.cache) as scratch:
            preparation = fit_preparation(dataset.images, manifest, own)
            images = ImageStack.of(dataset.images)
            found = material(images, manifest, preparation, own, Path(scratch))
            for cell, copies, listed, results in _fits(found, own, wanted):
                name = f"{cell.name}/{','.join(names)}/{copies}"
                kept |= {
                    f"{name}/{task}/{part}": score
                    for task, result in results.items() for part, score in result.scores.items()
                }  # fmt: skip
                for views in dict.fromkeys([1, config.views]):
                    known = {
                        "features": cell.features, "model": cell.model,
                        "preprocess": ",".join(names), "augment": copies, "views": views,
                        "fit_seconds": results["all"].fit_seconds,
                    }  # fmt: skip
                    for criterion, drawn in draws_of(listed, results, views).items():
                        draws[criterion].append(drawn["auc"])
                        lines.append({**known, "criterion": criterion, **_values(drawn)})
    if scores is not None:
        np.savez(scores, allow_pickle=False, **kept)
    values = pd.DataFrame(lines)[COLUMNS]
    each = values[values["criterion"] == "test"].reset_index(drop=True)
    ranks = rank_rows(each, {name: np.array(found) for name, found in draws.items()})
    return values, pd.DataFrame(ranks)[RANKS]


def _values(drawn: Mapping[str, Floats]) -> dict[str, float]:
    """Return the value of each metric, and an interval of the AUC over patients."""
    values = {name: float(each[0]) for name, each in drawn.items()}
    return values | with_interval("auc", drawn["auc"])


def _fits(
    found: Material, config: RunConfig, wanted: Collection[str]
) -> Iterator[tuple[Cell, int, dict[str, SplitIndices], dict[str, CellResult]]]:
    """Fit every cell with and without copies."""
    assert found.rows.variants is not None
    views = found.rows.variants.views
    chosen = [
        (cell, copies, tasks(copies, found))
        for cell in plan(config)
        if cell.on_features and (not wanted or f"{cell.features}/{cell.model}" in wanted)
        for copies in dict.fromkeys([0, config.augment])
    ]  # fmt: skip
    flat = [
        FitTask(cell, with_views(rows, views)) for cell, _, each in chosen for rows in each.values()
    ]
    results = fit_each(flat, found.matrices, config, "fits")
    for cell, copies, each in chosen:
        yield cell, copies, each, {name: next(results) for name in each}


def recommend(values: pd.DataFrame) -> pd.DataFrame:
    """Choose preprocessing, copies and views by training patients alone.

    Parameters
    ----------
    values : DataFrame
        Columns ``COLUMNS``.

    Returns
    -------
    DataFrame
        One row per choice, best first: preprocess, augment, views, and the mean AUC over the cells
        by each criterion but ``test``. The first row is recommended: it has the highest mean by
        ``blocks, changed``, because another hospital's images differ from the training images in
        patients and in framing, exposure and sharpness. Choices within 0.002 of the highest count
        as equal, and the one with the fewest steps, copies and views comes first.
    """
    choice = ["preprocess", "augment", "views"]
    known = values[values["criterion"] != "test"]
    table = known.pivot_table(index=choice, columns="criterion", values="auc").reset_index()
    best = table[CRITERION].max()
    table = table.assign(equal=table[CRITERION] >= best - MARGIN, steps=table["preprocess"] != "")
    order = table[table["equal"]].sort_values(["steps", "augment", "views"])
    rest = table[~table["equal"]].sort_values(CRITERION, ascending=False)
    return pd.concat([order, rest])[[*choice, *CRITERIA[:-1]]].reset_index(drop=True)


@click.command()
@click.option("--data", required=True, help="Data with patients, as for a run.")
@click.option("--backbone", help="timm network of the embedding.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights of the backbone.")
@click.option("--layers", help="Layers of the embedding, as for a run.")
@click.option("--features", help="Feature sets, comma-separated.")
@click.option("--models", help="Classifiers, comma-separated.")
@click.option("--cells", help="Cells such as hog/svm, comma-separated, if not all.")
@click.option("--preprocess", multiple=True, default=["none", "registration"], show_default=True,
              help="Steps, comma-separated, or none. Can be repeated.")  # fmt: skip
@click.option("--augment", default=3, show_default=True)
@click.option("--views", default=4, show_default=True)
@click.option("--image-size", help="Side in pixels.")
@click.option("--limit", help="Approximate number of images.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of the feature store.")
@click.option("--jobs", help="Number of processes.")
@click.option("--scores", type=click.Path(path_type=Path), help="File for all scores, .npz.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              default=Path("docs/checks"), show_default=True)  # fmt: skip
@click.option("--name", default="criteria", show_default=True, help="Of the tables.")
def _main(
    out: Path, name: str, scores: Path | None, cells: str | None, preprocess: tuple[str, ...],
    **options: Any,
) -> None:  # fmt: skip
    """Write NAME.csv, NAME_ranks.csv and NAME_choice.csv."""
    given = {key: value for key, value in options.items() if value is not None}
    out.mkdir(parents=True, exist_ok=True)
    config = load_config(given)
    tried = [load_config({"preprocess": steps}).preprocess for steps in preprocess]
    values, ranks = compare_criteria(config, tried, scores, cells.split(",") if cells else ())
    write_csv(out / f"{name}.csv", values.round(6))
    write_csv(out / f"{name}_ranks.csv", ranks.round(6))
    chosen = recommend(values)
    write_csv(out / f"{name}_choice.csv", chosen.round(6))
    say(ranks.to_string(index=False), quiet=False)
    say(chosen.to_string(index=False), quiet=False)


if __name__ == "__main__":
    _main()
