"""Dataset: counts, patients, image sizes, grey values and example images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.io.escaping import printable
from benchmarks.io.formatting import thousands
from benchmarks.io.results import Results
from benchmarks.io.run_files import IMAGES, read_png
from benchmarks.io.run_record import classes, is_synthetic
from benchmarks.report.blocks import (
    Block,
    Bullets,
    Cell,
    Figure,
    Group,
    Picture,
    Pictures,
    Section,
    Table,
    paragraph,
)
from benchmarks.report.plots import NEGATIVE_COLOUR, POSITIVE_COLOUR, Dash, draw, frame, looks
from benchmarks.run.exploration import mean_name, sample_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

_SPLITS = ("train", "validation", "test")
_MANY = 10
_EXCLUDED = 15  # values of the label that the report lists
_REASONS = {"label": "in neither class", "uncertain": "uncertain"}
_HATCHES = ("", "////", "....", "xxxx")


def render(results: Results) -> Section:
    """Describe the data, without any model.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    blocks: list[Block] = [paragraph(_text(results)), _counts(results)]
    notes = [str(one) for one in results.run.get("data", {}).get("notes", [])]
    if notes:
        blocks.append(Bullets(tuple((one,) for one in notes)))
    blocks += _excluded(results)
    blocks.append(_shape_figure(results))
    if not results.intensity.empty:
        blocks.append(_intensity_figure(results))
    blocks += _example_images(results)
    return Section("Dataset", tuple(blocks))


def _excluded(results: Results) -> list[Block]:
    """List the values of the label for which most rows were left out."""
    table = results.table("excluded")
    if table.empty:
        return []
    shown = table.sort_values("images", ascending=False, kind="stable").head(_EXCLUDED)
    rest = table.drop(shown.index)
    columns = (shown[name].tolist() for name in ("reason", "label_value", "images"))
    lines = [
        (Cell(_REASONS.get(reason, reason)), Cell(value or "blank"), Cell(thousands(images)))
        for reason, value, images in zip(*columns, strict=True)
    ]
    if len(rest):
        label = f"{thousands(len(rest))} other values"
        lines.append((Cell("any"), Cell(label), Cell(thousands(int(rest["images"].sum())))))
    return [
        Table(
            name="data-excluded",
            caption="Images of the table that were left out for their label; all values are in "
            "excluded.csv.",
            header=("Reason", "Value of the label", "Images"),
            rows=tuple(lines),
            labels=2,
            words=True,
        )
    ]


def _text(results: Results) -> str:
    table = results.manifest
    per_patient = table.groupby("group").size()
    several = int(per_patient[table["group"]].gt(1).sum())
    sizes = table[["width", "height"]].drop_duplicates()
    if len(sizes) == 1:
        width, height = sizes.iloc[0]
        size = f"All images are {width} × {height} pixels in the original files."
    else:
        size = (
            f"Images are {table['width'].min()}–{table['width'].max()} pixels wide and "
            f"{table['height'].min()}–{table['height'].max()} pixels high in the original files."
        )
    frames = int((table["frames"] > 1).sum()) if "frames" in table else 0
    more = f" Of {thousands(frames)} files with several frames, the first was read." * bool(frames)
    return (
        f"{thousands(len(table))} images of {thousands(len(per_patient))} patients. "
        f"{thousands(several)} images are from patients with more than one image; the largest "
        f"number per patient is {per_patient.max() if len(per_patient) else 0}. {size}{more}"
    )


def _lines(names: list[str]) -> dict[str, tuple[str, Dash | str]]:
    """Colour and dash of each class."""
    if len(names) == 2:
        return {names[0]: (NEGATIVE_COLOUR, "-"), names[1]: (POSITIVE_COLOUR, "--")}
    return {name: (look.colour, look.dash) for name, look in looks(names).items()}


def _kinds(results: Results) -> dict[str, pd.Series]:
    """Rows of each class and of each subtype of a class."""
    manifest, names = results.manifest, classes(results)
    kinds = {name: manifest["class"] == name for name in names}
    for (name, subtype), _ in manifest.groupby(["class", "subtype"], sort=True):
        if subtype not in ("", *names):
            of_both = (manifest["class"] == name) & (manifest["subtype"] == subtype)
            kinds[f"{name}, {subtype}"] = of_both
    return kinds


def _counts(results: Results) -> Table:
    manifest, kinds = results.manifest, _kinds(results)
    kinds["All"] = pd.Series(True, index=manifest.index)
    lines = []
    for name, chosen in kinds.items():
        cells = [Cell(name)]
        for split in (*_SPLITS, None):
            part = manifest[chosen if split is None else chosen & (manifest["split"] == split)]
            cells += [Cell(thousands(len(part))), Cell(thousands(part["group"].nunique()))]
        lines.append(tuple(cells))
    return Table(
        name="data-counts",
        caption="Images and patients by class and split.",
        header=("Class", *(("Images", "Patients") * 4)),
        groups=(Group("", 1), *(Group(n.capitalize(), 2, n) for n in (*_SPLITS, "all"))),
        rows=tuple(lines),
        breaks=(len(lines) - 1,),
    )


