"""Shortcut controls: how well inputs without lungs predict the label."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.datasets.regions import MASKS
from benchmarks.io.formatting import DASH, interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair, is_synthetic
from benchmarks.report.blocks import (
    Block,
    Cell,
    Figure,
    Group,
    Picture,
    Pictures,
    Section,
    Table,
    not_included,
    paragraph,
)
from benchmarks.report.importance_data import mean_radiograph
from benchmarks.report.plots import (
    BLUE,
    VERMILION,
    Look,
    draw,
    frame,
    legend,
    mark_estimate,
    name_rows,
)
from benchmarks.statistics.equivalence import MARGINS, counts_text, jointly
from benchmarks.statistics.method_rows import finished

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_TITLE = "Shortcut controls"
_NAMES = {
    "size": "image and file size",
    "number": "patient or file number",
    "border": "border only (outer 12 %)",
    "no_lungs": "lungs blacked out",
    "thumbnail": "thumbnail, 16 × 16",
    "centre": "centre only",
    "whole": "whole image",
}
CHANCE = 0.5  # AUC of scores without information
_WITHOUT_LUNG = ("size", "number", "border", "no_lungs")
_LOOKS = {"cv": Look(BLUE, "-", "o"), "test": Look(VERMILION, "-", "D")}
_SPLITS = {"cv": "cross-validation", "test": "test set"}


def render(results: Results) -> Section:
    """Compare controls without lungs with the whole image and with the main table.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = results.table("shortcuts")
    if table.empty:
        return not_included(_TITLE, "shortcuts")
    done = table[table["status"] == "ok"]
    blocks: list[Block] = [paragraph(_text(done)), paragraph(_meaning(results, done))]
    missing = table[table["status"] != "ok"]
    if len(missing):
        reasons = "; ".join(f"{_NAMES[r['control']]}: {r['reason']}" for r in _records(missing))
        blocks.append(paragraph(f"Not available: {reasons.rstrip('.')}."))
    if len(done):
        blocks += [_figure(results, done), _table(done)]
    pictures = _inputs(results)
    return Section(_TITLE, (*blocks, *([pictures] if pictures.items else [])))


def _text(done: pd.DataFrame) -> str:
    controls = []
    for name in _WITHOUT_LUNG:
        own = _by_split(done, name)
        if own:
            areas = [f"{_area(line)} {_on(split)}" for split, line in own.items()]
            controls.append(f"{_NAMES[name]}: {' and '.join(areas)}")
    if not controls:
        return "None of the controls without lungs is available for these data."
    whole = _by_split(done, "whole")
    areas = [f"{_area(line)} {_on(split)}" for split, line in whole.items()]
    end = (
        f" AUC of the whole image, with the same features: {' and '.join(areas)}." if areas else ""
    )
    return (
        "These controls should contain no information about the lungs, so their AUC should be near "
        f"{CHANCE} (chance). AUC by control: {'; '.join(controls)}.{end}"
    )


def _meaning(results: Results, done: pd.DataFrame) -> str:
    test = done[(done["split"] == "test") & done["control"].isin(_WITHOUT_LUNG)]
    if test.empty:
        return "How much of the scores in the main table depends on the lungs is therefore unknown."
    counts = counts_text(test, ("auc", "auc_lo", "auc_hi"), MARGINS["auc"], CHANCE)
    joint = jointly(test, "auc", "auc_lo", "auc_hi")
    above = test.loc[joint.index[joint["lo"] > CHANCE]]
    looked = f"AUC of the controls without lungs on the test set: {counts}."
    if above.empty:
        return (
            f"{looked} No control is shown to be better than chance. This does not prove that "
            "there is no shortcut."
        )
    top = max(_records(above), key=lambda line: float(line["auc"]))
    known = [row.estimate("test", "0.5", "auc").value for row in finished(results)]
    areas = [value for value in known if not math.isnan(value)]
    higher = sum(value > top["auc"] for value in areas)
    main = (
        f" Of the {len(areas)} methods in the main table, {higher} "
        f"{'has' if higher == 1 else 'have'} a higher test AUC (compared by their "
        "values, without an interval of the difference)."
        if areas else ""
    )  # fmt: skip
    return (
        f"{looked} After the correction, {len(above)} of {len(test)} are better than chance. "
        f"The largest AUC among them is that of {_NAMES[top['control']]}: "
        f"{number(top['auc'])}{_below_whole(top)}.{main} The classes of these data therefore "
        "differ in what these controls show, and a high score in the main table does not prove "
        "that a method uses the lungs. A gain over the controls does not prove it either."
    )


