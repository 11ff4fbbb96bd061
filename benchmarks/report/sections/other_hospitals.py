"""External test sets: internal and external test side by side, with the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.external_test.evaluation import picture_key
from benchmarks.external_test.external_differences import INTERNAL_PREVALENCE
from benchmarks.external_test.external_tables import names
from benchmarks.io.formatting import count_of, interval, join_words, number, percent, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_files import read_png
from benchmarks.io.run_record import class_pair, is_synthetic, prevalence
from benchmarks.metrics.bootstrap import DRAWS
from benchmarks.report.blocks import (
    Block,
    Bullets,
    Code,
    Group,
    Picture,
    Pictures,
    Section,
    Subheading,
    Table,
    note,
    paragraph,
    row,
    text_section,
)
from benchmarks.report.external_figures import (
    calibration_figure,
    decision_figure,
    metrics_figure,
)
from benchmarks.report.method_tables import breaks, first_seed, over_seeds, table_rows, value_cells
from benchmarks.report.sections.decision import useful
from benchmarks.run.exploration import thumbnail_name
from benchmarks.statistics.equivalence import MARGINS, counts_text
from benchmarks.statistics.method_rows import Row, finished, leaders

TITLE = "External test sets"
POINT = "recall95"
_LEVEL = 0.05
_SHOWN = (("auc", "AUC"), ("recall", "Recall"), ("specificity", "Specificity"))
_PRECISION = (("precision", "Precision"),
              (INTERNAL_PREVALENCE, "Precision at the internal prevalence"))  # fmt: skip
_CALIBRATION = (("brier", "Brier score"), ("intercept", "Calibration intercept"),
                ("slope", "Calibration slope"))  # fmt: skip
_PROPER = ("AUC", "Brier score")
_SIDES = ("internal", "external", "difference")
_CHECKS = {
    "overlap_exact": "Copy of a run's image", "overlap_near": "Near duplicate of a run's image",
    "overlap_patient": "Patient identifier of the run",
}  # fmt: skip
Record = Mapping[str, Any]


def render(results: Results) -> Section:
    """Set each external test set beside the internal one.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    scored = [name for name in names(results) if len(_lines(results, name))]
    if not scored:
        return text_section(
            TITLE, "The run scored no other data set. To test its fitted methods on images of "
            "another source, use ", Code("--test-data NAME=DATA"), " or ",
            Code("run_benchmark.py evaluate RUN_DIR --data NAME=DATA"), ".",
        )  # fmt: skip
    blocks: list[Block] = [paragraph(_HOW.format(draws=thousands(DRAWS)))]
    for name in scored:
        blocks += _set_blocks(results, name)
    return Section(TITLE, tuple(blocks))


_HOW = (
    "The fitted methods of the run score further data sets. Nothing is fitted or chosen on these "
    "images: models, preprocessing, thresholds and recalibration are those of the run. The "
    "difference is external minus internal test. Its interval comes from {draws} pairs of "
    "resamples, of the patients of each set independently; the thresholds for a recall of 0.95 are "
    "chosen again in resamples of the validation patients, the same for both sets. The fitted "
    "models are held fixed. A difference holds for this one external set: another may give "
    "another."
)


def tested_elsewhere(results: Results) -> list[str]:
    """Describe the external tests in the words of a methods section.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str
        A sentence; none if no external set was scored.
    """
    found = []
    for name in names(results):
        manifest = _of_set(results, "external_manifest", name)
        source = results.run.get("test_data", {}).get(name, {}).get("name") or "unnamed data"
        found.append(
            f"{name} ({source}; {thousands(len(manifest))} images of "
            f"{thousands(manifest['group'].nunique())} patients)"
        )
    if not found:
        return []
    return [
        f"Without refitting, and with the same thresholds, the methods were also scored on "
        f"{join_words(found)}. Intervals of differences to the test split are percentile intervals "
        "over pairs of independent bootstrap resamples of the patients of both sets."
    ]


