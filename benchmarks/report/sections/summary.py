"""Main results: a summary, and every method at both operating points."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.formatting import interval, number, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import (
    class_pair,
    cnn_backbone,
    data_name,
    is_synthetic,
    network_start,
    test_drawn,
)
from benchmarks.paper.facts import balancing, intervals
from benchmarks.report.blocks import Block, Cell, Figure, Group, Section, Table, note, paragraph
from benchmarks.report.method_tables import (
    ALL_ALIKE,
    breaks,
    estimate_cells,
    over_seeds,
    point_groups,
    table_rows,
)
from benchmarks.report.plots import draw, frame, mark_estimate, method_looks, name_rows
from benchmarks.report.sections.gap import gap_cells
from benchmarks.report.sections.leading import headline
from benchmarks.report.sections.other_hospitals import headline_elsewhere
from benchmarks.statistics.method_rows import (
    POINT_TITLES,
    Estimate,
    Row,
    classical,
    feature_sets,
    leaders,
    leaders_caption,
    on_features,
    rows,
    validation_precision,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

TITLE = "Main results"
_SHOWN = (("precision", "Precision"), ("recall", "Recall"), ("specificity", "Specificity"))
_READING = (
    "Values have 95 % intervals over patients, which include the choice of a chosen threshold. "
    f"{ALL_ALIKE} "
    "Bold: largest value of the column on the test set; nothing is selected by it. With a "
    "threshold selected on the validation set, a method can have a high recall merely because its "
    "threshold is low, at the cost of precision."
)
_THRESHOLDS = {
    "0.5": "Threshold: a probability of 0.5, fixed in advance.",
    "recall95": "Threshold: for each method, the largest score with a recall of at least 0.95 on "
    "the validation images.",
}
_HIGHEST = "the classical method with the highest average precision on the validation set"
_GAP = (
    " Gap: AUC in cross-validation by patient on the training images (CV AUC) minus AUC on the "
    "test set; its interval is in the section on cross-validation."
)


def render(results: Results) -> Section:
    """Summarise the run and tabulate all methods.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = rows(results)
    blocks: list[Block] = [paragraph(" ".join(sentences(results, table))), *standing(results)]
    blocks.append(_main_table(results, table))
    blocks += [latex_table(results, table, point) for point in OPERATING_POINTS]
    finished = [row for row in table if row.ok]
    if finished:
        blocks.append(_overview(finished, is_synthetic(results)))
        blocks.append(
            paragraph(
                "Some figures and tables show selected methods only: "
                f"{leaders_caption(leaders(finished))}."
            )
        )
    blocks += unfinished(table)
    if max((row.seeds for row in table), default=1) > 1:
        blocks.append(_every_seed(results))
    return Section(TITLE, tuple(blocks))


def standing(results: Results) -> list[Block]:
    """Note whether the run is unfinished, a sample, of few validation images or unknown patients.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of Block
    """
    blocks: list[Block] = []
    if results.run.get("status") == "running":
        blocks.append(note("The run had not ended when this was written; cells may be missing."))
    limit = results.run.get("config", {}).get("limit")
    if limit:
        blocks.append(note(f"A sample of about {limit} images (--limit): not a final result."))
    notes = [str(one) for one in results.run.get("data", {}).get("notes", [])]
    blocks += [note(one) for one in notes if one.startswith("Warning: ")]
    if not results.run.get("data", {}).get("groups_known", True):
        blocks.append(
            note(
                "The data do not identify most patients, so their images count as separate "
                "patients. If patients have several images, the split may leak and intervals are "
                "too narrow."
            )
        )
    return blocks


def sentences(results: Results, table: Sequence[Row]) -> list[str]:
    """Describe the data, the methods and the result.

    Parameters
    ----------
    results : Results
    table : sequence of Row

    Returns
    -------
    list of str
    """
    manifest = results.manifest
    sizes = {
        part: int((manifest["split"] == part).sum()) for part in ("train", "validation", "test")
    }
    patients = f"{thousands(manifest['group'].nunique())} patients"
    known = results.run.get("data", {}).get("groups_known", True)
    kind = "synthetic phantom images" if is_synthetic(results) else "chest radiographs"
    first = (
        f"{thousands(len(manifest))} {kind} ({data_name(results)}) of "
        f"{patients if known else 'unknown patients'} were split by "
        f"{'patient' if known else 'file'}: {thousands(sizes['train'])} for training, "
        f"{thousands(sizes['validation'])} for validation and {thousands(sizes['test'])} "
        "for testing."
    )
    return [first, _methods_sentence(results, table), _outcome(results, table)]


