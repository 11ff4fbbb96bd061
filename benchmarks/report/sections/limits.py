"""Limitations of the data, the protocol and the comparison."""

from __future__ import annotations

from benchmarks.io.formatting import change_text
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Bullets, Section, Strong, paragraph
from benchmarks.report.sections.gap import medians
from benchmarks.statistics.method_rows import finished

PHANTOMS = (
    "The images were drawn by a program. They test the software and the protocol; they prove "
    "nothing about radiographs, patients or pneumonia."
)
_UNKNOWN = (
    "The program does not know the patients, hospitals and machines of these data, nor how they "
    "were labelled. The results hold for images of this source only."
)
SHORTCUTS = (
    "Letters, borders and cables on a radiograph can reveal its class. A high score does not prove "
    "that a method used the lungs."
)
MANY = (
    "Many methods are compared on one test split: the best score is optimistic, and overlapping "
    "intervals do not justify a ranking."
)
_ALWAYS = (
    "Intervals reflect the sampling of test patients only; the fitted model, the validation split "
    "and the threshold are held fixed.",
    MANY,
)
TITLE = "Limitations"
CAUTION = (
    Strong("Not for clinical use."), " This is a benchmark of methods, not a medical device.",
)  # fmt: skip


def render(results: Results) -> Section:
    """List the limitations.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    points = [*data_limitations(results), *_shift(results), *_ALWAYS]
    return Section(TITLE, (paragraph(*CAUTION), Bullets(tuple((one,) for one in points))))


def data_limitations(results: Results) -> tuple[str, ...]:
    """Return the limitations of the run's data: those that the data set declares.

    Parameters
    ----------
    results : Results

    Returns
    -------
    tuple of str
    """
    if is_synthetic(results):
        return (PHANTOMS,)
    declared = [str(one) for one in results.run.get("data", {}).get("limitations", [])]
    return (*(declared or [_UNKNOWN]), SHORTCUTS)


def _shift(results: Results) -> list[str]:
    """State how specificity and recall change from the validation set to the test set."""
    table = finished(results)
    if not table or is_synthetic(results):
        return []
    changes = {metric: change_text(*medians(table, metric)) for metric in ("specificity", "recall")}
    return [
        "Validation and test images may differ: at the threshold selected on the validation set, "
        f"the median specificity over methods {changes['specificity']} from validation to test, "
        f"and the median recall {changes['recall']}. No setting was selected on test images."
    ]
