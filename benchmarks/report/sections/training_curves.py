"""CNN training curves: losses and validation average precision by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic, network_start
from benchmarks.report.blocks import Figure, Section, note, paragraph, text_section
from benchmarks.report.plots import BLUE, GREY, INK, VERMILION, draw, frame
from benchmarks.statistics.method_rows import rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

_SHOWN = 6


def render(results: Results) -> Section:
    """Draw the training curves of each CNN cell and mark the best epoch.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "CNN training curves"
    table = results.training
    if table.empty:
        return text_section(title, _why_not(results))
    cells = list(dict.fromkeys(table["cell"]))
    shown = cells[:_SHOWN]
    sentences = [_sentence(results, cell) for cell in shown]
    if len(cells) > _SHOWN:
        sentences.append(f"training.csv has {len(cells) - _SHOWN} more.")
    reasons = dict.fromkeys(network_start(results, cell)[1] for cell in cells)
    notes = [
        note(f"The weights were initialised randomly because: {why}") for why in reasons if why
    ]
    return Section(title, (paragraph(" ".join(sentences)), *notes, _figure(results, shown)))


def best_epoch(table: pd.DataFrame) -> int:
    """Find the epoch whose weights were kept: the one marked best, else the best on validation.

    Parameters
    ----------
    table : DataFrame
        One cell's rows of ``training.csv``.

    Returns
    -------
    int
        From 1.
    """
    if "best" in table:
        marked = table[table["best"].astype(str).str.lower().isin({"true", "1"})]
        if len(marked):
            return int(marked["epoch"].iloc[-1])
    best = int(table["validation_average_precision"].to_numpy().argmax())
    return int(table["epoch"].iloc[best])


def _why_not(results: Results) -> str:
    missing = [row for row in rows(results) if row.is_cnn]
    if not missing:
        return "This run did not include a CNN."
    return f"The CNN has no training curve: {missing[0].reason or 'none was recorded.'}"


def _sentence(results: Results, cell: str) -> str:
    table = results.training[results.training["cell"] == cell]
    best = best_epoch(table)
    value = float(table[table["epoch"] == best]["validation_average_precision"].iloc[0])
    start = network_start(results, cell)[0]
    seconds = float(table["seconds"].sum()) if "seconds" in table else 0.0
    return (
        f"{cell} was trained {f'{start} ' * bool(start)}for {len(table)} epochs in "
        f"{seconds:,.0f} s; the weights of epoch {best} were kept, with a validation average "
        f"precision of {value:.4f}."
    )


def _figure(results: Results, cells: list[str]) -> Figure:
    def paint(figure: MplFigure) -> None:
        places = figure.subplots(len(cells), 2, squeeze=False)
        for (left, right), cell in zip(places, cells, strict=True):
            table = results.training[results.training["cell"] == cell].sort_values("epoch")
            _losses(left, table)
            _precision(right, table)
            if len(cells) > 1:
                left.set_title(f"{cell}: loss", parse_math=False)

    alt = "Training and validation loss, and validation average precision, by epoch."
    return Figure(
        name="training",
        caption="Loss and average precision by epoch. Vertical line: epoch of the weights kept.",
        alt=alt,
        svg=draw("training", (9.2, 2.9 * len(cells)), paint, alt, is_synthetic(results)),
    )


def _losses(axes: Axes, table: pd.DataFrame) -> None:
    axes.plot(table["epoch"], table["train_loss"], "o-", color=BLUE, label="training")
    axes.plot(table["epoch"], table["validation_loss"], "s--", color=VERMILION, label="validation")
    _finish(axes, table, "Loss")
    axes.legend()


def _precision(axes: Axes, table: pd.DataFrame) -> None:
    axes.plot(table["epoch"], table["validation_average_precision"], "s--", color=VERMILION)
    _finish(axes, table, "Validation average precision")
    best = best_epoch(table)
    value = float(table[table["epoch"] == best]["validation_average_precision"].iloc[0])
    late = best > table["epoch"].median()
    axes.annotate(f"epoch {best}: {value:.4f}", (best, 0.05), color=INK,
                  xycoords=("data", "axes fraction"), xytext=(-5 if late else 5, 0),
                  textcoords="offset points", ha="right" if late else "left")  # fmt: skip


def _finish(axes: Axes, table: pd.DataFrame, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.axvline(best_epoch(table), color=GREY, linewidth=1, linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.06, y=0.16)
    frame(axes, title, "Epoch")
