"""What the numbers can't say."""

from __future__ import annotations

from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Bullets, Section, Strong, paragraph

PHANTOMS = (
    "The images are drawn by a program. They test the software and the protocol; they prove "
    "nothing about radiographs, patients or pneumonia."
)
_REAL = (
    "The public radiographs that this benchmark was made for come from one hospital and from "
    "children of one to five years: nothing follows for adults, other hospitals or other machines.",
    "Pneumonia is set against normal alone. A clinic meets many other findings, and none is here.",
    "The official test images differ from the training images, in their normals above all: "
    "specificity on test is lower than validation promises. That is a result, and no method "
    "was tuned to repair it.",
    "Burned-in letters, borders and cables can betray the class. A high score is no proof that "
    "a method looked at the lungs.",
)
MANY = (
    "Many methods are compared on one test split: the best of them looks better than it is, and "
    "overlapping intervals rank nothing."
)
_ALWAYS = (
    "Intervals cover the drawing of test patients, with the fitted model, the validation split "
    "and the threshold held fixed.",
    MANY,
)
TITLE = "What the numbers can't say"
CAUTION = (
    Strong("Not for clinical use."), " This is a benchmark of methods, not a medical device.",
)  # fmt: skip


def render(results: Results) -> Section:
    """Say what must not be concluded."""
    points = (PHANTOMS, *_ALWAYS) if is_synthetic(results) else (*_REAL, *_ALWAYS)
    return Section(TITLE, (paragraph(*CAUTION), Bullets(tuple((one,) for one in points))))
