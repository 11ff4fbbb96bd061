"""Sentences of the page of one explained image that are of all its cells."""

from __future__ import annotations

import numpy as np

from benchmarks.explain.explanation import Explanation
from benchmarks.io.formatting import DASH, number
from benchmarks.report.blocks import Block, Bullets, Section, Strong, paragraph

NEAR = 0.05  # share of validation images between score and threshold under which it is near


def known_text(found: Explanation) -> str:
    """Say whether the run has the image, and in which split."""
    one = found.known
    if one is None:
        return "The run does not have this image, so nothing here says what it shows in truth."
    kind = f", {one['subtype']}" if one["subtype"] else ""
    text = (
        f"It is the run's image {one['image']}: in {one['split']}, labelled {one['class']}{kind}, "
        f"of patient {one['group']}. "
    )
    if one["split"] == "train":
        return text + "The models were fitted on it, so their scores tell nothing of new patients."
    if one["split"] == "validation":
        return text + "Thresholds and classifiers were chosen on it, so scores may be too good."
    return text + "No model was fitted or chosen on it."


def decisions(found: Explanation) -> str:
    """Say how far the cells agree, and which decide most narrowly."""
    recall = [one.decisions.iloc[1] for one in found.cells]
    called = sum(part["decision"] == "PNEUMONIA" for part in recall)
    n = len(recall)
    counts = {"PNEUMONIA": called, "NORMAL": n - called}
    told = [f"{_of(k, n)} call{'s' if k == 1 else ''} it {name}" for name, k in counts.items() if k]
    text = f"At the threshold for a recall of 0.95, {' and '.join(told)}."
    shares = np.array([part["between"] for part in recall], dtype=np.float64)
    if np.isnan(shares).all():
        return text
    k = int(np.nanargmin(shares))
    near = "a near decision" if shares[k] < NEAR else "no near decision"
    return text + (
        f" The nearest to its threshold is {found.cells[k].cell.name}: {100 * shares[k]:.3g} % of "
        f"the validation images score between it and the threshold, {near}."
    )


def where(found: Explanation) -> tuple[Block, ...]:
    """Say how the maps of the overview are made."""
    return (
        Bullets((
            (Strong("Features."), " What the feature columns of each field of the picture add to "
             "the score, all families together, laid evenly over the field."),
            (Strong("Occlusion."), f" A square of {found.patch} × {found.patch} pixels of the "
             "image's mean grey is moved over it; each pixel shows by how much the score falls, on "
             "average, while the square covers it. The one method that treats all cells alike."),
            (Strong("Grad-CAM."), " The network's last maps, each weighted with its slope towards "
             "pneumonia; the original method shows the positive part alone. For a classifier on an "
             "embedding the slope is that of its log-odds at this image, and 0 is what the mean "
             "training image has. Trees have no slope."),
        )),
        paragraph(
            "Methods that disagree are no fault of the page: they ask different questions. What "
            "only one of them shows is weak evidence of what a model uses."
        ),
    )  # fmt: skip


def reading_section(found: Explanation) -> Section:
    """Say what can't be read from the page."""
    points = (
        "A map shows what moves a model's score. It is no segmentation, finds no lesion, and may "
        "light up letters, borders or cables where the model has learnt those.",
        "Left and right, upper and lower are those of the picture: the picture's left is the "
        "patient's right on a frontal radiograph.",
        "Angles of edges and stripes are counted from the horizontal, anticlockwise.",
        "The chest is a fixed trapezium, the same for every image: a rough guide to lungs that "
        "lie where most do.",
        "Covering a square makes an image that no patient has: a model may answer to the square's "
        "edges rather than to what it hides.",
        "Scores near 0 or 1 hardly move when a part is covered; log-odds do. So occlusion and the "
        "features' maps may differ in strength.",
        "Similar means similar to these features, not to a radiologist.",
    )
    return Section("How to read this page", (Bullets(tuple((point,) for point in points)),))


def _of(k: int, n: int) -> str:
    """Count cells out of all."""
    if k == n:
        return "the one cell" if n == 1 else f"all {n} cells"
    return f"{k} of {n}"


def stated(score: float) -> str:
    """Write a probability; what is not 0 or 1 is not rounded to it.

    Examples
    --------
    >>> stated(0.99998), stated(0.8731), stated(0.0002)
    ('> 0.999', '0.873', '< 0.001')
    """
    if 0 < score < 0.0005:
        return "< 0.001"
    return "> 0.999" if 0.9995 <= score < 1 else number(score)


def small(value: float) -> str:
    """Write a change of a score.

    Examples
    --------
    >>> small(0.0731), small(4e-05), small(0)
    ('0.073', 'less than 0.001', '0')
    """
    if value == 0:
        return "0"
    return "less than 0.001" if value < 0.001 else f"{value:.2g}"


def signed(value: float, digits: int = 3) -> str:
    """Write a number with its sign; a missing one is a dash."""
    return DASH if np.isnan(value) else f"{value:+.{digits}f}".replace("-", "−")