def headline_elsewhere(results: Results, lead: Row) -> list[str]:
    """Report one method on each external set.

    Parameters
    ----------
    results : Results
    lead : Row
        A method that was selected on the validation set.

    Returns
    -------
    list of str
        A sentence per set.
    """
    texts = []
    for name in names(results):
        lines = _lines(results, name)
        own = lines[lines["cell"].isin(lead.cells()) & (lines["metric"] == "auc")]
        for one in own.to_dict("records"):
            texts.append(
                f"On the external test set “{name}”, the AUC of {lead.label} is "
                f"{number(one['external'])} "
                f"({interval(one['external_lo'], one['external_hi'])}), on the test images "
                f"{number(one['internal'])}; difference {number(one['difference'])} "
                f"({interval(one['difference_lo'], one['difference_hi'])})."
            )
    return texts


def _set_blocks(results: Results, name: str) -> list[Block]:
    lines = _lines(results, name)
    table = [one for one in finished(results) if lines["cell"].isin(one.cells()).any()]
    known = results.run.get("test_data", {}).get(name, {})
    synthetic = is_synthetic(results) or bool(known.get("synthetic"))
    at_point = lines[lines["operating_point"].isin(["", POINT])]
    chosen = leaders(table)
    leakage = [note(str(known["leakage"]))] if known.get("leakage") else []
    return [
        Subheading(f"{name}: {known.get('name') or 'unnamed data'}"),
        paragraph(_what(results, name, known)),
        *leakage,
        paragraph(_overlap(results, name, known)),
        *_findings(results, name),
        *_pictures(results, name),
        paragraph(_CHANGES),
        Bullets(tuple((text,) for text in _changes(at_point))),
        metrics_figure(name, table, at_point, synthetic),
        _table(name, table, at_point, _SHOWN, "external"),
        _table(name, table, at_point, _PRECISION, "external-precision"),
        paragraph(_calibration(at_point)),
        _table(name, table, at_point, _CALIBRATION, "external-calibration"),
        calibration_figure(name, results, chosen, synthetic),
        paragraph(_decisions(results, name, chosen)),
        decision_figure(name, results, chosen, synthetic),
        *[paragraph(text) for text in [_pairs(results, name)] if text],
    ]


def _lines(results: Results, name: str) -> pd.DataFrame:
    table = results.table("external_differences")
    return table[table["data"] == name]


def _of_set(results: Results, title: str, name: str) -> pd.DataFrame:
    table = results.table(title)
    return table[table["data"] == name]


def _what(results: Results, name: str, known: Record) -> str:
    manifest = _of_set(results, "external_manifest", name)
    negative, positive = known.get("classes") or ("", "")
    ours = class_pair(results)
    share = percent(float((manifest["label"] == 1).mean()))
    source = known.get("name") or "unnamed data"
    text = (
        f"The set “{name}” is {source}: {thousands(len(manifest))} images of "
        f"{thousands(manifest['group'].nunique())} patients. {share} of its images are "
        f"{positive or ours[1]}; of those of the internal test set, {percent(prevalence(results))} "
        f"are {ours[1]}."
    )
    if positive and (negative, positive) != ours:
        text += f" {positive} counts as {ours[1]}, and {negative} as {ours[0]}."
    text += _used(bool(known.get("only_test")), known.get("limit"))
    if not known.get("groups_known", True):
        text += (
            " Most of its patients are not known, so each image counts as its own patient, and the "
            "intervals may be too narrow."
        )
    left_out = len(known.get("left_out", []))
    if left_out:
        text += f" {thousands(left_out)} images could not be read and were left out."
    more = [str(one) for one in (*known.get("notes", []), *known.get("limitations", []))]
    if known.get("citation"):
        more.append(f"Source: {str(known['citation']).rstrip('.')}.")
    if known.get("licence"):
        more.append(f"Licence: {str(known['licence']).rstrip('.')}.")
    return " ".join([text, *more])


def _used(only_test: bool, limit: int | None) -> str:
    if limit:
        after = ", and those in its own test split used" * only_test
        return f" A sample of about {thousands(limit)} of its images was drawn (--limit){after}."
    if only_test:
        return " Only the set’s own test split was used."
    return " All its images were used, whatever their split."


