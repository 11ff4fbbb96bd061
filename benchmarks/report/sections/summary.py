"""What was run, and the comparison itself."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.report.base import Block, Section, note, paragraph
from benchmarks.report.lookup_cells import (
    Row,
    classical,
    data_name,
    feature_sets,
    is_synthetic,
    network_start,
    rows,
    validation_precision,
)
from benchmarks.report.sections import comparison
from benchmarks.report.tables import interval, number, thousands

BALANCES = {
    "smote": "SMOTE on training rows only",
    "borderline": "borderline SMOTE on training rows only",
    "svmsmote": "SVM-SMOTE on training rows only",
    "adasyn": "ADASYN on training rows only",
    "oversample": "minority training rows drawn again at random",
    "undersample": "majority training rows left out at random",
    "class_weight": "class weights",
    "none": "no balancing of the classes",
}


def render(results: Results) -> Section:
    """State the run in three sentences and give the main table."""
    table = rows(results)
    blocks: list[Block] = [paragraph(" ".join(sentences(results, table))), *standing(results)]
    blocks.append(comparison.main_table(results, table))
    blocks += [comparison.latex_table(results, table, point) for point in OPERATING_POINTS]
    finished = [row for row in table if row.ok]
    if finished:
        blocks.append(comparison.overview(finished, is_synthetic(results)))
    blocks += unfinished(table)
    if max((row.seeds for row in table), default=1) > 1:
        blocks.append(comparison.every_seed(results))
    return Section("What was run, and how well it did", tuple(blocks))


def standing(results: Results) -> list[Block]:
    """Note what the run is: unfinished, a sample, of unknown patients."""
    blocks: list[Block] = []
    if results.run.get("status") == "running":
        blocks.append(note("The run had not ended when this was written; cells may be missing."))
    limit = results.run.get("config", {}).get("limit")
    if limit:
        blocks.append(note(f"A sample of about {limit} images (--limit): a quick look, no result."))
    if not results.run.get("data", {}).get("groups_known", True):
        blocks.append(
            note(
                "The file names tell no patients, so each file counts as a patient of its own: "
                "if patients have several images, the split may leak and intervals are too narrow."
            )
        )
    return blocks


def sentences(results: Results, table: Sequence[Row]) -> list[str]:
    """Three sentences: the data, the methods, the outcome."""
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
    return [first, _methods_sentence(results, table), _outcome_sentence(table)]


def _methods_sentence(results: Results, table: Sequence[Row]) -> str:
    config = results.run.get("config", {})
    sets = feature_sets(table)
    models = list(dict.fromkeys(row.model for row in classical(table)))
    balance = BALANCES.get(str(config.get("balance", "")), "the configured balancing")
    parts = []
    if sets:
        verb = "s were" if len(sets) > 1 else " was"
        parts.append(
            f"{len(sets)} feature set{verb} combined with {len(models)} "
            f"classifier{'s' * (len(models) > 1)} ({', '.join(models)}), with {balance}"
        )
    network = next((row for row in table if row.is_cnn), None)
    if network is not None:
        backbone = config.get("backbone")
        start = network_start(results, network.cells()[0])[0] if network.ok else ""
        parts.append(
            f"a convolutional network{f' ({backbone})' if backbone else ''} "
            f"{'was' if network.ok else 'was to be'} trained end to end"
            f"{f' {start}' * bool(start)} on the same images"
        )
    foreign = [row.model for row in table if row.is_external]
    if foreign:
        parts.append(f"the scores of {', '.join(foreign)} were computed elsewhere")
    cells = sum(row.seeds for row in table)
    done = sum(row.finished for row in table)
    return f"{', and '.join(parts) or 'No cell was asked for'}; {done} of {cells} cells finished."


def _outcome_sentence(table: Sequence[Row]) -> str:
    finished = [row for row in classical(table) if row.ok]
    network = next((row for row in table if row.ok and row.is_cnn), None)
    if not finished and network is None:
        return "No cell finished, so there is nothing to compare."
    lead = max(finished, key=validation_precision) if finished else network
    assert lead is not None
    text = (
        f"With the threshold set on validation for a recall of 0.95, {lead.label}, "
        f"{'the classical method that did best on validation' if finished else 'alone in this run'}"
        f", reaches {_pair(lead)} on the test images"
    )
    if finished and network is not None:
        text += f", and the end-to-end CNN {_pair(network)}"
    return text + "."


def _pair(row: Row) -> str:
    words = []
    for metric in ("precision", "recall"):
        one = row.estimate("test", "recall95", metric)
        bounds = interval(one.low, one.high)
        words.append(f"{metric} {number(one.value)}{f' ({bounds})' if bounds else ''}")
    return " and ".join(words)


def unfinished(table: Sequence[Row]) -> list[Block]:
    """Note the rows of which some seeds did not finish."""
    partly = [row for row in table if row.ok and row.finished < row.seeds]
    return [
        note(f"{row.label}: {row.finished} of {row.seeds} seeds finished; {row.reason}")
        for row in partly
    ]
