"""Controls that see no lung, beside the whole image: how much of a score needs no lung."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.datasets.regions import MASKS
from benchmarks.io.formatting import interval, number
from benchmarks.io.results import IMAGES, Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import (
    Block,
    Cell,
    Code,
    Figure,
    Group,
    Picture,
    Pictures,
    Section,
    Table,
    paragraph,
)
from benchmarks.report.plots import BLUE, VERMILION, Look, draw, frame, legend, name_rows
from benchmarks.statistics.method_rows import rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

TITLE = "What does not need a lung"
NAMES = {
    "size": "size of image and file",
    "number": "patient number",
    "border": "border only (outer 12 %)",
    "no_lungs": "lungs blacked out",
    "thumbnail": "thumbnail, 16 × 16",
    "centre": "centre only",
    "whole": "whole image",
}
WITHOUT_LUNG = ("size", "number", "border", "no_lungs")
_LOOKS = {"cv": Look(BLUE, "-", "o"), "test": Look(VERMILION, "-", "D")}
_SPLITS = {"cv": "cross-validation", "test": "test"}


def render(results: Results) -> Section:
    """Say how well controls without a lung do, and what that means for the main table."""
    table = results.table("shortcuts")
    if table.empty:
        return Section(TITLE, (paragraph(
            "This run has no shortcut controls; they come with ", Code("--study shortcuts"), "."
        ),))  # fmt: skip
    done = table[table["status"] == "ok"]
    blocks: list[Block] = [paragraph(_text(done)), paragraph(_meaning(results, done))]
    missing = table[table["status"] != "ok"]
    if len(missing):
        told = "; ".join(f"{NAMES[r['control']]}: {r['reason']}" for r in _records(missing))
        blocks.append(paragraph(f"Left out: {told.rstrip('.')}."))
    if len(done):
        blocks += [_figure(results, done), _table(done)]
    pictures = _pictures(results)
    return Section(TITLE, (*blocks, *([pictures] if pictures.items else [])))


def _text(done: pd.DataFrame) -> str:
    told = []
    for name in WITHOUT_LUNG:
        own = _by_split(done, name)
        if own:
            areas = [f"{_area(line)} {_on(split)}" for split, line in own.items()]
            told.append(f"{NAMES[name]}: {' and '.join(areas)}")
    if not told:
        return "No control that sees no lung could be made from these data."
    whole = _by_split(done, "whole")
    areas = [f"{_area(line)} {_on(split)}" for split, line in whole.items()]
    end = f" The whole image, described in the same way: {' and '.join(areas)}." if areas else ""
    return (
        "These controls should know nothing of the lung, so their AUC ought to be near 0.5 "
        f"(chance). {'; '.join(told)[0].upper()}{'; '.join(told)[1:]}.{end}"
    )


def _meaning(results: Results, done: pd.DataFrame) -> str:
    test = done[(done["split"] == "test") & done["control"].isin(WITHOUT_LUNG)]
    if test.empty:
        return "So nothing is known of how much of the main table needs a lung."
    above = test[test["auc_lo"] > 0.5]
    if above.empty:
        return (
            "On test no interval lies above 0.5: these controls found no way around the lung. "
            "That does not prove that there is none."
        )
    top = max(_records(above), key=lambda line: float(line["auc"]))
    known = [row.estimate("test", "0.5", "auc").value for row in rows(results) if row.ok]
    areas = [value for value in known if not math.isnan(value)]
    reached = sum(value <= top["auc"] for value in areas)
    main = (
        f" {reached} of the {len(areas)} methods of the main table have no larger test AUC."
        if areas else ""
    )  # fmt: skip
    return (
        f"On test {len(above)} of {len(test)} such controls are better than chance, the best "
        f"being {NAMES[top['control']]} with an AUC of {number(top['auc'])}{_lost(top)}.{main} "
        "So the classes of these data differ in more than their lungs, and a high score in the "
        "main table is no proof that a method reads them: only what a method gains over the "
        "controls speaks for that, and even this is no proof."
    )


def _lost(line: dict[str, Any]) -> str:
    if math.isnan(line["below_whole"]):
        return ""
    bounds = interval(line["below_whole_lo"], line["below_whole_hi"])
    way = "below" if line["below_whole"] >= 0 else "above"
    bounds = f" (whole less control: {bounds})" if bounds else ""
    return f", {number(abs(line['below_whole']))} {way} the whole image{bounds}"


def _by_split(done: pd.DataFrame, name: str) -> dict[str, dict[str, Any]]:
    lines = {str(line["split"]): line for line in _records(done[done["control"] == name])}
    return {split: lines[split] for split in _SPLITS if split in lines}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in line.items()} for line in table.to_dict("records")]


def _area(line: dict[str, Any]) -> str:
    bounds = interval(line["auc_lo"], line["auc_hi"])
    return number(line["auc"]) + (f" ({bounds})" if bounds else "")


def _on(split: str) -> str:
    return "in cross-validation" if split == "cv" else "on test"


def _order(done: pd.DataFrame) -> list[str]:
    found = set(done["control"])
    return [name for name in NAMES if name in found]


def _table(done: pd.DataFrame) -> Table:
    lines = []
    for name in _order(done):
        own = _by_split(done, name)
        columns = str(int(next(iter(own.values()))["columns"]))
        cells = [Cell(NAMES[name]), Cell(columns)]
        for split in _SPLITS:
            line = own.get(split)
            for key in ("auc", "below_whole", "specificity"):
                if line is None:
                    cells.append(Cell("–"))
                    continue
                bounds = (line.get(f"{key}_lo", math.nan), line.get(f"{key}_hi", math.nan))
                cells.append(Cell(number(line[key]), interval(*bounds)))
        lines.append(tuple(cells))
    return Table(
        name="shortcuts",
        caption=(
            "Shortcut controls: the same classifier (logistic regression) on what each control "
            "sees. Below whole: AUC of the whole image less that of the control, on the same "
            "draws of patients. Specificity at the threshold for a recall of 0.95."
        ),
        header=("Seen", "Columns", *(("AUC", "Below whole", "Specificity") * 2)),
        groups=(Group("", 2), Group("Cross-validation", 3, "cv"), Group("Test", 3, "test")),
        rows=tuple(lines),
        note=(
            "The regions are fixed and the same for every image: no lung was segmented. They see "
            "the image after its contrast was stretched, if the run does so, which depends on "
            "all of it. A single number is given with its tenths. The thumbnail and the centre "
            "do show the lungs."
        ),
    )


def _figure(results: Results, done: pd.DataFrame) -> Figure:
    names = _order(done)

    def paint(figure: MplFigure) -> None:
        place = figure.subplots()
        place.axvline(0.5, color="#8a929b", linewidth=1)
        for k, name in enumerate(names):
            for split, line in _by_split(done, name).items():
                look, y = _LOOKS[split], k + (-0.13 if split == "cv" else 0.13)
                place.plot([line["auc_lo"], line["auc_hi"]], [y, y], color=look.colour)
                place.plot([line["auc"]], [y], look.marker, color=look.colour)
        frame(place, x="AUC (line: chance)", grid="x")
        name_rows([place], [NAMES[name] for name in names], ())
        legend(figure, {_SPLITS[split]: look for split, look in _LOOKS.items()}, marks=True)

    best = done[done["split"] == "test"].set_index("control")["auc"]
    alt = "AUC of each shortcut control on test: " + ", ".join(
        f"{NAMES[name]} {number(best[name])}" for name in names if name in best
    )
    return Figure(
        name="shortcuts",
        caption="AUC of the shortcut controls with 95 % intervals over patients.",
        alt=alt,
        svg=draw("shortcuts", (7.2, 1.2 + 0.32 * len(names)), paint, alt, is_synthetic(results)),
    )


def _pictures(results: Results) -> Pictures:
    """Mean training image as each control sees it; no single patient is shown."""
    from PIL import Image

    means = []
    for name in ("NORMAL", "PNEUMONIA"):
        path = results.folder / IMAGES / f"mean_{name}.png"
        if path.is_file():
            means.append(np.asarray(Image.open(path).convert("L"), dtype=float))
    items = []
    if len(means) == 2 and means[0].shape == means[1].shape:
        mean = np.mean(means, axis=0)
        for name in NAMES:
            if name in MASKS:
                seen = np.where(MASKS[name](len(mean)), mean, 0).round().astype(np.uint8)
                buffer = io.BytesIO()
                Image.fromarray(seen).save(buffer, format="PNG")
                items.append(Picture(buffer.getvalue(), NAMES[name]))
    return Pictures(
        "What the controls see, on the mean of the two classes' mean training images.",
        tuple(items),
    )