def _shape_figure(results: Results) -> Figure:
    table, names = results.manifest, classes(results)
    one_size = len(table[["width", "height"]].drop_duplicates()) == 1
    aspect = table.assign(aspect=table["width"] / table["height"])

    def paint(figure: MplFigure) -> None:
        if one_size:
            _patients(figure.subplots(1, 1), table, names)
            return
        left, middle, right = figure.subplots(1, 3)
        _patients(left, table, names)
        _steps(middle, aspect, names, "width", "Width in pixels")
        _steps(right, aspect, names, "aspect", "Width / height")

    alt = "Images per patient by class" + ("." if one_size else ", image widths and aspect ratios.")
    return Figure(
        name="data-shape",
        caption=(
            "Images per patient by class (logarithmic scale)"
            + ("." if one_size else "; widths and aspect ratios of the original files. If these "
               "differ between classes, a method could separate the classes without the lungs.")
        ),
        alt=alt,
        svg=draw("data-shape", (5.2 if one_size else 9.2, 2.9), paint, alt, is_synthetic(results)),
    )  # fmt: skip


def _patients(axes: Axes, table: pd.DataFrame, classes_: list[str]) -> None:
    lines = _lines(classes_)
    width = 0.8 / len(lines)
    for k, (name, (colour, _)) in enumerate(lines.items()):
        shift = (k - (len(lines) - 1) / 2) * width
        own = table[table["class"] == name].groupby("group").size().clip(upper=_MANY)
        counts = own.value_counts().sort_index()
        axes.bar(counts.index + shift, counts.to_numpy(), width=width, color=colour,
                 label=printable(name), hatch=_HATCHES[k % len(_HATCHES)], edgecolor="white",
                 linewidth=0)  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylim(bottom=0.7)
    most = max(3, min(_MANY, int(table.groupby("group").size().max())))
    names = [f"{k}+" if k == _MANY else str(k) for k in range(1, most + 1)]
    axes.set_xticks(range(1, most + 1), names)
    frame(axes, "Patients by number of images", "Images per patient", "Patients", grid="y")
    axes.legend()


def _steps(axes: Axes, table: pd.DataFrame, names: list[str], column: str, title: str) -> None:
    import numpy as np

    edges = np.linspace(table[column].min(), table[column].max() + 1e-9, 31)
    for name, (colour, dash) in _lines(names).items():
        values = table[table["class"] == name][column]
        axes.hist(
            values,
            bins=edges.tolist(),
            density=True,
            histtype="step",
            linewidth=1.6,
            color=colour,
            linestyle=dash,
        )
    axes.set_yticks([])
    frame(axes, title, "", "Density", grid="x")


def _intensity_figure(results: Results) -> Figure:
    table = results.intensity
    shown = [split for split in _SPLITS if (table["split"] == split).any()]

    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
        # Pure black and white are borders and burned-in letters; they would flatten the rest.
        inner = table[table["value"].between(1, 254)]
        top = float(inner["fraction"].max()) if len(inner) else 1.0
        for place, split in zip(places, shown, strict=True):
            for name, (colour, dash) in _lines(classes(results)).items():
                own = table[(table["split"] == split) & (table["class"] == name)]
                place.plot(own["value"], own["fraction"], color=colour, label=printable(name),
                           linestyle=dash, linewidth=1.3)  # fmt: skip
            place.set(xlim=(0, 255), ylim=(0, 1.08 * top))
            frame(place, split.capitalize(), "Grey value")
        places[0].set_ylabel("Fraction of pixels")
        places[-1].legend()

    alt = "Histograms of grey values by class, one panel per split."
    return Figure(
        name="data-intensity",
        caption=(
            "Histograms of the grey values of all pixels as read, by class and split. The peaks at "
            "0 and 255 are cut off."
        ),
        alt=alt,
        svg=draw("data-intensity", (9.2, 2.7), paint, alt, is_synthetic(results)),
    )


def _example_images(results: Results) -> list[Block]:
    folder = results.folder / IMAGES
    blocks: list[Block] = []
    names = classes(results)
    means = [(mean_name(name), f"Mean of {name}") for name in names]
    if len(names) == 2:
        means.append(("difference.png", f"{names[1]} − {names[0]}"))
    shown = [Picture(data, label) for name, label in means
             if (data := read_png(results.folder, name)) is not None]  # fmt: skip
    if shown:
        text = (
            f"Mean training image of each class, and their difference: red where {names[1]} images "
            "are brighter, blue where they are darker; full colour at 50 grey levels."
            if len(names) == 2
            else "Mean training image of each class."
        )
        blocks.append(Pictures(text, tuple(shown)))
    files = [(mean_name(name, prepared=True), f"Mean of {name}, preprocessed") for name in names]
    prepared = [Picture(data, label) for file, label in files
                if (data := read_png(results.folder, file)) is not None]  # fmt: skip
    if prepared:
        text = "Mean training image of each class after preprocessing, as the models receive it."
        blocks.append(Pictures(text, tuple(prepared)))
    samples = []
    kinds = results.manifest[["class", "subtype"]].drop_duplicates().itertuples(index=False)
    shown_as = {
        sample_key(subtype or name): f"{name}, {subtype}" if subtype else name
        for name, subtype in kinds
    }
    for path in sorted(folder.glob("sample_*.png")):
        match = re.fullmatch(r"sample_(.+)_(\d+)\.png", path.name)
        if match and (data := read_png(results.folder, path.name)) is not None:
            samples.append(Picture(data, shown_as.get(match[1], match[1])))
    if samples:
        text = "Random training images of each class, one per patient, with a fixed seed."
        blocks.append(Pictures(text, tuple(samples)))
    return blocks
