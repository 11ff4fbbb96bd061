"""The images and the test patients that several labels of one data set share."""

from __future__ import annotations

import pandas as pd

from benchmarks.audit.evidence import gather
from benchmarks.audit.patient_groups import keep_together
from benchmarks.config import RunConfig
from benchmarks.datasets import DATASETS, kind
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.datasets.splits import draw_common_test
from benchmarks.datasets.table import Listed, read_listed
from benchmarks.extraction.prepare import reading_size
from benchmarks.io.columns import MORE_TABLES

COUNTS = ("0", "1", "2", "3+")  # of the positive labels of an image


def common_split(
    config: RunConfig, labels: tuple[str, ...]
) -> tuple[pd.DataFrame | None, list[str]]:
    """Draw test images, and with ``limit`` all images, once for all labels.

    Parameters
    ----------
    config : RunConfig
    labels : tuple of str
        Names of the labels.

    Returns
    -------
    split : DataFrame or None
        ``image``, ``patient``, ``split``: the images of all labels; None if each label finds the
        same images and split by itself.
    notes : list of str
        For the report.

    Raises
    ------
    DataError
        If no such split can be drawn, or no label can be read.

    Notes
    -----
    Whole patients are drawn, stratified by the number of positive labels of their images (0, 1, 2,
    or more). Patients who share a copied image count as one.
    """
    if config.limit is None and config.test_fraction is None:
        return None, []
    list_only = getattr(DATASETS[kind(config.data)], "list_only", None)
    if list_only is None:
        option = "--limit" if config.limit is not None else "--test-fraction"
        raise DataError(
            f"--data {config.data}: got {option} with the labels {', '.join(labels)}, but each "
            f"would draw other images, and expected the same for all. Leave {option} out, or give "
            "a table of images."
        )
    found, reasons = [], []
    for label in labels:
        try:
            found.append(list_only(config.model_copy(update={"label": (label,)})))
        except DataError as error:  # recorded when its own run meets it
            reasons.append(str(error))
    if not found:
        raise DataError("\n".join(dict.fromkeys(reasons)))
    listed = _joined(found)
    dataset = read_listed(listed, config, reading_size(config), config.data, [])
    split, notes = _drawn(dataset, config) if listed.draw_test else (dataset.manifest["split"], [])
    if config.limit is not None:
        notes = [
            f"{len(dataset.manifest):,} of {len(listed.manifest):,} images drawn once for all "
            f"labels (--limit {config.limit}): whole patients, with splits and numbers of positive "
            "labels in proportion.",
            *notes,
        ]
    table = dataset.manifest[["image"]].assign(patient=dataset.manifest["group"], split=split)
    # Unreadable images stay, so that the run of each label reports them.
    unread = dataset.left_out[["image"]].assign(patient="", split="train")
    table = pd.concat([table, unread], ignore_index=True)[MORE_TABLES["split"]]
    return table.drop_duplicates("image").sort_values("image", ignore_index=True), notes


def _joined(found: list[Listed]) -> Listed:
    """Join what the labels list; the class of an image is its number of positive labels."""
    first = found[0]
    rows = pd.concat([one.manifest for one in found], ignore_index=True)
    count = rows.groupby("image")["label"].sum().clip(upper=len(COUNTS) - 1)
    rows = rows.drop_duplicates("image").sort_values("image", ignore_index=True)
    label = rows["image"].map(count)
    absent = pd.concat([one.absent for one in found], ignore_index=True).drop_duplicates("image")
    return Listed(
        manifest=rows.assign(**{"label": label, "class": label.map(dict(enumerate(COUNTS)))}),
        root=first.root,
        classes=COUNTS,
        excluded=first.excluded.iloc[:0],
        notes=(),
        ignored_files=first.ignored_files,
        draw_test=any(one.draw_test for one in found),
        absent=absent,
    )


def _drawn(dataset: Dataset, config: RunConfig) -> tuple[pd.Series, list[str]]:
    assert config.test_fraction is not None
    evidence = gather(dataset)
    group = keep_together(dataset.manifest, (*evidence.exact, *evidence.near))
    return draw_common_test(dataset.manifest.assign(group=group), config.test_fraction)
