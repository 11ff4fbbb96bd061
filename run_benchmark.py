"""Command line: arguments → RunConfig → benchmarks. No logic here."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

UNUSABLE = 2
FILE = click.Path(path_type=Path)


class Failure(click.ClickException):
    """An error that the user can mend: one message, exit code 2."""

    exit_code = UNUSABLE


@click.group(invoke_without_command=True, context_settings={"max_content_width": 100})
@click.option("--data", help="phantoms (default), pneumoniamnist, a folder with "
              "{train[,val],test}/{NORMAL,PNEUMONIA}, or a MedMNIST .npz file.")  # fmt: skip
@click.option("--out", type=FILE, help="Run folder [default: runs/<data>-<time>].")
@click.option("--config", "file", type=FILE, help="TOML file with the same names as keys; the "
              "command line wins.")  # fmt: skip
@click.option("--features", help="Feature sets, comma-separated; see list.")
@click.option("--models", help="Models, comma-separated; see list.")
@click.option("--backbone", help="timm network for embeddings and CNN [mobilenetv2_100].")
@click.option("--weights", type=FILE, help="File of its ImageNet weights [timm's own cache or "
              "download].")  # fmt: skip
@click.option("--image-size", help="Side in pixels [phantoms 128, else 224].")
@click.option("--crop", help="Central fraction of each side that is kept, 0.5 to 1 [1].")
@click.option("--contrast/--no-contrast", default=None, help="Stretch each image's 1st to 99th "
              "percentile to the full range [on].")  # fmt: skip
@click.option("--balance", help="smote, borderline, svmsmote, adasyn, class_weight or none "
              "[smote].")  # fmt: skip
@click.option("--seeds", help="Comma-separated [0].")
@click.option("--jobs", help="Processes for features and classifiers; never changes a number "
              "[all cores].")  # fmt: skip
@click.option("--limit", help="About so many images: whole patients, classes and splits in "
              "proportion.")  # fmt: skip
@click.option("--max-unreadable", help="Largest fraction of images that may be left out [0.01].")
@click.option("--tune", is_flag=True, default=None, help="Search hyperparameters on training "
              "patients.")  # fmt: skip
@click.option("--epochs", help="Of the CNN, at most.")
@click.option("--batch-size", help="Of the CNN [32].")
@click.option("--quiet", is_flag=True, default=None, help="Print nothing but errors.")
@click.pass_context
def main(context: click.Context, file: Path | None, **options: Any) -> None:
    """Classical machine learning against a CNN on chest radiographs: one run, one report.

    Without a command, runs the benchmark and writes a run folder. Exit codes: 0 all cells done,
    1 some cell failed (the report is written all the same), 2 unusable arguments or data.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if context.invoked_subcommand:
        if given or file:
            raise click.UsageError(f"Options go with a run, not with {context.invoked_subcommand}.")
        return
    from benchmarks.config import ConfigError, load_config
    from benchmarks.dataset import DataError
    from benchmarks.runner import run_benchmark

    command = shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]])
    try:
        context.exit(run_benchmark(load_config(given, file), command))
    except (ConfigError, DataError) as error:
        raise Failure(str(error)) from error
    except OSError as error:  # a full disk, say
        raise Failure(f"{error}. What was finished is kept.") from error


@main.command()
@click.argument("run_dir", type=FILE)
def report(run_dir: Path) -> None:
    """Render the report of RUN_DIR again from its tables alone."""
    from benchmarks.report import render_report
    from benchmarks.results import RunError

    try:
        render_report(run_dir)
    except RunError as error:
        raise Failure(str(error)) from error
    click.echo(run_dir / "report.html")


@main.command("list")
def list_choices() -> None:
    """List features, models, balancing methods and data sets, with one line each."""
    from benchmarks.listing import choices

    for title, entries in choices().items():
        click.secho(title, bold=True)
        width = max(len(name) for name in entries)
        for name, line in entries.items():
            click.echo(f"  {name:<{width}}  {line}")


if __name__ == "__main__":
    main()
