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
@click.option("--balance", help="smote, borderline, svmsmote, adasyn, oversample, "
              "undersample, class_weight or none [smote].")  # fmt: skip
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
@click.option("--cache", type=FILE, help="Folder of the feature store [the user's cache folder].")
@click.option("--no-cache", "use_cache", is_flag=True, flag_value=False, default=None,
              help="Compute all features; store none.")  # fmt: skip
@click.option("--no-models", "save_models", is_flag=True, flag_value=False, default=None,
              help="Keep no fitted models, and measure no importance.")  # fmt: skip
@click.option("--resume", type=FILE, help="Go on with the run in this folder: finished cells are "
              "kept, the others computed.")  # fmt: skip
@click.option("--task", help="pneumonia: against normal; subtype: all classes, normal, bacterial, "
              "viral or those of the folder [pneumonia].")  # fmt: skip
@click.option("--folds", help="Of the cross-validation on training patients; 0: none [5].")
@click.option("--cv-cnn", is_flag=True, default=None, help="Cross-validate the CNN, too.")
@click.option("--study", help="Studies besides the comparison, comma-separated, or none; see list "
              "[shortcuts,importance].")  # fmt: skip
@click.option("--full", is_flag=True, default=None, help="All studies and --cv-cnn.")
@click.option("--external", multiple=True, metavar="NAME=CSV", help="Someone else's model: a file "
              "with the columns image, score; may be given again.")  # fmt: skip
@click.option("--allow-leakage", is_flag=True, default=None, help="Go on, marked on every page, "
              "where the audit of the data would stop the run.")  # fmt: skip
@click.option("--quiet", is_flag=True, default=None, help="Print nothing but errors.")
@click.pass_context
def main(context: click.Context, file: Path | None, resume: Path | None, **options: Any) -> None:
    """Classical machine learning against a CNN on chest radiographs: one run, one report.

    Without a command, runs the benchmark and writes a run folder. Exit codes: 0 all cells done,
    1 some cell failed (the report is written all the same), 2 unusable arguments or data, 130 or
    143 interrupted (go on with --resume).
    """
    given = {key: value for key, value in options.items() if value not in (None, ())}
    if context.invoked_subcommand:
        if given or file or resume:
            raise click.UsageError(f"Options go with a run, not with {context.invoked_subcommand}.")
        return
    from benchmarks.commands.run import run_benchmark
    from benchmarks.config import ConfigError, load_config
    from benchmarks.datasets.dataset import DataError
    from benchmarks.extraction.store import StoreError
    from benchmarks.io.results import RunError
    from benchmarks.run.resume import stored_config

    command = shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]])
    try:
        if resume and file:
            raise ConfigError("--config: a run goes on with its own settings. Leave it out.")
        config = stored_config(resume, given) if resume else load_config(given, file)
        context.exit(run_benchmark(config, command, resume=resume is not None))
    except (ConfigError, DataError, RunError, StoreError) as error:
        raise Failure(str(error)) from error
    except OSError as error:  # a full disk, say
        raise Failure(f"{error}. What was finished is kept.") from error


@main.command()
@click.argument("run_dir", type=FILE)
def report(run_dir: Path) -> None:
    """Render the report of RUN_DIR again from its tables alone."""
    from benchmarks.commands.report import render_report
    from benchmarks.io.results import RunError

    try:
        render_report(run_dir)
    except RunError as error:
        raise Failure(str(error)) from error
    click.echo(run_dir / "report.html")