def _below_whole(line: dict[str, Any]) -> str:
    if math.isnan(line["below_whole"]):
        return ""
    bounds = interval(line["below_whole_lo"], line["below_whole_hi"])
    way = "below" if line["below_whole"] >= 0 else "above"
    bounds = f" (whole image minus control: {bounds})" if bounds else ""
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
    return "in cross-validation" if split == "cv" else "on the test set"


def _order(done: pd.DataFrame) -> list[str]:
    found = set(done["control"])
    return [name for name in _NAMES if name in found]


def _table(done: pd.DataFrame) -> Table:
    lines = []
    for name in _order(done):
        own = _by_split(done, name)
        columns = str(int(next(iter(own.values()))["columns"]))
        cells = [Cell(_NAMES[name]), Cell(columns)]
        for split in _SPLITS:
            line = own.get(split)
            for key in ("auc", "below_whole", "specificity"):
                if line is None:
                    cells.append(Cell(DASH))
                    continue
                bounds = (line.get(f"{key}_lo", math.nan), line.get(f"{key}_hi", math.nan))
                cells.append(Cell(number(line[key]), interval(*bounds)))
        lines.append(tuple(cells))
    return Table(
        name="shortcuts",
        caption=(
            "Shortcut controls: logistic regression on the input of each control. Below whole: AUC "
            "of the whole image minus AUC of the control, with the same bootstrap resamples of "
            "patients. Both with 95 % intervals. Specificity at the threshold for a recall of 0.95."
        ),
        header=("Input", "Columns", *(("AUC", "Below whole", "Specificity") * 2)),
        groups=(Group("", 2), Group("Cross-validation", 3, "cv"), Group("Test set", 3, "test")),
        rows=tuple(lines),
        note=(
            "The regions are fixed and the same for every image; the lungs were not segmented. The "
            "controls use the image after contrast stretching, if the run applies it, and the "
            "stretching depends on the whole image. A single number is "
            "complemented by indicators of its deciles. "
            "The thumbnail and the centre do show the lungs."
        ),
    )


def _figure(results: Results, done: pd.DataFrame) -> Figure:
    names = _order(done)

    def paint(figure: MplFigure) -> None:
        place = figure.subplots()
        place.axvline(CHANCE, color="#8a929b", linewidth=1)
        for k, name in enumerate(names):
            for split, line in _by_split(done, name).items():
                look, y = _LOOKS[split], k + (-0.13 if split == "cv" else 0.13)
                mark_estimate(place, (line["auc"], line["auc_lo"], line["auc_hi"]), y, look)
        frame(place, x="AUC (line: chance)", grid="x")
        name_rows([place], [_NAMES[name] for name in names], ())
        legend(figure, {_SPLITS[split]: look for split, look in _LOOKS.items()}, marks=True)

    best = done[done["split"] == "test"].set_index("control")["auc"]
    alt = "AUC of each shortcut control on the test set: " + ", ".join(
        f"{_NAMES[name]} {number(best[name])}" for name in names if name in best
    )
    return Figure(
        name="shortcuts",
        caption="AUC of the shortcut controls, with 95 % intervals over patients.",
        alt=alt,
        svg=draw("shortcuts", (7.2, 1.2 + 0.32 * len(names)), paint, alt, is_synthetic(results)),
    )


def _inputs(results: Results) -> Pictures:
    """Make the mean training image as each control sees it; no single patient is shown."""
    from PIL import Image

    mean = mean_radiograph(results, *class_pair(results))
    items = []
    if mean is not None:
        for name in _NAMES:
            if name in MASKS:
                seen = np.where(MASKS[name](len(mean)), mean, 0).round().astype(np.uint8)
                buffer = io.BytesIO()
                Image.fromarray(seen).save(buffer, format="PNG")
                items.append(Picture(buffer.getvalue(), _NAMES[name]))
    return Pictures(
        "Input of the controls, shown on the mean of the mean training images of both classes.",
        tuple(items),
    )