def _overlap(results: Results, name: str, known: Record) -> str:
    copies = _of_set(results, "external_copies", name)
    exact, near = (copies.loc[copies["kind"] == kind, "image"].nunique()
                   for kind in ("exact", "near"))  # fmt: skip
    text = f"Copies of the run’s images in this set: {thousands(exact)} with the same content"
    if not known.get("compared", True):
        return f"{text}; near duplicates were not looked for: the run’s data could not be read."
    return f"{text}, and {thousands(near)} near duplicates."


def _findings(results: Results, name: str) -> list[Block]:
    found = _of_set(results, "external_audit", name)
    shown = found[found["severity"].isin(["stop", "warn"])]
    if shown.empty:
        return []
    lines = [
        row(_CHECKS.get(str(one["check"]), str(one["check"]).replace("_", " ").capitalize()),
            one["severity"], str(one["detail"]), thousands(one["images"]))
        for one in shown.head(20).to_dict("records")
    ]  # fmt: skip
    return [Table(
        name=f"external-audit-{name}",
        caption=f"What the audit of “{name}” found that would stop a test or is a warning. "
        "external_audit.csv lists all findings.",
        header=("Finding", "Severity", "Detail", "Images"),
        rows=tuple(lines),
        labels=3,
        words=True,
    )]  # fmt: skip


def _pictures(results: Results, name: str) -> list[Block]:
    items = []
    for one in _of_set(results, "external_copies", name).head(12).to_dict("records"):
        image, copied = str(one["image"]), str(one["copy_of"])
        pair = ((picture_key(name, image), image, name), (copied, copied, f"run, {one['split']}"))
        for key, label, where in pair:
            data = read_png(results.folder, thumbnail_name(key))
            if data is not None:
                items.append(Picture(data, label, where))
    caption = f"Images of “{name}”, each beside the run’s image that it is a copy of."
    return [Pictures(caption, tuple(items))] if items else []


_CHANGES = (
    "From the internal to the external test, with the thresholds for a recall of 0.95 on the "
    "validation set:"
)


def _changes(lines: pd.DataFrame) -> list[str]:
    texts = []
    for metric, title in (*_SHOWN, *_PRECISION):
        margin = "precision" if metric == INTERNAL_PREVALENCE else metric
        texts.append(f"{title}: {_counted(lines, metric, MARGINS[margin])}.")
    texts[-1] += (
        " Precision depends on the prevalence, which differs between the sets; this is the "
        "precision that recall and specificity on the external set would give at the internal one."
    )
    return texts


def _counted(lines: pd.DataFrame, metric: str, margin: float) -> str:
    own = lines[lines["metric"] == metric]
    return f"{_median(own)}; {counts_text(own, _columns(), margin)}"


def _columns() -> tuple[str, str, str]:
    return "difference", "difference_lo", "difference_hi"


def _median(own: pd.DataFrame) -> str:
    values = own["difference"].dropna().to_numpy(dtype=float)
    if not len(values):
        return "–"
    if len(values) == 1:
        return number(values[0])
    return (
        f"{number(float(np.median(values)))} in the median of {len(values)} methods "
        f"(from {number(values.min())} to {number(values.max())})"
    )


def _calibration(lines: pd.DataFrame) -> str:
    intercept, slope = (lines[lines["metric"] == name] for name in ("intercept", "slope"))
    columns = ("external", "external_lo", "external_hi")
    return (
        "Calibration of the original scores on the external set. Intercept (ideal: 0; below 0, the "
        f"scores are too high overall): {counts_text(intercept, columns)}. Slope (ideal: 1; below "
        f"1, the scores are too extreme): {counts_text(slope, columns, reference=1.0)}. Change of "
        f"the Brier score from the internal to the external test: "
        f"{_counted(lines, 'brier', MARGINS['brier'])}. Intercept and Brier "
        "score depend on the prevalence, too: where the disease is rarer, the same scores are too "
        "high. "
        "external_calibration.csv also has the scores after the run’s recalibrations."
    )


