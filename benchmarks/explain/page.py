"""Write the page of one image: sections, a table of all numbers and the maps as files."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.explain.cell_section import cell_section
from benchmarks.explain.explanation import Explained, Explanation
from benchmarks.explain.image_sections import (
    decisions,
    known_text,
    reading_section,
    stated,
    where,
)
from benchmarks.explain.map_figures import in_units, map_png, overview_figure, unit_of
from benchmarks.importance.importance_map import Map, outside_chest
from benchmarks.io.formatting import DASH, number
from benchmarks.io.run_files import write_bytes, write_text
from benchmarks.io.run_record import is_synthetic
from benchmarks.io.tables import write_csv
from benchmarks.report.blocks import Figure, Picture, Pictures, Section, Table, note, paragraph, row
from benchmarks.report.writers import html_page
from benchmarks.run.exploration import thumbnail

PAGE, TABLE = "explain.html", "explain.csv"
COLUMNS = ["cell", "what", "name", "value", "unit", "words"]
METHODS = {"features": "Features", "occlusion": "Occlusion", "grad_cam": "Grad-CAM"}


def write_page(found: Explanation, folder: Path) -> None:
    """Write ``explain.html``, ``explain.csv`` and a PNG of each map.

    Parameters
    ----------
    found : Explanation
    folder : Path
        Existing folder.
    """
    sections = {"scores": _scores(found), "where": _where(found)}
    for explained in found.cells:
        key = explained.cell.name.replace("/", "-")
        sections[key] = cell_section(found, explained, _thumbnails(found, explained))
    sections["reading"] = reading_section(found)
    for explained in found.cells:
        stem = explained.cell.name.replace("/", "-")
        for kind, values in explained.maps.items():
            title = f"{found.name}\n{explained.cell.name}"
            synthetic = is_synthetic(found.run)
            data = map_png(found.image, kind, values, explained.space, title, synthetic)
            write_bytes(folder / f"{stem}-{kind}.png", data)
    write_csv(folder / TABLE, _numbers(found))
    title = f"{found.name}: explanation of its scores"
    write_text(folder / PAGE, html_page(found.run, title, sections))


def png(image: NDArray[np.uint8]) -> bytes:
    """Encode a thumbnail, at most 160 pixels wide and high, as PNG.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8

    Returns
    -------
    bytes
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(thumbnail(image)).save(buffer, format="PNG")
    return buffer.getvalue()


def together(explained: Explained) -> dict[str, Map | None]:
    """Return the maps of a cell by method, with the sum over all families.

    Parameters
    ----------
    explained : Explained

    Returns
    -------
    dict of ndarray of shape (size, size), or None
        None if a method has no map.
    """
    maps = explained.maps
    families = [maps[name] for name in explained.cell.families if name in maps]
    return {
        METHODS["features"]: np.sum(families, axis=0) if families else None,
        METHODS["occlusion"]: maps.get("occlusion"),
        METHODS["grad_cam"]: maps.get("grad_cam"),
    }


def _scores(found: Explanation) -> Section:
    picture = Picture(png(found.image), "The image", "cropped, stretched and resized as for "
                      "all methods")  # fmt: skip
    lines = []
    for one in found.cells:
        half, recall = one.decisions.to_dict("records")
        lines.append(
            row(
                one.cell.name, stated(one.score), half["decision"],
                number(recall["threshold"]), recall["decision"], number(recall["distance"]),
                _percent(recall["between"]),
            )
        )  # fmt: skip
    table = Table(
        name="scores",
        caption=f"Score of each cell (probability of {found.classes[1]}) and its decision at "
        "threshold 0.5 and at the threshold with a recall of 0.95 on the validation set.",
        header=("Cell", "Score", "At 0.5", "Threshold", "Decision", "Distance", "Between"),
        rows=tuple(lines),
        note="Distance: score minus threshold. Between: percentage of the validation images whose "
        "score lies between the two; the smaller, the closer the decision, whatever the distance.",
    )  # fmt: skip
    return Section(
        "Scores and decisions",
        (
            note("For research only, not for clinical use; no score here is a diagnosis. Maps and "
                 "features show what a model uses, not where disease is."),
            Pictures(f"{found.name}.", (picture,)),
            paragraph(known_text(found)),
            paragraph(decisions(found)),
            table,
        ),
    )  # fmt: skip


