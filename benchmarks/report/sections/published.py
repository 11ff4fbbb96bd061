"""Comparison of the best methods with published results on the same radiographs."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.paper import medmnist_form
from benchmarks.paper.published import MEDMNIST, METRICS, SAME, ledger, which_test_set
from benchmarks.paper.references import is_cited
from benchmarks.report.blocks import (
    Block,
    Bullets,
    Cell,
    Figure,
    Link,
    Part,
    Section,
    Table,
    note,
    paragraph,
)
from benchmarks.report.method_tables import SELECTED
from benchmarks.report.plots import (
    BLACK,
    BLUE,
    Look,
    draw,
    frame,
    legend,
    mark_estimate,
    name_rows,
)
from benchmarks.statistics.method_rows import Row, classical, leaders, rows, validation_precision

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

TITLE = "Comparison with published results"
POINT = "0.5"
_SHOWN = (("auc", "AUC"), ("accuracy", "Accuracy"))
_MARKS = (
    "*: the number was read in another source than the paper; †: in the paper's abstract only. "
    "The thresholds of the published results are unknown."
)
_OURS = "this run, with 95 % interval"
_SAME = "published, the same 624 radiographs"
_LOOKS = {_OURS: Look(BLUE, "-", "o"), _SAME: Look(BLACK, "-", "D")}


def render(results: Results) -> Section:
    """Compare the methods that are best on the validation set with published results.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    blocks: list[Block] = []
    table = [row for row in rows(results) if row.ok]
    test_set = which_test_set(results)
    if not is_cited(results, "kermany2018"):
        blocks.append(paragraph("The program knows no published results on these images."))
    elif not test_set:
        blocks.append(paragraph(
            "The published results are for the 624 official test radiographs of Kermany et al. "
            "(390 with pneumonia), pneumonia versus normal. This run was scored on other images or "
            "other classes, so its results are not comparable with them."
        ))  # fmt: skip
    elif not table:
        blocks.append(paragraph("No cell finished, so there is nothing to compare with them."))
    else:
        found, chosen = ledger(), leaders(table)
        blocks += [
            paragraph(text(found, chosen, test_set)),
            _table(found, chosen, test_set),
            *_others_table(found),
            Bullets(_reasons(found)),
            Bullets(_addresses(found)),
            _figure(_same(found), chosen, is_synthetic(results)),
        ]
    return Section(TITLE, (*blocks, *_medmnist(results)))


def text(found: pd.DataFrame, chosen: Sequence[Row], test_set: str) -> str:
    """Describe how the run compares with the published results.

    Parameters
    ----------
    found : DataFrame
        From :func:`benchmarks.paper.published.ledger`.
    chosen : sequence of Row
        At least one.
    test_set : str
        Test set of the run, as :func:`benchmarks.paper.published.which_test_set` names it.

    Returns
    -------
    str
    """
    same, other = _same(found), _others(found)
    counts = [
        f"{count} {words}"
        for kind, words in (("yes", "full"), ("partly", "partial"), ("no", "none"))
        if (count := int((same["comparable"] == kind).sum()))
    ]
    parts = [
        _lead_sentence(same, chosen),
        f"Comparability of these {len(same)} results with this run: {', '.join(counts)}; the "
        "reasons are below. They have no intervals, so a ranking is not justified.",
    ]
    if len(other):
        low, high = other["accuracy"].min(), other["accuracy"].max()
        parts.append(
            f"{len(other)} results on the authors' own splits or under other protocols, with "
            f"accuracies of {number(low)}–{number(high)}, are not comparable: they are not, or not "
            "known to be, from the official test images, and splits by image can have images of "
            "one patient on both sides."
        )
    if test_set == MEDMNIST:
        parts.append("This run also used MedMNIST's pixels, so that reason does not apply to "
                     "results on PneumoniaMNIST.")  # fmt: skip
    return " ".join(parts)


def _lead_sentence(same: pd.DataFrame, chosen: Sequence[Row]) -> str:
    own = classical(chosen) or list(chosen)
    lead = max(own, key=validation_precision)
    one = lead.estimate("test", POINT, "auc")
    published = same["auc"].dropna()
    place = f"from {number(published.min())} to {number(published.max())}"
    words = f"{lead.label}, selected on the validation set, has a test AUC of {number(one.value)}"
    if math.isnan(one.low) or math.isnan(one.high):
        return f"{words}; published AUCs on the same radiographs range {place}."
    inside = int(published.between(one.low, one.high).sum())
    above = int((published > one.high).sum())
    return (
        f"{words} ({interval(one.low, one.high)}); published AUCs on the same radiographs range "
        f"{place}: {inside} of {len(published)} lie within this interval, {above} above and "
        f"{len(published) - inside - above} below."
    )


