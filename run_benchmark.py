"""Command line: arguments → RunConfig → benchmarks.commands. No logic here."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.errors import OutOfMemory, UserError

FILE = click.Path(path_type=Path)


class Failure(click.ClickException):
    """An error that the user can correct: one message, exit code 2."""

    exit_code = 2


class Commands(click.Group):
    """Commands that print errors which the user can correct as one message."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; raise `Failure` in place of such an error."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise Failure(str(error)) from error
        except MemoryError as error:
            raise Failure(str(OutOfMemory(f"running {ctx.invoked_subcommand or 'run'}"))) from error
        except OSError as error:  # a full disk, for example
            raise Failure(str(error)) from error


class Names(click.ParamType):
    """Names separated by commas."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> list[str]:
        """Split a value into its names."""
        parts = value.split(",") if isinstance(value, str) else value
        return [part.strip() for part in parts if part.strip()]


CELLS = click.option("--cells", type=Names(), help="Cells to use, comma-separated: names such "
                     "as hog/svm/seed0, or their first parts such as hog/svm [all].")  # fmt: skip
WEIGHTS = click.option("--weights", type=FILE, help="File of the backbone's weights, or "
                       "name=file[,name=file], if moved since the run.")  # fmt: skip
TABLES = click.option("--features-from", multiple=True, metavar="NAME=TABLE", help="Table of the "
                      "feature set NAME with a row per image, if the run read one.")  # fmt: skip
LIMIT = click.option("--limit", help="Use about this many images: whole patients, with classes and "
                     "splits in proportion.")  # fmt: skip
MAX_UNREADABLE = click.option("--max-unreadable", help="Largest fraction of images that may be "
                              "left out because they can't be read [0.01].")  # fmt: skip
READING = (  # of any labelled data
    click.option("--images", type=FILE, help="Folder of the images that a table names [the folder "
                 "of the table]."),
    click.option("--columns", metavar="KEY=NAME,...", help="Names of a table's columns of image, "
                 "label, patient, split, subtype, view, site, sex, age, such as "
                 "image=Path,label=Pneumonia [the same names]."),
    click.option("--label", metavar="NAME,...", help="Column of labels; short for --columns "
                 "label=NAME. A run takes several: one benchmark each, on the same images."),
    click.option("--positive", metavar="NAME,...", help="Class names or values of the label that "
                 "mean disease; in values such as A|B, contained in them."),
    click.option("--negative", metavar="NAME,...", help="Those that mean no disease [known names "
                 "such as NORMAL and No Finding]."),
    click.option("--class-names", metavar="NAME,...", help="Names of the negative and the positive "
                 "class of a table or an .npz file, or with --task subtype of all classes: in the "
                 "order of their own names, or of labels from 0."),
    click.option("--uncertain", help="What becomes of a blank label or -1: drop, positive or "
                 "negative [drop]."),
    click.option("--split", type=FILE, help="List of test images or patients, or a table with the "
                 "columns image or patient, and split."),
    click.option("--patient-pattern", metavar="REGEX", help="Regular expression that finds the "
                 "patient in the path of an image."),
    click.option("--where", metavar="CONDITION", help="Use the rows of a table for which this "
                 "holds, such as \"view == 'PA' and age >= 18\"."),
    click.option("--keep-laterals", is_flag=True, default=None, help="Keep images of lateral "
                 "views (by a table's column view or the DICOM header), which are left out "
                 "otherwise."),
)  # fmt: skip
TEST_FRACTION = click.option("--test-fraction", help="Fraction of images to draw as test split, by "
                             "patient, if the data have none.")  # fmt: skip
MOVED = (
    click.option("--data", help="The run's data, if they have moved since the run."),
    click.option("--images", type=FILE, help="Folder of its images, if moved since the run."),
    click.option("--split", type=FILE, help="Its list of the split, if moved since the run."),
)


def several(options: Sequence[Any]) -> Callable[[Any], Any]:
    """Decorate a command with several options."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group(cls=Commands, invoke_without_command=True,
             context_settings={"max_content_width": 100})  # fmt: skip
@click.option("--data", help="phantoms (default), pneumoniamnist, chestmnist, a published data set "
              "as NAME:FOLDER (see the command list), a folder with "
              "{train[,val],test}/{NORMAL,PNEUMONIA}, a table of images (.csv, .tsv or .parquet), "
              "or a MedMNIST .npz file.")  # fmt: skip
@several(READING)
@TEST_FRACTION
@click.option("--out", type=FILE, help="Run folder [default: runs/<data>-<time>].")
@click.option("--config", "file", type=FILE, help="TOML file with these option names, without --, "
              "as keys; the command line takes precedence.")  # fmt: skip