def _where(found: Explanation) -> Section:
    if not any(one.maps for one in found.cells):
        return Section("Maps of all cells", (paragraph("No cell has a map."),))
    cells = [(_short(one), together(one)) for one in found.cells]
    negative, positive = found.classes
    alt = f"Maps of each cell by method: red is evidence for {positive}, blue for {negative}."
    figure = Figure(
        name="overview",
        caption=f"All cells side by side. Vermilion: evidence for {positive}; blue: evidence for "
        f"{negative}. Each map is scaled to its largest value, which is given in the section of "
        "the cell.",
        alt=alt,
        svg=overview_figure(found.image, cells, alt, is_synthetic(found.run)),
    )
    return Section("Maps of all cells", (*where(found), figure, _outside(found)))


def _outside(found: Explanation) -> Table:
    lines, area = [], outside_chest(np.ones(found.image.shape))[1]
    for one in found.cells:
        shares = [
            DASH if values is None else _percent(one.outside(values))
            for values in together(one).values()
        ]
        lines.append(row(one.cell.name, one.decision, *shares))
    return Table(
        name="outside",
        caption="Percentage of the evidence for a cell's decision that lies outside the chest, a "
        f"fixed trapezium and not a segmentation. A uniform map has {_percent(area)} there.",
        header=("Cell", "Decision", *METHODS.values()),
        rows=tuple(lines),
        labels=2,
        note=f"{DASH}: no map, or a map without evidence for the decision.",
    )


def _thumbnails(found: Explanation, explained: Explained) -> tuple[Picture, ...]:
    neighbours = found.neighbours.get(explained.cell.features)
    if neighbours is None:
        return ()
    patient = None if found.known is None else found.known["group"]
    pictures = []
    for one, pixels in zip(neighbours.rows.to_dict("records"), neighbours.pixels, strict=True):
        kind = f" ({one['subtype']})" if one["subtype"] else ""
        same = ", the same patient" if one["group"] == patient else ""
        detail = f"distance {one['distance']:.1f}, patient {one['group']}{same}"
        pictures.append(Picture(png(pixels), f"{one['class']}{kind}", detail))
    return tuple(pictures)


def _short(one: Explained) -> str:
    features = "CNN" if not one.cell.families else re.sub(r"_|(?<=\+)", "\n", one.cell.features)
    model = "" if not one.cell.families else f"\n{one.cell.model}"
    return f"{features}{model}"


def _percent(share: float) -> str:
    return DASH if np.isnan(share) else f"{100 * share:.3g} %"


def _numbers(found: Explanation) -> pd.DataFrame:
    """Gather all numbers of the page in one long table."""
    lines: list[tuple[object, ...]] = []
    for one in found.cells:
        name, space = one.cell.name, one.space
        lines.append((name, "score", "", one.score, "probability", ""))
        for point in one.decisions.to_dict("records"):
            for key in ("threshold", "distance", "between"):
                lines.append((name, key, point["point"], point[key], "", ""))
            lines.append((name, "decision", point["point"], np.nan, "", point["decision"]))
        if one.method:
            lines.append((name, "output", "", one.output, space, ""))
            lines.append((name, "expected", "", one.expected, space, ""))
        lines += [(name, "family", family, v, space, "") for family, v in one.families.items()]
        what = "feature" if one.method == "shap" else "region"
        lines += [
            (name, what, part["name"], part["value"], space, part["words"])
            for part in one.top.to_dict("records")
        ]
        for kind, values in one.maps.items():
            unit = unit_of(kind, space)
            shown = in_units(kind, values)
            lines.append((name, "map_largest", kind, shown.max(), unit, ""))
            lines.append((name, "map_smallest", kind, shown.min(), unit, ""))
            for label, side in zip(found.classes, (-values, values), strict=True):
                share = outside_chest(side)[0]
                lines.append(
                    (name, "share_outside", kind, share, "", f"of the evidence for {label}")
                )
        lines += [(name, "no_map", kind, np.nan, "", why) for kind, why in one.notes.items()]
    for features, near in found.neighbours.items():
        lines += [
            (features, "neighbour", part["image"], part["distance"], "standardised columns",
             part["class"])
            for part in near.rows.to_dict("records")
        ]  # fmt: skip
    return pd.DataFrame(lines, columns=COLUMNS)
