"""The section of one cell on the page of an explained image."""

from __future__ import annotations

import numpy as np

from benchmarks.explain.explanation import Explained, Explanation, family_order
from benchmarks.explain.image_sections import signed, small, stated
from benchmarks.explain.map_figures import maps_figure, title_of
from benchmarks.explain.training_images import BACKGROUND
from benchmarks.extraction.given_features import family_class, is_given
from benchmarks.importance.importance_map import outside_chest
from benchmarks.io.formatting import number
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import (
    Block,
    Figure,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Subheading,
    Table,
    note,
    paragraph,
    row,
)

SHOWN = 10


def cell_section(found: Explanation, one: Explained, pictures: tuple[Picture, ...]) -> Section:
    """Describe one cell: decision, features in words, maps and nearest training images.

    Parameters
    ----------
    found : Explanation
    one : Explained
        The cell.
    pictures : tuple of Picture
        Nearest training images; may be empty.

    Returns
    -------
    Section
    """
    blocks: list[Block] = [paragraph(_decision(one))]
    if one.method:
        blocks += _features(found, one)
    blocks.append(Subheading("Maps"))
    blocks += [_maps(found, one), *_read_maps(one)] if one.maps else []
    blocks += _missing(one)
    blocks.append(Subheading("Most similar training images"))
    blocks += _similar(found, one, pictures)
    title = "CNN, end to end" if not one.cell.families else one.cell.name
    return Section(title, tuple(blocks))


def _decision(one: Explained) -> str:
    half, recall = one.decisions.to_dict("records")
    side = "above" if recall["distance"] >= 0 else "below"
    between = ""
    if not np.isnan(recall["between"]):
        between = (
            f"; {100 * recall['between']:.3g} % of the validation images have a score in between"
        )
    return (
        f"Score {stated(one.score)}: {half['decision']} at 0.5, {recall['decision']} at the "
        f"threshold {number(recall['threshold'])} for a recall of 0.95. It is "
        f"{number(abs(recall['distance']))} {side} that threshold{between}."
    )


def _features(found: Explanation, one: Explained) -> list[Block]:
    single = one.method == "shap"
    networks = single and any(family_class(family).network for family in one.cell.families)
    top = one.top[one.top["value"] != 0].head(SHOWN)
    if top.empty:
        return [Subheading("Contributions"), paragraph(_nameless(found, one))]
    blocks: list[Block] = [Subheading("Contributions"), paragraph(_method(found, one))]
    if len(one.families) > 1:
        parts = (f"{family_class(name).title} {signed(v)}" for name, v in _by_size(one.families))
        blocks.append(paragraph(f"By family, in {one.space}: {', '.join(parts)}."))
    lines = tuple(
        row(
            part["words"], found.classes[part["value"] > 0], signed(part["value"]),
            *([signed(part["deviation"], 1)] if single else []),
        )
        for part in top.to_dict("records")
    )  # fmt: skip
    rest = one.top["value"].sum() - top["value"].sum()
    others = len(one.top[one.top["value"] != 0]) - len(top)
    blocks.append(
        Table(
            name=f"top-{one.cell.name.replace('/', '-')}",
            caption=f"The {len(top)} {'features' if single else 'regions'} with the largest "
            f"contribution, in {one.space}.",
            header=("What", "Evidence for", "Contribution", *(["Value, SD"] if single else [])),
            rows=lines,
            labels=2,
            words=True,
            note=f"All others: {others:,}, together {signed(rest)}."
            + (" Value, SD: the value of the image, in standard deviations from the mean of the "
               "training images." if single else "")
            + (" The outputs of a network have no descriptive names." if networks else ""),
        )
    )  # fmt: skip
    return blocks


def _compared(found: Explanation, one: Explained) -> tuple[str, str]:
    """Describe the background and the change of the output from it to this image."""
    to = f"to {number(one.output, 2)} here"
    if found.without_data:
        return "the mean training image", f"from {number(one.expected, 2)} there {to}"
    return f"{BACKGROUND} training images", f"from {number(one.expected, 2)}, their mean, {to}"


def _nameless(found: Explanation, one: Explained) -> str:
    others, outcome = _compared(found, one)
    if any(map(is_given, one.cell.families)):
        return (
            f"Compared with {others}, the {one.space} changes {outcome}. An SVM has no SHAP values "
            "of single columns, and the columns of a table have no image region; select a forest, "
            "xgboost or logistic cell with --cells to get contributions of the columns."
        )
    return (
        f"Compared with {others}, the {one.space} changes {outcome}. An SVM has no SHAP values of "
        "single columns, and the columns of a network have no image region: see the maps below."
    )