@main.command()
@click.option("--data", default="phantoms", help="As of a run [phantoms].")
@click.option("--out", type=FILE, help="Folder for audit.csv [runs/<data>-<time>].")
@click.option("--image-size", help="Side in pixels at which images are compared.")
@click.option("--task", help="As of a run [pneumonia].")
@click.option("--jobs", help="Processes [all cores].")
@click.option("--limit", help="About so many images.")
@click.option("--max-unreadable", help="Largest fraction of images that may be left out [0.01].")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def audit(**options: Any) -> None:
    """Look for what would spoil a benchmark of --data, and fit nothing.

    Duplicates and near duplicates, conflicting labels, patients in two splits, unreadable and empty
    images. Exit codes: 0 nothing stops a run, 1 something would, 2 unusable arguments or data.
    """
    from benchmarks.commands.audit import audit_data
    from benchmarks.config import ConfigError, load_config
    from benchmarks.datasets.dataset import DataError

    given = {key: value for key, value in options.items() if value is not None}
    try:
        code = audit_data(load_config(given))
    except (ConfigError, DataError, OSError) as error:
        raise Failure(str(error)) from error
    click.get_current_context().exit(code)


@main.command()
@click.argument("run_a", type=FILE)
@click.argument("run_b", type=FILE)
@click.option("--cells", help="Cells, comma-separated: NAME for the same in both runs, A=B for A "
              "of the first and B of the second [all that both have].")  # fmt: skip
@click.option("--out", type=FILE, help="CSV file for all tests.")
def compare(run_a: Path, run_b: Path, cells: str | None, out: Path | None) -> None:
    """Test the differences between two runs on the same test images, patient by patient."""
    from benchmarks.commands.compare import compare as compare_runs
    from benchmarks.commands.compare import readable
    from benchmarks.io.results import RunError

    wanted = [part.strip() for part in (cells or "").split(",") if part.strip()]
    try:
        table = compare_runs(run_a, run_b, wanted, out)
    except (RunError, OSError) as error:
        raise Failure(str(error)) from error
    click.echo(readable(table))