def _table(found: pd.DataFrame, chosen: Sequence[Row], test_set: str) -> Table:
    letters = _letters(found)
    ours = [
        (
            Cell("this run"), Cell(row.label), Cell(test_set),
            *(_own(row, metric) for metric in METRICS), Cell("–"),
        )
        for row in chosen
    ]  # fmt: skip
    theirs = _lines(_same(found), letters)
    return Table(
        name="published",
        caption=(
            f"Results of {SELECTED} at a threshold of 0.5, and published results on the same "
            "radiographs. A dash: not published."
        ),
        header=("Source", "Method", "Test set", "Accuracy", "Recall", "Specificity", "Precision",
                "AUC", "Comparable"),
        rows=(*ours, *theirs),
        labels=3,
        breaks=(len(ours),),
        note=_MARKS,
        words=True,
    )  # fmt: skip


def _lines(found: pd.DataFrame, letters: Mapping[str, str]) -> list[tuple[Cell, ...]]:
    return [
        (
            Cell(_source(one)), Cell(str(one["method"])), Cell(str(one["test_set"])),
            *(Cell(number(one[metric])) for metric in METRICS),
            Cell(f"{one['comparable']}, {letters[one['why']]}"),
        )
        for one in _ordered(found).to_dict("records")
    ]  # fmt: skip


def _others_table(found: pd.DataFrame) -> list[Table]:
    """Tabulate results that are not comparable apart from this run's."""
    other = _others(found)
    if other.empty:
        return []
    return [Table(
        name="published-other",
        caption="Published results that are not comparable with those of this run.",
        header=("Source", "Method", "Protocol", "Accuracy", "Recall", "Specificity", "Precision",
                "AUC", "Comparable"),
        rows=tuple(_lines(other, _letters(found))),
        labels=3,
        note=_MARKS,
        words=True,
    )]  # fmt: skip


def _same(found: pd.DataFrame) -> pd.DataFrame:
    return found[found["test_set"].isin(SAME)]


def _others(found: pd.DataFrame) -> pd.DataFrame:
    return found[~found["test_set"].isin(SAME)]


def _letters(found: pd.DataFrame) -> dict[str, str]:
    """Name each reason by a letter, in the order of the table."""
    return dict(zip(_ordered(found)["why"].unique(), string.ascii_lowercase, strict=False))


def _reasons(found: pd.DataFrame) -> tuple[tuple[Part, ...], ...]:
    return tuple((f"{letter}: {why}.",) for why, letter in _letters(found).items())


def _addresses(found: pd.DataFrame) -> tuple[tuple[Part, ...], ...]:
    works = found.drop_duplicates("address")[["source", "address"]].to_numpy().tolist()
    return tuple((f"{source}: ", _link(address)) for source, address in works)


def _link(address: str) -> Part:
    """Link to a DOI, which is permanent; other addresses are shown as text."""
    doi = address.removeprefix("https://doi.org/")
    return Link(f"doi:{doi}", address) if doi != address else address


def _own(row: Row, metric: str) -> Cell:
    one = row.estimate("test", POINT, metric)
    return Cell(number(one.value), detail=interval(one.low, one.high))


def _source(one: Mapping[Any, Any]) -> str:
    year = "" if pd.isna(one["year"]) else f" ({one['year']:.0f})"
    mark = {"secondhand": " *", "abstract": " †"}.get(str(one["read"]), "")
    return f"{one['source']}{year}{mark}"


def _ordered(found: pd.DataFrame) -> pd.DataFrame:
    return found.assign(other=~found["test_set"].isin(SAME)).sort_values(
        ["other", "auc"], ascending=[True, False], kind="stable"
    )


def _figure(found: pd.DataFrame, chosen: Sequence[Row], synthetic: bool) -> Figure:
    theirs = _ordered(found).to_dict("records")
    labels = [row.label for row in chosen]
    labels += [f"{str(one['source']).split('.')[0]}: {one['method']}" for one in theirs]

    def _paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(_SHOWN), sharey=True)
        for place, (metric, title) in zip(places, _SHOWN, strict=True):
            for k, row in enumerate(chosen):
                one = row.estimate("test", POINT, metric)
                mark_estimate(place, (one.value, one.low, one.high), k, _LOOKS[_OURS])
            for k, other in enumerate(theirs, start=len(chosen)):
                look = _LOOKS[_SAME]
                place.plot([other[metric]], [k], look.marker, color=look.colour)
            place.set_xlim(right=1.01)
            place.locator_params(axis="x", nbins=5)
            frame(place, title, grid="x")
        name_rows(places, labels, [len(chosen)])
        legend(figure, _LOOKS, marks=True)

    alt = "AUC and accuracy of this run's best methods with intervals, and of published results."
    return Figure(
        name="published",
        caption=(
            "Test AUC, and accuracy at a threshold of 0.5, with published results on the same "
            "radiographs, in the order of their AUC, which is no ranking: see the reasons. The "
            "scales differ between panels."
        ),
        alt=alt,
        svg=draw("published", (9.2, 1.3 + 0.215 * len(labels)), _paint, alt, synthetic),
    )


def _medmnist(results: Results) -> list[Block]:
    if not medmnist_form.is_medmnist(results):
        return []
    why = medmnist_form.obstacle(results)
    if why:
        return [note(f"Predictions for MedMNIST's Evaluator were not written: {why}.")]
    return [note("The folder medmnist/ has each finished cell's predictions in the format of "
                 "medmnist.Evaluator.parse_and_evaluate.")]  # fmt: skip