def _method(found: Explanation, one: Explained) -> str:
    others, outcome = _compared(found, one)
    if one.method == "shap":
        return (
            f"SHAP values compared with {others}: they sum to the change {outcome} ({one.space}). "
            "Correlated features divide their contribution, so a small value does not mean that a "
            "feature is useless."
        )
    return (
        f"Image regions are replaced by those of {others}; the drop is the contribution of the "
        f"region. The {one.space} changes {outcome}. Because columns interact, the contributions "
        "do not sum to that change. An SVM has no SHAP values of single features; select a forest, "
        "xgboost or logistic cell with --cells to get them."
    )


def _maps(found: Explanation, one: Explained) -> Figure:
    maps = {kind: one.maps[kind] for kind in family_order(one.maps)}
    name = one.cell.name.replace("/", "-")
    negative, positive = found.classes
    alt = f"Maps of {one.cell.name} over the image, one per method; red is evidence for {positive}."
    return Figure(
        name=name,
        caption=f"Vermilion: evidence for {positive}; blue: evidence for {negative}. Each map has "
        "its own scale.",
        alt=alt,
        svg=maps_figure(
            name, found.image, maps, one.space, found.classes, alt, is_synthetic(found.run)
        ),
    )


def _read_maps(one: Explained) -> list[Paragraph]:
    """State how strong the maps are, and how much of them lies outside the chest."""
    covered = []
    if (drop := one.maps.get("occlusion")) is not None:  # none of a cell with columns of a table
        covered = [
            paragraph(
                "When a part is covered, the score decreases by at most "
                f"{small(max(0.0, drop.max()))} and increases by at most "
                f"{small(max(0.0, -drop.min()))}."
            )
        ]
    area = outside_chest(np.ones(next(iter(one.maps.values())).shape))[1]
    parts = []
    for kind in family_order(one.maps):
        share = one.outside(one.maps[kind])
        more = ", more than a uniform map" if share > area else ""
        found = "no evidence for it" if np.isnan(share) else f"{100 * share:.0f} %{more}"
        parts.append(f"{title_of(kind)}: {found}")
    outside = (
        f"Fraction of the evidence for {one.decision} outside the chest, where a uniform map has "
        f"{100 * area:.0f} %: {'; '.join(parts)}."
    )
    return [*covered, paragraph(outside), *_slope(one)]


def _slope(one: Explained) -> list[Paragraph]:
    """Warn of a Grad-CAM whose sum and the contribution of the network have opposite signs."""
    network = [family for family in one.cell.families if family_class(family).network]
    if not network or "grad_cam" not in one.maps:
        return []
    along, whole = float(one.maps["grad_cam"].sum()), one.families[network[0]]
    if along * whole >= 0:
        return []
    return [
        paragraph(
            f"The sum of the Grad-CAM map is {signed(along, 1)} log-odds, but the contribution of "
            f"the network's columns is {signed(whole, 1)}: the classifier is not linear between "
            "the mean training image and this one. The map shows its gradient at this image only."
        )
    ]


def _missing(one: Explained) -> list[Paragraph]:
    names = {"features": "SHAP", "occlusion": "occlusion map", "grad_cam": "Grad-CAM"}
    return [paragraph(f"No {names[kind]}: {why}.") for kind, why in one.notes.items()]


def _similar(found: Explanation, one: Explained, pictures: tuple[Picture, ...]) -> list[Block]:
    if not one.cell.families:
        return [paragraph("The CNN has no feature columns in which to compare images.")]
    if found.without_data:
        return [note(f"{found.without_data} Therefore similar images are unavailable; give "
            "--data.")]  # fmt: skip
    near = found.neighbours[one.cell.features]
    left = {0: "", 1: " The image itself is among them and is excluded."}.get(
        near.copies, f" {near.copies} copies of the image are among them and are excluded."
    )
    if not pictures:
        return [paragraph(f"There are none.{left}")]
    positive, k = int((near.rows["label"] == 1).sum()), len(pictures)
    names = found.classes
    labels = {0: f"All {k} are {names[0]}.", k: f"All {k} are {names[1]}."}.get(
        positive, f"{positive} are {names[1]}, {k - positive} {names[0]}."
    )
    text = (
        f"By Euclidean distance in the standardised columns of {one.cell.features}; the median "
        f"distance of the training images is {number(near.median, 1)}. {labels}{left}"
    )
    return [Pictures(text, pictures)]


def _by_size(values: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(values.items(), key=lambda item: -abs(item[1]))
