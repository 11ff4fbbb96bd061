"""Sentences of the page of one explained image."""

from __future__ import annotations

import numpy as np

from benchmarks.explain import Explanation
from benchmarks.explain_cells import Explained, family_order
from benchmarks.explain_data import BACKGROUND
from benchmarks.explain_maps import TITLES, maps_figure
from benchmarks.importance.maps import share_outside
from benchmarks.report.base import (
    Block,
    Bullets,
    Figure,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Strong,
    Subheading,
    Table,
    note,
    paragraph,
    row,
)
from benchmarks.report.cells import is_synthetic
from benchmarks.report.tables import DASH, number

SHOWN = 10
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
    text = (
        f"At the threshold for a recall of 0.95, {called} of {n} cells call it PNEUMONIA and "
        f"{n - called} NORMAL."
    )
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
             "pneumonia. The original method shows the positive part alone. For a classifier on an "
             "embedding the slope is that of its log-odds at this image."),
        )),
        paragraph(
            "Methods that disagree are no fault of the page: they ask different questions. What "
            "only one of them shows is weak evidence of what a model uses."
        ),
    )  # fmt: skip


def cell_section(found: Explanation, one: Explained, pictures: tuple[Picture, ...]) -> Section:
    """Tell of one cell: decision, features in words, maps, most similar training images."""
    blocks: list[Block] = [paragraph(_decision(one))]
    if one.method:
        blocks += _features(found, one)
    blocks += [Subheading("Where"), _maps(found, one), *_outside(one), *_missing(one)]
    blocks.append(Subheading("Most similar training images"))
    blocks += _similar(found, one, pictures)
    title = "CNN, end to end" if not one.cell.families else one.cell.name
    return Section(title, tuple(blocks))


def _decision(one: Explained) -> str:
    half, recall = one.decisions.to_dict("records")
    side = "above" if recall["distance"] >= 0 else "below"
    between = ""
    if not np.isnan(recall["between"]):
        between = f"; {100 * recall['between']:.3g} % of the validation images score in between"
    return (
        f"Score {number(one.score)}: {half['decision']} at 0.5, {recall['decision']} at the "
        f"threshold {number(recall['threshold'])} for a recall of 0.95. It is "
        f"{number(abs(recall['distance']))} {side} that threshold{between}."
    )


def _features(found: Explanation, one: Explained) -> list[Block]:
    single = one.method == "shap"
    top = one.top[one.top["value"] != 0].head(SHOWN)
    blocks: list[Block] = [Subheading("What speaks for what"), paragraph(_method(found, one))]
    if len(one.families) > 1:
        words = ", ".join(f"{name} {_signed(v)}" for name, v in _by_size(one.families))
        blocks.append(paragraph(f"By family, in {one.space}: {words}."))
    if top.empty:
        blocks.append(paragraph("Its columns have neither names nor places to be told by."))
        return blocks
    lines = tuple(
        row(
            part["words"], "PNEUMONIA" if part["value"] > 0 else "NORMAL", _signed(part["value"]),
            *([_signed(part["deviation"], 1)] if single else []),
        )
        for part in top.to_dict("records")
    )  # fmt: skip
    rest = one.top["value"].sum() - top["value"].sum()
    others = len(one.top[one.top["value"] != 0]) - len(top)
    blocks.append(
        Table(
            name=f"top-{one.cell.name.replace('/', '-')}",
            caption=f"The {len(top)} {'features' if single else 'fields'} that weigh most here, in "
            f"{one.space}.",
            header=("What", "Speaks for", "Adds", *(["Here, SD"] if single else [])),
            rows=lines,
            labels=2,
            words=True,
            note=f"All others: {others:,}, together {_signed(rest)}."
            + (" Here, SD: the image's value, in standard deviations from the mean of the training "
               "images." if single else ""),
        )
    )  # fmt: skip
    return blocks


def _method(found: Explanation, one: Explained) -> str:
    others = "the mean training image" if found.without_data else f"{BACKGROUND} training images"
    outcome = f"from {number(one.expected, 2)}, their mean, to {number(one.output, 2)} here"
    if found.without_data:
        outcome = f"from {number(one.expected, 2)} there to {number(one.output, 2)} here"
    if one.method == "shap":
        return (
            f"SHAP values against {others}: they add up, {outcome} ({one.space}). Features that "
            "are alike share what they add, so a small value does not mean that a feature is "
            "useless."
        )
    return (
        f"Fields of the picture exchanged for those of {others}: what is lost is what the field "
        f"added. The {one.space} go {outcome}; as columns work together, the parts do not add up "
        "to the difference."
    )


def _maps(found: Explanation, one: Explained) -> Figure:
    maps = {kind: one.maps[kind] for kind in family_order(one.maps)}
    name = one.cell.name.replace("/", "-")
    alt = f"Maps of {one.cell.name} over the image, one a method; red speaks for pneumonia."
    return Figure(
        name=name,
        caption="Vermilion speaks for pneumonia, blue for normal; each map has its own scale.",
        alt=alt,
        svg=maps_figure(name, found.image, maps, one.space, alt, is_synthetic(found.run)),
    )


def _outside(one: Explained) -> list[Paragraph]:
    """Say of each map how much of it lies outside the chest."""
    parts, area = [], 0.0
    for kind in family_order(one.maps):
        share, area = share_outside(one.maps[kind])
        if np.isnan(share):
            parts.append(f"{TITLES[kind]}: nothing speaks for pneumonia")
        else:
            more = " – more than an even map" if share > area else ""
            parts.append(f"{TITLES[kind]}: {100 * share:.0f} %{more}")
    drop = one.maps["occlusion"]
    covered = (
        f"Covered parts lower the score by at most {drop.max():.2g} and raise it by at most "
        f"{max(0.0, -drop.min()):.2g}."
    )
    text = f"Outside the chest, where an even map has {100 * area:.0f} %, lies of what speaks for "
    return [paragraph(f"{covered} {text}pneumonia: {'; '.join(parts)}.")]


def _missing(one: Explained) -> list[Paragraph]:
    names = {"features": "SHAP", "grad_cam": "Grad-CAM"}
    return [paragraph(f"No {names[kind]}: {why}.") for kind, why in one.notes.items()]


def _similar(found: Explanation, one: Explained, pictures: tuple[Picture, ...]) -> list[Block]:
    if not one.cell.families:
        return [paragraph("The CNN has no columns of features to compare images by.")]
    if found.without_data:
        return [note(f"{found.without_data} So there are no similar images; with --data, there "
                     "would be.")]  # fmt: skip
    near = found.neighbours[one.cell.features]
    left = {0: "", 1: " The image itself is one of them and left out."}.get(
        near.copies, f" {near.copies} copies of the image are among them and left out."
    )
    if not pictures:
        return [paragraph(f"There are none.{left}")]
    positive = int((near.rows["label"] == 1).sum())
    text = (
        f"By distance in the standardised columns of {one.cell.features}; the median training "
        f"image is at {number(near.median, 1)}. {positive} of these {len(pictures)} are "
        f"PNEUMONIA.{left}"
    )
    return [Pictures(text, pictures)]


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


def _by_size(values: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(values.items(), key=lambda item: -abs(item[1]))


def _signed(value: float, digits: int = 3) -> str:
    return DASH if np.isnan(value) else f"{value:+.{digits}f}".replace("-", "−")