@click.option("--features", help="Feature sets, comma-separated; see list. a+b has the "
              "columns of both.")  # fmt: skip
@click.option("--features-from", multiple=True, metavar="NAME=TABLE", help="Features of another "
              "program as the feature set NAME: .npz, .csv or .parquet with a row per image. Can "
              "be repeated.")  # fmt: skip
@click.option("--models", help="Classifiers and cnn, comma-separated; see list.")
@click.option("--backbone", help="timm network for embeddings and CNN, or names separated by "
              "commas: embeddings use all, the CNN the first [tf_efficientnet_lite0].")  # fmt: skip
@click.option("--weights", type=FILE, help="File of the backbone's ImageNet weights, or a folder "
              "with config.json and model.safetensors, or name=file[,name=file] [the package with "
              "the default network's; else timm's cache or a download].")  # fmt: skip
@click.option("--pooling", help="Pooling of the embeddings: avg, max, gem or cls+avg, of the last "
              "feature maps or tokens; network: by the network's head [network].")  # fmt: skip
@click.option("--layers", help="Layers of the networks whose pooled features the embeddings "
              "concatenate, such as 3,4 or -2,-1, as timm numbers them [the last features "
              "alone].")  # fmt: skip
@click.option("--image-size", help="Side in pixels [phantoms 128, otherwise 224].")
@click.option("--crop", help="Central fraction of each side that is kept, 0.5 to 1 [1].")
@click.option("--contrast/--no-contrast", default=None, help="Stretch each image's 1st to 99th "
              "percentile to the full range [on].")  # fmt: skip
@click.option("--preprocess", help="Preprocessing steps after that, comma-separated, or none; see "
              "list [none].")  # fmt: skip
@click.option("--fix-polarity", is_flag=True, default=None, help="Invert images of reversed "
              "polarity (bone is black) before all else.")  # fmt: skip
@click.option("--augment", help="Changed copies of each training image that classifiers are "
              "fitted on, too [0].")  # fmt: skip
@click.option("--views", help="Views of a scored image whose scores are averaged, counting the "
              "image itself [1].")  # fmt: skip
@click.option("--balance", help="Class balancing: smote, borderline, svmsmote, adasyn, oversample, "
              "undersample, class_weight or none [smote].")  # fmt: skip
@click.option("--combine", help="Combinations of the classifiers on features as further rows: "
              "mean, stack (comma-separated) or none [none].")  # fmt: skip
@click.option("--seeds", help="Random seeds, comma-separated [0].")
@click.option("--jobs", help="Number of processes for features and classifiers; never changes a "
              "result [all cores].")  # fmt: skip
@LIMIT
@MAX_UNREADABLE
@click.option("--tune", is_flag=True, default=None, help="Search hyperparameters on training "
              "patients.")  # fmt: skip
@click.option(
    "--epochs", help="Maximum number of epochs of the CNN [depends on its initial weights]."
)
@click.option("--batch-size", help="Batch size of the CNN [32].")
@click.option("--cache", type=FILE, help="Folder of the feature store [the user's cache folder].")
@click.option("--no-cache", "use_cache", is_flag=True, flag_value=False, default=None,
              help="Compute all features and store none.")  # fmt: skip
@click.option("--no-models", "save_models", is_flag=True, flag_value=False, default=None,
              help="Do not save fitted models; importance is then not measured.")  # fmt: skip
@click.option("--resume", type=FILE, help="Resume the run in this folder: keep its finished cells "
              "and compute the others.")  # fmt: skip
@click.option("--task", help="binary: the positive against the negative class; subtype: all "
              "classes, or the negative and the subtypes of the positive [binary].")  # fmt: skip
@click.option("--folds", help="Folds of the cross-validation on training patients; 0: none [5].")
@click.option("--cv-cnn", is_flag=True, default=None, help="Cross-validate the CNN, too.")
@click.option("--study", help="Additional studies, comma-separated, or none; see list "
              "[shortcuts,importance].")  # fmt: skip
@click.option("--full", is_flag=True, default=None, help="All studies and --cv-cnn.")
@click.option("--external", multiple=True, metavar="NAME=CSV", help="Scores of an external model: "
              "a file with the columns image and score. Can be repeated.")  # fmt: skip
@click.option("--test-data", multiple=True, metavar="NAME=DATA", help="Another labelled data set, "
              "as for --data, that the fitted cells score. Can be repeated.")  # fmt: skip
@click.option("--allow-leakage", is_flag=True, default=None, help="Run even if the audit finds "
              "leakage; every page of the report says so.")  # fmt: skip
