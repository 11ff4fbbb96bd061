"""Images that most methods get wrong."""

from __future__ import annotations

import pandas as pd

from benchmarks.io.formatting import number
from benchmarks.io.results import IMAGES, Results
from benchmarks.report.blocks import Block, Picture, Pictures, Section, Table, paragraph, row
from benchmarks.run.exploration import hardest, thumbnail_name

SHOWN = 12
_TITLES = {
    0: "Normal images that most cells call pneumonia",
    1: "Pneumonias that most cells miss",
}


def render(results: Results) -> Section:
    """Show the test images that more than half of the cells got wrong."""
    title = "Images that most models get wrong"
    if results.predictions.empty:
        return Section(title, (paragraph("No cell finished, so no image was judged."),))
    every = hardest(results.predictions, results.scores, len(results.manifest))
    shown = hardest(results.predictions, results.scores, SHOWN)
    if shown.empty:
        text = "No test image was got wrong by more than half of the cells."
        return Section(title, (paragraph(text),))
    wrong = every["label"].value_counts()
    text = (
        "At the threshold chosen on validation for a recall of 0.95, more than half of the cells "
        f"call {_count(wrong.get(0, 0), 'normal test image')} pneumonia and miss "
        f"{_count(wrong.get(1, 0), 'pneumonia')}. Shown are the worst, at most {SHOWN} of each; "
        "an image that fools methods this different is hard, unusual or perhaps labelled wrongly."
    )
    blocks: list[Block] = [paragraph(text)]
    for label, heading in _TITLES.items():
        part = shown[shown["label"] == label]
        if len(part):
            blocks.append(_pictures(results, part, heading))
    blocks.append(_table(shown))
    return Section(title, tuple(blocks))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _pictures(results: Results, table: pd.DataFrame, heading: str) -> Pictures:
    items = []
    for one in table.to_dict("records"):
        path = results.folder / IMAGES / thumbnail_name(str(one["image"]))
        data = path.read_bytes() if path.is_file() else b""
        items.append(Picture(data, str(one["image"]), f"{one['wrong']} of {one['cells']} cells"))
    return Pictures(heading + ".", tuple(items))


def _table(table: pd.DataFrame) -> Table:
    lines = tuple(
        row(
            one["image"], "PNEUMONIA" if one["label"] == 1 else "NORMAL", one["subtype"] or "–",
            one["group"], f"{one['wrong']} / {one['cells']}", number(one["mean_score"]),
        )
        for one in table.to_dict("records")
    )  # fmt: skip
    return Table(
        name="mistakes",
        caption="The same images in words; the score is the mean probability of pneumonia.",
        header=("Image", "Label", "Subtype", "Patient", "Wrong", "Mean score"),
        rows=lines,
        labels=4,
        words=True,
    )