@main.command()
@click.argument("run_dir", type=FILE)
@click.argument("paths", type=FILE, nargs=-1, required=True, metavar="PATH...")
@click.option("--out", type=FILE, help="CSV file [standard output].")
@click.option("--cells", help="Cells or their beginnings, comma-separated, as hog/svm [all].")
@click.option("--weights", type=FILE, help="File of the backbone's weights, if it has moved "
              "since the run.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="Print nothing but scores, cautions and errors.")
def predict(
    run_dir: Path, paths: tuple[Path, ...], out: Path | None, cells: str | None,
    weights: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Score images, or folders of them, with the fitted cells that RUN_DIR keeps.

    Not for clinical use. Exit codes: 0 all images scored, 1 some can't be read, 2 unusable
    arguments or run folder.
    """
    from benchmarks.commands.predict import predict as score_images
    from benchmarks.config import ConfigError
    from benchmarks.io.results import RunError
    from benchmarks.saved.models import ModelFileError

    wanted = None if cells is None else [part.strip() for part in cells.split(",") if part.strip()]
    try:
        table, left_out = score_images(
            run_dir, paths, out, cells=wanted, weights=weights, quiet=quiet
        )
    except (ConfigError, ModelFileError, OSError, RunError) as error:
        raise Failure(str(error)) from error
    if out is None:
        click.echo(table.to_csv(index=False, lineterminator="\n"), nl=False)
    click.get_current_context().exit(0 if left_out.empty else 1)


@main.command()
@click.argument("run_dir", type=FILE)
@click.option("--cells", help="Cells or their beginnings, comma-separated, as hog/svm [all].")
@click.option("--refits/--no-refits", default=True, help="Fit cells again: without families, by "
              "folds, seeds and drawn patients [on].")  # fmt: skip
@click.option("--data", help="Where the run's images are, if they have moved.")
@click.option("--weights", type=FILE, help="File of the backbone's weights, if it has moved.")
@click.option("--cache", type=FILE, help="Folder of the feature store [the user's cache folder].")
@click.option("--jobs", help="Processes; never changes a number [all cores].")
@click.option("--quiet", is_flag=True, default=None, help="Print nothing but errors.")
def importance(run_dir: Path, cells: str | None, refits: bool, **options: Any) -> None:
    """Say which features matter to the fitted cells of RUN_DIR, and where on the radiograph.

    Permutation, SHAP and built-in importances of all cells, families left out, cross-validation,
    stability and redundancy; writes tables into RUN_DIR and renders its report again.
    """
    from benchmarks.commands.importance import importance as measure_importance
    from benchmarks.config import ConfigError
    from benchmarks.datasets.dataset import DataError
    from benchmarks.extraction.store import StoreError
    from benchmarks.io.results import RunError
    from benchmarks.saved.models import ModelFileError

    given = {key: value for key, value in options.items() if value is not None}
    wanted = None if cells is None else [part.strip() for part in cells.split(",") if part.strip()]
    try:
        measure_importance(run_dir, given, wanted, refits)
    except (ConfigError, DataError, ModelFileError, OSError, RunError, StoreError) as error:
        raise Failure(str(error)) from error


@main.command()
@click.argument("run_dir", type=FILE)
@click.argument("image", type=FILE)
@click.option("--cells", help="Cells or their beginnings, comma-separated [of each feature set the "
              "best on validation, and the CNN].")  # fmt: skip
@click.option("--weights", type=FILE, help="File of the backbone's weights, if it has moved "
              "since the run.")  # fmt: skip
@click.option("--data", help="The run's data, if they have moved since.")
@click.option("--cache", type=FILE, help="Folder of the feature store [the run's].")
@click.option("--out", type=FILE, help="New or empty folder [explain-<name of the image>].")
@click.option("--quiet", is_flag=True, help="Print nothing but cautions, errors and the page's "
              "name.")  # fmt: skip
def explain(
    run_dir: Path, image: Path, cells: str | None, weights: Path | None, data: str | None,
    cache: Path | None, out: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Explain why the fitted cells that RUN_DIR keeps score IMAGE as they do: a page with maps.

    Not for clinical use. Exit codes: 0 done, 2 unusable arguments, image or run folder.
    """
    from benchmarks.commands.explain import explain as explain_image
    from benchmarks.config import ConfigError
    from benchmarks.io.results import RunError
    from benchmarks.saved.models import ModelFileError

    wanted = None if cells is None else [part.strip() for part in cells.split(",") if part.strip()]
    try:
        page = explain_image(
            run_dir, image, out, cells=wanted, weights=weights, data=data, cache=cache, quiet=quiet
        )
    except (ConfigError, ModelFileError, OSError, RunError) as error:
        raise Failure(str(error)) from error
    click.echo(page)


@main.group()
@click.option("--cache", "folder", type=FILE, help="Its folder [in the user's cache folder].")
@click.pass_context
def cache(context: click.Context, folder: Path | None) -> None:
    """Look at the feature store, or empty it."""
    from benchmarks.extraction.store import default_folder

    context.obj = folder or default_folder()


@cache.command()
@click.pass_obj
def info(folder: Path) -> None:
    """Say where the feature store is and what it holds."""
    from benchmarks.commands.listing import contents
    from benchmarks.extraction.store import FeatureStore, StoreError

    try:
        with FeatureStore(folder) as store:
            click.echo(contents(store.info()))
    except StoreError as error:
        raise Failure(str(error)) from error


@cache.command()
@click.pass_obj
def clear(folder: Path) -> None:
    """Remove all rows of the feature store."""
    from benchmarks.commands.listing import contents
    from benchmarks.extraction.store import FeatureStore, StoreError

    try:
        with FeatureStore(folder) as store:
            click.echo(f"Removed: {contents(store.clear())}")
    except StoreError as error:
        raise Failure(str(error)) from error


@main.command("list")
def list_choices() -> None:
    """List features, models, balancing methods and data sets, with one line each."""
    from benchmarks.commands.listing import choices

    for title, entries in choices().items():
        click.secho(title, bold=True)
        width = max(len(name) for name in entries)
        for name, line in entries.items():
            click.echo(f"  {name:<{width}}  {line}")


if __name__ == "__main__":
    main()