def _methods_sentence(results: Results, table: Sequence[Row]) -> str:
    config = results.run.get("config", {})
    sets = feature_sets(table)
    models = list(dict.fromkeys(row.model for row in on_features(table)))
    balance = balancing(str(config.get("balance", "")))
    parts = []
    if sets:
        verb = "s were" if len(sets) > 1 else " was"
        parts.append(
            f"{len(sets)} feature set{verb} combined with {len(models)} "
            f"classifier{'s' * (len(models) > 1)} ({', '.join(models)}), with {balance}"
        )
    combined = [row.classifier for row in table if row.is_combined]
    if combined:
        parts.append(f"these classifiers were combined into further ones ({', '.join(combined)})")
    network = next((row for row in table if row.is_cnn), None)
    if network is not None:
        backbone = cnn_backbone(results.run)
        start = network_start(results, network.cells()[0])[0] if network.ok else ""
        parts.append(
            f"a convolutional network{f' ({backbone})' if backbone else ''} "
            f"{'was' if network.ok else 'was to be'} trained end to end"
            f"{f' {start}' * bool(start)} on the same images"
        )
    external = [row.model for row in table if row.is_external]
    if external:
        parts.append(
            f"the scores of the external models {', '.join(external)} were read from files"
        )
    cells = sum(row.seeds for row in table)
    done = sum(row.finished for row in table)
    return f"{', and '.join(parts) or 'No cell was requested'}; {done} of {cells} cells finished."


def _outcome(results: Results, table: Sequence[Row]) -> str:
    finished = [row for row in classical(table) if row.ok]
    network = next((row for row in table if row.ok and row.is_cnn), None)
    if not finished and network is None:
        return "No cell finished, so there is nothing to compare."
    lead = max(finished, key=validation_precision) if finished else network
    assert lead is not None
    text = (headline(results, lead) if finished else "") or (
        f"With the threshold selected on the validation set for a recall of 0.95, {lead.label}, "
        f"{_HIGHEST if finished else 'the only method'},"
    )
    text += f" reaches {_reached(lead)} on the test images"
    if finished and network is not None:
        text += f", and the end-to-end CNN {_reached(network)}"
    return " ".join([f"{text}.", *headline_elsewhere(results, lead)])


def _reached(row: Row) -> str:
    return estimates_text({
        metric: row.estimate("test", "recall95", metric) for metric in ("precision", "recall")
    })  # fmt: skip


def estimates_text(estimates: Mapping[str, Estimate]) -> str:
    """List metrics with their intervals.

    Parameters
    ----------
    estimates : mapping of Estimate
        By the metric's name.

    Returns
    -------
    str

    Examples
    --------
    >>> estimates_text({"recall": Estimate(0.95, 0.9, 0.98, math.nan)})
    'recall 0.950 (0.900–0.980)'
    """
    words = []
    for name, one in estimates.items():
        bounds = interval(one.low, one.high)
        words.append(f"{name} {number(one.value)}{f' ({bounds})' if bounds else ''}")
    return " and ".join(words)


def unfinished(table: Sequence[Row]) -> list[Block]:
    """Note the methods for which some seeds did not finish.

    Parameters
    ----------
    table : sequence of Row

    Returns
    -------
    list of Block
    """
    partly = [row for row in table if row.ok and row.finished < row.seeds]
    return [
        note(f"{row.label}: {row.finished} of {row.seeds} seeds finished; {row.reason}")
        for row in partly
    ]


def _main_table(results: Results, table: Sequence[Row]) -> Table:
    """Tabulate every method at both operating points, for a wide page."""
    gaps = results.table("gap")
    columns = [
        estimate_cells(table, "test", point, metric)
        for point in OPERATING_POINTS
        for metric, _ in _SHOWN
    ]
    columns += [estimate_cells(table, "test", "0.5", m) for m in ("auc", "average_precision")]
    titles = tuple(title for _, title in _SHOWN)
    ranking = ["AUC", "Average precision"]
    if len(gaps):
        areas = [number(row.estimate("cv", "0.5", "auc").value) for row in table]
        columns += [[Cell(area) for area in areas],
                    [Cell(cell.text) for cell in gap_cells(table, gaps, "auc")]]  # fmt: skip
        ranking += ["CV AUC", "Gap"]
    several = over_seeds(table)
    note = _READING + _GAP * bool(len(gaps))
    return Table(
        name="main",
        caption=(
            "Precision, recall and specificity on the test images at two operating points: "
            "threshold 0.5, and the largest threshold with recall ≥ 0.95 on the validation set "
            "(recall95)."
        ),
        header=("Features", "Classifier", *titles, *titles, *ranking),
        groups=point_groups(2, len(_SHOWN), [Group("All thresholds", len(ranking))]),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=f"{note} {several}".strip(),
    )