def _decisions(results: Results, name: str, chosen: Sequence[Row]) -> str:
    table = _of_set(results, "external_decision", name)
    parts = []
    for one in chosen:
        own = table[table["cell"].isin(one.cells())]
        found = useful(*(own[column].to_numpy(float)
                         for column in ("lo", "minus_all_lo", "threshold")))  # fmt: skip
        if found:
            words = ", ".join(f"{a:.2f}–{b:.2f}" if a < b else f"{a:.2f}" for a, b in found)
            parts.append(f"{one.label} at {words}")
    text = (
        f"On “{name}”, the net benefit exceeds that of treating all and of treating none, with "
        "both 95 % intervals of the difference above 0, at some threshold for "
        f"{count_of(len(parts), len(chosen), 'selected methods')}"
    )
    listed = f"{': ' * bool(parts)}{'; '.join(parts)}"
    return f"{text}{listed}. Each interval is for one threshold.{first_seed(chosen)}"


def _pairs(results: Results, name: str) -> str:
    keep = ["cell_a", "cell_b", "difference", "p_holm"]
    tables = [results.table("comparisons"), _of_set(results, "external_comparisons", name)]
    own = [one[one["test"] == "clustered_delong"][keep] for one in tables]
    both = own[1].merge(own[0], on=["cell_a", "cell_b"], how="left", suffixes=("", "_internal"))
    if both.empty:
        return ""
    here = both["p_holm"] < _LEVEL
    there = both["p_holm_internal"] < _LEVEL
    same = here & there & (both["difference"] * both["difference_internal"] > 0)
    total, found = len(both), int(here.sum())
    return (
        f"Of {total} pair{'s' * (total > 1)} of methods, {found or 'none'} "
        f"differ{'s' * (found < 2)} significantly in AUC on “{name}” (DeLong’s test for "
        f"clustered data, p < {_LEVEL} after Holm’s correction over all pairs). On the internal "
        f"test set, {int(there.sum()) or 'none'} of them differ{'s' * int(there.sum() < 2)} "
        f"significantly{_again(int(there.sum()), int(same.sum()))}. A difference that is not "
        "significant is not shown to be absent. external_comparisons.csv has all tests."
    )


def _again(internal: int, both: int) -> str:
    if not internal:
        return ""
    return f"; {both or 'none'} of these differ{'s' * (both < 2)} here, too, in the same direction"


def _table(
    name: str, table: Sequence[Row], lines: pd.DataFrame, shown: Sequence[tuple[str, str]],
    title: str,
) -> Table:  # fmt: skip
    columns = []
    for metric, _ in shown:
        own = lines[lines["metric"] == metric]
        of_row = [own[own["cell"].isin(one.cells())] for one in table]
        for side in _SIDES:
            columns.append(value_cells(of_row, side, (f"{side}_lo", f"{side}_hi")))
    at = ", at the threshold for a recall of 0.95 on the validation set"
    at *= title != "external-calibration"
    words = join_words([h if h in _PROPER else h[0].lower() + h[1:] for _, h in shown])
    return Table(
        name=f"{title}-{name}",
        caption=f"Internal test set and external test set “{name}”: {words}{at}, with 95 % "
        "intervals. Difference: external minus internal.",
        header=("Features", "Classifier", *("Internal", "External", "Difference") * len(shown)),
        groups=(Group("", 2), *(Group(heading, 3, heading) for _, heading in shown)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=_NOTES[title] + _OVER_SEEDS * bool(over_seeds(table)),
    )  # fmt: skip


_OVER_SEEDS = (
    " Values and differences are means over seeds; the intervals include the variance between "
    "seeds."
)
_NOTES = {
    "external": (
        "external_scores.csv and external_differences.csv have further metrics and the threshold "
        "0.5. Where recall or specificity is 0 or 1 in one set, the interval of the difference "
        "also covers the bounds that follow from the intervals of both sets "
        "(doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I)."
    ),
    "external-precision": (
        "At the internal prevalence: computed from recall and specificity of the set, with the "
        "prevalence of the internal test set (doi:10.1136/bmj.309.6947.102). Its interval holds "
        "this prevalence fixed."
    ),
    "external-calibration": (
        "Intercept, at slope 1: 0 is ideal, below 0 the scores are too high. Slope: 1 is ideal, "
        "below 1 the scores are too extreme; blank where one threshold separates the classes. "
        "The intervals of both use the first 500 resamples."
    ),
}
