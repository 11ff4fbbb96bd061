"""Sentences about all cells on the page of one image."""

from __future__ import annotations

import numpy as np

from benchmarks.explain.explanation import Explanation
from benchmarks.io.formatting import DASH, number
from benchmarks.report.blocks import Block, Bullets, Section, Strong, paragraph

NEAR = 0.05  # fraction of validation images between score and threshold, below which it is close


def known_text(found: Explanation) -> str:
    """State whether the run contains the image, and in which split.

    Parameters
    ----------
    found : Explanation

    Returns
    -------
    str
    """
    one = found.known
    if one is None:
        return "The run does not contain this image, so its true class is unknown here."
    kind = f", {one['subtype']}" if one["subtype"] else ""
    text = (
        f"The run contains it as {one['image']}: split {one['split']}, class {one['class']}{kind}, "
        f"patient {one['group']}. "
    )
    if one["split"] == "train":
        return (
            text + "The models were fitted on it, so their scores do not show performance on new "
            "patients."
        )
    if one["split"] == "validation":
        return (
            text
            + "Thresholds and classifiers were selected on it, so the scores may be optimistic."
        )
    return text + "No model was fitted or selected on it."


def decisions(found: Explanation) -> str:
    """State how many cells agree, and which score is closest to its threshold.

    Parameters
    ----------
    found : Explanation

    Returns
    -------
    str
    """
    recall = [one.decisions.iloc[1] for one in found.cells]
    positive = sum(one.decided_positive for one in found.cells)
    n = len(recall)
    negative_name, positive_name = found.classes
    counts = {positive_name: positive, negative_name: n - positive}
    verb = {1: "predicts"}
    parts = [f"{_of(k, n)} {verb.get(k, 'predict')} {name}" for name, k in counts.items() if k]
    text = f"At the threshold for a recall of 0.95, {' and '.join(parts)}."
    shares = np.array([part["between"] for part in recall], dtype=np.float64)
    if np.isnan(shares).all():
        return text
    k = int(np.nanargmin(shares))
    near = "a close decision" if shares[k] < NEAR else "not a close decision"
    return text + (
        f" The closest to its threshold is {found.cells[k].cell.name}: {100 * shares[k]:.3g} % of "
        f"the validation images score between it and the threshold, {near}."
    )


def where(found: Explanation) -> tuple[Block, ...]:
    """Describe how the maps of the overview are made.

    Parameters
    ----------
    found : Explanation

    Returns
    -------
    tuple of Block
    """
    return (
        Bullets((
            (Strong("Features."), " Contribution of the feature columns of each image region to "
             "the score, summed over all families and spread evenly over the region."),
            (Strong("Occlusion."), f" A square of {found.patch} × {found.patch} pixels of the "
             "mean grey value of the image is moved over it. Each pixel shows the mean drop of the "
             "score while the square covers it. This is the only method that is the same for all "
             "cells; those on features of a table have no map."),
            (Strong("Grad-CAM."), " The last feature maps of the network, weighted by the gradient "
             "of the score. The original method shows the positive part only. For a "
             "classifier on an embedding, the gradient is that of its log-odds at this image, and "
             "0 is the value of the mean training image. Trees have no gradient."),
        )),
        paragraph(
            "Methods can disagree, because they measure different things. What only one of them "
            "shows is weak evidence of what a model uses."
        ),
    )  # fmt: skip


def reading_section(found: Explanation) -> Section:
    """List what the page does not show.

    Parameters
    ----------
    found : Explanation

    Returns
    -------
    Section
    """
    points = (
        "A map shows what changes the score of a model. It is not a segmentation and does not find "
        "lesions. It can highlight letters, borders or cables if the model has learned them.",
        "Left and right, upper and lower refer to the image: the left of the image is the "
        "patient's right on a frontal radiograph.",
        "Angles of edges and stripes are measured anticlockwise from the horizontal.",
        "The chest is a fixed trapezium, the same for every image: a rough guide for lungs at "
        "the usual position.",
        "A covered square makes an unrealistic image: a model may react to the edges of the square "
        "rather than to what it covers.",
        "Scores near 0 or 1 hardly change when a part is covered, but log-odds do. Therefore "
        "occlusion maps and feature maps can differ in strength.",
        "Similar means similar to these features, not to a radiologist.",
    )
    return Section("How to read this page", (Bullets(tuple((point,) for point in points)),))


def _of(k: int, n: int) -> str:
    """Write a number of cells out of all."""
    if k == n:
        return "the one cell" if n == 1 else f"all {n} cells"
    return f"{k} of {n}"


def stated(score: float) -> str:
    """Format a probability; only 0 and 1 are printed as such.

    Parameters
    ----------
    score : float

    Returns
    -------
    str

    Examples
    --------
    >>> stated(0.99998), stated(0.8731), stated(0.0002)
    ('> 0.999', '0.873', '< 0.001')
    """
    if 0 < score < 0.0005:
        return "< 0.001"
    return "> 0.999" if 0.9995 <= score < 1 else number(score)


def small(value: float) -> str:
    """Format a change of a score.

    Parameters
    ----------
    value : float

    Returns
    -------
    str

    Examples
    --------
    >>> small(0.0731), small(4e-05), small(0)
    ('0.073', 'less than 0.001', '0')
    """
    if value == 0:
        return "0"
    return "less than 0.001" if value < 0.001 else f"{value:.2g}"


def signed(value: float, digits: int = 3) -> str:
    """Format a number with its sign; NaN is a dash.

    Parameters
    ----------
    value : float
    digits : int

    Returns
    -------
    str
    """
    return DASH if np.isnan(value) else f"{value:+.{digits}f}".replace("-", "−")