def latex_table(results: Results, table: Sequence[Row], point: str) -> Table:
    """Tabulate every method at one operating point, for a column of a paper.

    Parameters
    ----------
    results : Results
    table : sequence of Row
    point : str
        One of ``OPERATING_POINTS``.

    Returns
    -------
    Table
    """
    shown = (*_SHOWN, ("auc", "AUC"))
    columns = [estimate_cells(table, "test", point, metric) for metric, _ in shown]
    several = over_seeds(table)
    return Table(
        name=f"main-{point.replace('.', '')}",
        caption=(
            f"Test split of {data_name(results)}, {POINT_TITLES[point]}: value and 95 % interval "
            "over patients; best of each column in bold."
        ),
        header=("Features", "Classifier", *(title for _, title in shown)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=" ".join(
            [_split_note(results), _THRESHOLDS[point], _draws_note(results),
             *([several] if several else []), *_data_note(results)]
        ),
        formats=("latex",),
    )  # fmt: skip


def _split_note(results: Results) -> str:
    in_test = results.manifest["split"] == "test"
    test, rest = results.manifest[in_test], results.manifest[~in_test]
    both = len(set(test["group"]) & set(rest["group"]))
    data = results.run.get("data", {})
    config = results.run.get("config", {})
    whole = "a sample of the test split" if config.get("limit") else "the test split of the data"
    if test_drawn(results):
        whole = "a test split drawn from the data"
    elif config.get("split"):
        whole = whole.replace("test split of the data", "test split of a list")
    who = (
        f"of {thousands(test['group'].nunique())} patients, {both or 'none'} of them in training "
        "or validation"
        if data.get("groups_known", True)
        else "of unknown patients, each image counted as one patient"
    )
    return (
        f"Split: {whole}, {thousands(len(test))} images ({thousands(test['label'].sum())} of "
        f"class {class_pair(results)[1]}) {who}."
    )


def _draws_note(results: Results) -> str:
    return f"{intervals(results)} No test score was used for selection."


def _data_note(results: Results) -> list[str]:
    citation = str(results.run.get("data", {}).get("citation", ""))
    found = re.findall(r"doi:(10\.\d+/\S+[^\s.;,)])", citation)
    return [f"Data: {', '.join(f'doi:{one}' for one in found)}."] if found else []


def _every_seed(results: Results) -> Table:
    """Tabulate every cell."""
    scores = results.scores[
        (results.scores["split"] == "test") & (results.scores["status"] == "ok")
    ]
    lines = []
    for cell, table in scores.groupby("cell", sort=False):
        values = [Cell(str(cell))]
        for point in OPERATING_POINTS:
            one = table[table["operating_point"] == point].iloc[0].to_dict()
            for metric, _ in _SHOWN:
                bounds = interval(one[f"{metric}_lo_threshold"], one[f"{metric}_hi_threshold"])
                values.append(Cell(number(one[metric]), detail=bounds))
        lines.append((*values, Cell(number(float(table["auc"].iloc[0])))))
    titles = tuple(title for _, title in _SHOWN)
    return Table(
        name="seeds",
        caption="Every cell on the test images.",
        header=("Cell", *titles, *titles, "AUC"),
        groups=point_groups(1, len(_SHOWN), [Group("", 1)]),
        rows=tuple(lines),
    )


def _overview(table: Sequence[Row], synthetic: bool) -> Figure:
    """Draw value and interval of every method at the threshold selected on the validation set."""
    look = method_looks(table)
    shown = (*_SHOWN, ("auc", "AUC"))

    def _paint(figure: MplFigure) -> None:
        axes = figure.subplots(1, len(shown), sharey=True)
        for panel, (metric, title) in zip(axes, shown, strict=True):
            lows = []
            for k, row in enumerate(table):
                one = row.estimate("test", "recall95", metric)
                style = look[row.label]
                lows.append(one.value if math.isnan(one.low) else one.low)
                size = 9 if row.is_cnn else 5
                mark_estimate(panel, (one.value, one.low, one.high), k, style, markersize=size)
            low = min((value for value in lows if not math.isnan(value)), default=0.0)
            panel.set_xlim(max(-0.02, math.floor(low * 10) / 10 - 0.01), 1.01)
            panel.locator_params(axis="x", nbins=4)
            frame(panel, title=title, grid="x")
        name_rows(axes, [row.label for row in table], breaks(table))

    alt = "Precision, recall, specificity and AUC of every method on the test set, with intervals."
    return Figure(
        name="overview",
        caption=(
            "Test images, threshold selected on the validation set for a recall of 0.95. Lines: "
            "95 % intervals. The scales differ between panels."
        ),
        alt=alt,
        svg=draw("overview", (9.2, 1.0 + 0.215 * len(table)), _paint, alt, synthetic),
    )
