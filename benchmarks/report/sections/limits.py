"""Limitations of the data, the protocol and the comparison."""

from __future__ import annotations

from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Bullets, Section, Strong, paragraph

PHANTOMS = (
    "The images were drawn by a program. They test the software and the protocol; they prove "
    "nothing about radiographs, patients or pneumonia."
)
_REAL = (
    "The public radiographs that this benchmark was made for come from one hospital and from "
    "children aged one to five years. The results do not generalise to adults, other hospitals or "
    "other machines.",
    "Pneumonia is compared with normal images only. The many other findings of clinical practice "
    "are not represented.",
    "The official test images differ from the training images, above all the normal ones: "
    "specificity on test is lower than on the validation set. This is a finding; no method was "
    "tuned to correct it.",
    "Burned-in letters, borders and cables can reveal the class. A high score does not prove that "
    "a method used the lungs.",
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
    points = (PHANTOMS, *_ALWAYS) if is_synthetic(results) else (*_REAL, *_ALWAYS)
    return Section(TITLE, (paragraph(*CAUTION), Bullets(tuple((one,) for one in points))))