@click.option("--quiet", is_flag=True, default=None, help="Print nothing but errors.")
@click.pass_context
def main(context: click.Context, file: Path | None, resume: Path | None, **options: Any) -> None:
    """Compare classical machine learning with a CNN on chest radiographs: one run, one report.

    Without a command, runs the benchmark and writes a run folder with report.html. Defaults are
    in brackets. A cell is one row of the benchmark: feature set, classifier and seed, such as
    hog/svm/seed0.

    Exit codes: 0 all cells done, 1 a cell failed (the report is still written), 2 unusable
    arguments or data, 130 or 143 interrupted (continue with --resume).
    """
    given = {key: value for key, value in options.items() if value not in (None, ())}
    if context.invoked_subcommand:
        if given or file or resume:
            raise click.UsageError(
                f"These options belong to a run. Give the options of {context.invoked_subcommand} "
                f"after its name; see {context.invoked_subcommand} --help."
            )
        return
    from benchmarks.commands.several_labels import resume_run, start_run
    from benchmarks.config import ConfigError, load_config

    if resume and file:
        raise ConfigError("--config: a resumed run keeps its settings. Leave --config out.")
    command = shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]])
    if resume:
        context.exit(resume_run(resume, given, command))
    context.exit(start_run(load_config(given, file), command))


@main.command()
@click.argument("run_dir", type=FILE)
def report(run_dir: Path) -> None:
    """Render the report of RUN_DIR again from its tables."""
    from benchmarks.commands.report import render_report

    render_report(run_dir)
    click.echo(run_dir / "report.html")


@main.command()
@click.option("--data", default="phantoms", help="As for a run [phantoms].")
@click.option("--out", type=FILE, help="Folder for audit.csv [runs/<data>-<time>].")
@click.option("--image-size", help="Side in pixels at which images are compared.")
@several(READING)
@TEST_FRACTION
@click.option("--task", help="As for a run [binary].")
@click.option("--jobs", help="Number of processes [all cores].")
@LIMIT
@MAX_UNREADABLE
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.pass_context
def audit(context: click.Context, **options: Any) -> None:
    """Check the data before a run; train nothing.

    Finds duplicates and near duplicates, conflicting labels, patients in two splits, and unreadable
    or empty images. Exit codes: 0 nothing would stop a run, 1 something would, 2 unusable arguments
    or data.
    """
    from benchmarks.commands.audit import audit_data
    from benchmarks.config import load_config

    given = {key: value for key, value in options.items() if value is not None}
    context.exit(audit_data(load_config(given)))


@main.command()
@click.argument("run_a", type=FILE)
@click.argument("run_b", type=FILE)
@click.option("--cells", type=Names(), default=(), help="Cells, comma-separated: NAME for the same "
              "cell in both runs, A=B for A of the first and B of the second "
              "[all that both have].")  # fmt: skip
@click.option("--out", type=FILE, help="CSV file for all tests.")
def compare(run_a: Path, run_b: Path, cells: list[str], out: Path | None) -> None:
    """Test the differences between two runs.

    Both need the same test images. Tests with Holm's correction: DeLong's and McNemar's, with
    patients and with images as the unit; bootstrap over patients for every metric.
    """
    from benchmarks.commands.compare import compare as compare_runs
    from benchmarks.commands.compare import readable

    click.echo(readable(compare_runs(run_a, run_b, cells, out)))


@main.command()
@click.argument("run_dir", type=FILE)
@click.argument("paths", type=FILE, nargs=-1, required=True, metavar="PATH...")
@click.option("--out", type=FILE, help="CSV file [standard output].")
@CELLS
@WEIGHTS
@TABLES
@click.option("--quiet", is_flag=True, help="Print nothing but scores, cautions and errors.")
@click.pass_context
def predict(
    context: click.Context, run_dir: Path, paths: tuple[Path, ...], out: Path | None,
    cells: list[str] | None, weights: Path | None, features_from: tuple[str, ...], quiet: bool,
) -> None:  # fmt: skip
    """Score new images with the models of RUN_DIR.

    PATH is an image or a folder of images. Not for clinical use. Exit codes: 0 all images scored,
    1 some can't be read, 2 unusable arguments or run folder.
    """
    from benchmarks.commands.predict import predict as score_images
    from benchmarks.io.tables import to_csv

    table, left_out = score_images(
        run_dir, paths, out, cells=cells, weights=weights, features_from=features_from, quiet=quiet
    )
    if out is None:
        click.echo(to_csv(table), nl=False)
    context.exit(0 if left_out.empty else 1)


@main.command()
@click.argument("run_dir", type=FILE)
@click.option("--data", required=True, metavar="NAME=DATA", help="A name for the data set, and the "
              "set, as for --data of a run. All its images are used.")  # fmt: skip
