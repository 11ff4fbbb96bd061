"""Test images that most cells misclassify."""

from __future__ import annotations

import pandas as pd

from benchmarks.io.formatting import number
from benchmarks.io.results import Results
from benchmarks.io.run_files import read_png
from benchmarks.io.run_record import class_pair
from benchmarks.report.blocks import (
    Block,
    Picture,
    Pictures,
    Section,
    Table,
    paragraph,
    row,
    text_section,
)
from benchmarks.run.exploration import hardest, thumbnail_name

_SHOWN = 12


def render(results: Results) -> Section:
    """Show the test images that more than half of the cells misclassify.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Misclassified images"
    if results.predictions.empty:
        return text_section(title, "No cell finished, so no image was classified.")
    every = hardest(results.predictions, results.scores, len(results.manifest))
    shown = hardest(results.predictions, results.scores, _SHOWN)
    if shown.empty:
        return text_section(
            title, "No test image was misclassified by more than half of the cells."
        )
    wrong = every["label"].value_counts()
    test = results.manifest[results.manifest["split"] == "test"]
    names = class_pair(results)
    counts = [
        f"{wrong.get(label, 0)} of {_count(int((test['label'] == label).sum()), f'{name} image')}"
        for label, name in enumerate(names)
    ]
    text = (
        "At the threshold for a recall of 0.95 on the validation set, more than half of the cells "
        f"misclassify {counts[0]} and {counts[1]} of the test set. At most {_SHOWN} of each "
        "class are shown, those misclassified most often first. The cells fitted in this run share "
        "training and validation images, so their errors are not independent; that many cells "
        "misclassify an image does not show why."
    )
    blocks: list[Block] = [paragraph(text)]
    for label, name in enumerate(names):
        part = shown[shown["label"] == label]
        heading = f"{name} images that most cells predict as {names[1 - label]}"
        if len(part):
            blocks.append(_thumbnails(results, part, heading))
    blocks.append(_table(shown, names))
    return Section(title, tuple(blocks))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _thumbnails(results: Results, table: pd.DataFrame, heading: str) -> Pictures:
    items = []
    for one in table.to_dict("records"):
        data = read_png(results.folder, thumbnail_name(str(one["image"]))) or b""
        items.append(Picture(data, str(one["image"]), f"{one['wrong']} of {one['cells']} cells"))
    return Pictures(heading + ".", tuple(items))


def _table(table: pd.DataFrame, names: tuple[str, str]) -> Table:
    lines = tuple(
        row(
            one["image"], names[one["label"]], one["subtype"] or "–",
            one["group"], f"{one['wrong']} / {one['cells']}", number(one["mean_score"]),
        )
        for one in table.to_dict("records")
    )  # fmt: skip
    return Table(
        name="mistakes",
        caption="The images above. Mean score: predicted probability, mean over the cells.",
        header=("Image", "Label", "Subtype", "Patient", "Misclassified", "Mean score"),
        rows=lines,
        labels=4,
        words=True,
    )
