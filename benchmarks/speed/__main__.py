"""Time the program on phantoms against other libraries, and print one table per section."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click
import cv2
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.io.tables import write_csv
from benchmarks.speed import SECTIONS
from benchmarks.speed.timing import Options
from features import FEATURES, HANDCRAFTED
from features.compiled import warm_up


def chosen(only: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the sections and families that ``--only`` selects.

    Parameters
    ----------
    only : str
        Names separated by commas; a family without a section selects the section ``families``.

    Returns
    -------
    sections : list of str
    families : tuple of str

    Raises
    ------
    click.BadParameter
        If a name is unknown.

    Examples
    --------
    >>> chosen("hog")
    (['families'], ('hog',))
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = [*SECTIONS, *HANDCRAFTED]
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(
            f"got {', '.join(unknown)}, but expected some of {', '.join(known)}.",
            param_hint="--only",
        )
    sections = [name for name in SECTIONS if name in names]
    families = tuple(name for name in HANDCRAFTED if name in names)
    if not names:
        sections = list(SECTIONS)
    return sections or ["families"], families or HANDCRAFTED


@click.command()
@click.option("--size", default=224, show_default=True, help="Side of the phantoms in pixels.")
@click.option("--images", default=8, show_default=True, help="Phantoms per round.")
@click.option("--repetitions", default=15, show_default=True, help="Rounds.")
@click.option("--only", default="", help="Sections or families, separated by commas. [all]")
@click.option("--weights", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="File of MobileNetV2's weights [random].")  # fmt: skip
@click.option("--quick", is_flag=True, help="Smallest sizes, one round, to test the program.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/speed"),
    show_default=True,
    help="Folder for speed.csv and figures.",
)
def main(
    size: int, images: int, repetitions: int, only: str, weights: Path | None, quick: bool,
    out: Path,
) -> None:  # fmt: skip
    """Time features, reading, store and networks on phantoms, all in one process.

    Times are medians in milliseconds per image: processor time on one thread, wall time on two.
    Other programs affect only wall times, and ratios less than times.
    """
    sections, families = chosen(only)
    out.mkdir(parents=True, exist_ok=True)
    numbers = (64, 2, 1) if quick else (size, images, repetitions)
    options = Options(out, *numbers, quick=quick, families=families, weights=weights)
    cv2.setNumThreads(1)
    tables = []
    with threadpool_limits(limits=1):
        warm_up([FEATURES[family]() for family in families], (size, size), _report_compilation)
        for name in sections:
            table = SECTIONS[name](options)
            click.echo(f"\n{name}\n\n{table.to_markdown(index=False, floatfmt='.4g')}", color=False)
            tables.append(table.assign(section=name))
    if "families" in sections and not find_spec("mahotas"):
        click.echo("\nmahotas is not installed and was skipped: pip install mahotas")
    table = pd.concat(tables, ignore_index=True)
    table = table[["section", *table.columns.drop("section")]]
    write_csv(out / "speed.csv", table)
    click.echo(f"\n{out / 'speed.csv'}")


def _report_compilation() -> None:
    click.echo("Compiling the kernels (first use, about 10 seconds) …", err=True)


if __name__ == "__main__":
    main()