@click.option("--only-test", is_flag=True, help="Use only the set's own test split.")
@several(READING)
@click.option("--run-data", help="The run's own data, if they have moved since the run.")
@LIMIT
@MAX_UNREADABLE
@click.option("--allow-leakage", is_flag=True, default=None, help="Score the set even if it shares "
              "images with the run's training images; the report says so.")  # fmt: skip
@WEIGHTS
@TABLES
@click.option("--jobs", help="Number of processes; never changes a result [all cores].")
@click.option("--quiet", is_flag=True, default=None, help="Print nothing but cautions and errors.")
def evaluate(
    run_dir: Path, data: str, only_test: bool, run_data: str | None,
    features_from: tuple[str, ...], **options: Any,
) -> None:  # fmt: skip
    """Score another labelled data set with the fitted cells of RUN_DIR.

    Nothing is fitted or chosen. Writes tables external_*.csv into RUN_DIR and renders its report
    again, with the internal and the external test side by side.
    """
    from benchmarks.commands.evaluate import evaluate as evaluate_run

    given = {key: value for key, value in options.items() if value is not None}
    evaluate_run(
        run_dir, data, given, run_data=run_data, only_test=only_test, features_from=features_from
    )


@main.command()
@click.argument("run_dir", type=FILE)
@CELLS
@click.option("--refits/--no-refits", default=True, help="Fit cells again: without families, by "
              "folds, seeds and resampled patients [on].")  # fmt: skip
@several(MOVED)
@WEIGHTS
@TABLES
@click.option("--cache", type=FILE, help="Folder of the feature store [the user's cache folder].")
@click.option("--jobs", help="Number of processes; never changes a result [all cores].")
@click.option("--quiet", is_flag=True, default=None, help="Print nothing but errors.")
def importance(run_dir: Path, cells: list[str] | None, refits: bool, **options: Any) -> None:
    """Measure feature importance in RUN_DIR in detail.

    Computes permutation, SHAP and built-in importance of all cells, importance without each family
    and in cross-validation, stability and redundancy; writes tables into RUN_DIR and renders its
    report again.
    """
    from benchmarks.commands.importance import importance as measure_importance

    given = {key: value for key, value in options.items() if value not in (None, ())}
    measure_importance(run_dir, given, cells, refits)


@main.command()
@click.argument("run_dir", type=FILE)
@click.argument("image", type=FILE)
@click.option("--cells", type=Names(), help="Cells to use, as for predict [the best cell of each "
              "feature set on the validation set, and the CNN].")  # fmt: skip
@WEIGHTS
@TABLES
@several(MOVED)
@click.option("--cache", type=FILE, help="Folder of the feature store [the run's].")
@click.option("--out", type=FILE, help="New or empty folder [explain-<name of the image>].")
@click.option("--quiet", is_flag=True, help="Print nothing but cautions, errors and the path of "
              "the page.")  # fmt: skip
def explain(
    run_dir: Path, image: Path, cells: list[str] | None, weights: Path | None,
    features_from: tuple[str, ...], cache: Path | None, out: Path | None, quiet: bool,
    **moved: Any,
) -> None:  # fmt: skip
    """Explain the scores of one image.

    Writes one page with the scores that the fitted cells of RUN_DIR give to IMAGE, the features
    that matter, and maps. Not for clinical use. Exit codes: 0 done, 2 unusable arguments, image
    or run folder.
    """
    from benchmarks.commands.explain import explain as explain_image

    click.echo(
        explain_image(
            run_dir,
            image,
            out,
            cells=cells,
            weights=weights,
            features_from=features_from,
            cache=cache,
            quiet=quiet,
            moved={key: value for key, value in moved.items() if value is not None},
        )
    )


@main.group()
@click.option(
    "--cache", "folder", type=FILE, help="Folder of the store [in the user's cache folder]."
)
@click.pass_context
def cache(context: click.Context, folder: Path | None) -> None:
    """Show or empty the feature store."""
    from benchmarks.extraction.store import default_folder

    context.obj = folder or default_folder()


@cache.command()
@click.pass_obj
def info(folder: Path) -> None:
    """Show where the feature store is and what it holds."""
    from benchmarks.commands.cache import store_contents

    click.echo(store_contents(folder))


@cache.command()
@click.pass_obj
def clear(folder: Path) -> None:
    """Remove all rows of the feature store."""
    from benchmarks.commands.cache import clear_store

    click.echo(clear_store(folder))


@main.command("list")
def list_choices() -> None:
    """List feature sets, models, data sets and studies."""
    from benchmarks.commands.list import choices

    for title, entries in choices().items():
        click.secho(title, bold=True)
        width = max(len(name) for name in entries)
        for name, line in entries.items():
            click.echo(f"  {name:<{width}}  {line}")


if __name__ == "__main__":
    main()
