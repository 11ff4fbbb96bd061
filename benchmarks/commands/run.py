"""Run the benchmark: data in, run folder and report out. Finished cells are always kept."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.audit.findings import shown, stop_or_mark, summary
from benchmarks.audit.patient_groups import joined_notes, keep_together
from benchmarks.commands.report import render_report
from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import Dataset
from benchmarks.errors import UserError
from benchmarks.external_test.evaluation import score_set, tabulate_set
from benchmarks.external_test.external_set import (
    ExternalSet,
    audit_external,
    read_external,
    shared_reading,
)
from benchmarks.extraction.given_features import family_class
from benchmarks.extraction.given_tables import GivenRows, read_given
from benchmarks.extraction.given_tables import record as given_record
from benchmarks.extraction.prepare import fit_preparation, reading_size, save_preparation
from benchmarks.extraction.variants import with_variants
from benchmarks.fitting import external
from benchmarks.fitting.cell import Cell, plan
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io import results
from benchmarks.io.columns import FEATURE_COLUMNS, MORE_TABLES
from benchmarks.io.formatting import join_words
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.progress import say
from benchmarks.io.results import RunError
from benchmarks.io.workers import Interrupted, interruptible, received, stop_workers
from benchmarks.metrics.operating_points import TARGET_RECALL
from benchmarks.run import exploration, stages
from benchmarks.run.multiclass_tables import MulticlassTables
from benchmarks.run.result_tables import ResultTables
from benchmarks.run.resume import check_same
from benchmarks.run.run_folder import locked, new_folder
from benchmarks.run.state import RunState
from benchmarks.saved.finished_cells import finished_cells
from benchmarks.saved.model_files import remove_unfinished, saved_cells
from benchmarks.saved.stored_config import read_record
from benchmarks.statistics import tabulate_all
from benchmarks.studies.stage import run_studies, selected_studies
from features.backbone import (
    MissingExtra,
    WeightsError,
    WeightsUnavailable,
    check_name,
    check_weights,
    create_backbone,
    recognise,
)
from features.pooling import LayersError, PoolingError, pooled
from features.weights import file_of

MISTAKES_SHOWN = 12  # per class
ALL_DONE, SOME_FAILED = 0, 1


class StoppedError(UserError):
    """The run can't continue, as on a full disk; the message says what was kept."""


@dataclass(frozen=True)
class _Plan:
    """What a run will do: its cells, studies and stages in their order."""

    cells: list[Cell]
    studies: tuple[str, ...]
    stages: list[str]


@dataclass(frozen=True)
class _Loaded:
    """What a run reads before anything is fitted."""

    dataset: Dataset
    manifest: pd.DataFrame
    external: list[CellResult]
    given: dict[str, GivenRows] = field(default_factory=dict)
    sets: list[ExternalSet] = field(default_factory=list)


def run_benchmark(
    config: RunConfig, command: str = "", resume: bool = False, store: Path | None = None
) -> int:
    """Run every cell and write the run folder and its report.

    Parameters
    ----------
    config : RunConfig
    command : str
        The command line, for the record.
    resume : bool
        Whether to keep the finished cells of the run in ``config.out`` and compute the others.
    store : Path, optional
        Folder of a feature store to use instead of the configured one, whatever ``use_cache``.

    Returns
    -------
    int
        Exit code: 0 if every cell is done or lacks only weights or an extra, 1 if one failed, 130
        or 143 if SIGINT or SIGTERM ended the run.

    Raises
    ------
    ConfigError
        If the run folder is in use or can't be written, no network fits the settings, or the run
        can't be resumed.
    DataError
        If the data can't be used. No feature has been computed then.
    StoppedError
        If a file can't be written, as on a full disk.
    """
    if config.task == "subtype" and config.external:
        raise ConfigError(
            "--external: the scores of an external model are of two classes, but --task subtype "
            "has more. Leave one of them out."
        )
    _check_combine(config)
    _check_test_data(config)
    plan = _plan(config)
    config = _with_network(config, plan.cells)
    if resume:
        assert config.out is not None
        with locked(config.out, "--resume"):
            before = read_record(config.out)
            remove_unfinished(config.out)
            state = RunState(config, command, plan.stages, before=before, store=store)
            return _start(state, plan)
    with new_folder(config) as folder:
        config = config.model_copy(update={"out": folder})
        return _start(RunState(config, command, plan.stages, store=store), plan)


def _check_combine(config: RunConfig) -> None:
    if config.combine and config.task == "subtype":
        raise ConfigError(
            "--combine: got --task subtype, but cells are combined by their probability of "
            "the positive class, which needs --task binary. Leave one of them out."
        )
    if config.combine and not any(cell.on_features for cell in plan(config)):
        raise ConfigError(
            f"--combine: got --models {','.join(config.models)}, but expected classifiers on "
            "features to combine. Add some to --models, or leave --combine out."
        )


def _check_test_data(config: RunConfig) -> None:
    if not config.test_data:
        return
    if config.task == "subtype":
        raise ConfigError(
            "--test-data: got --task subtype, but further data sets are scored for two classes "
            "only. Leave one of them out."
        )
    if not config.save_models:
        raise ConfigError(
            "--test-data: got --no-models, but the saved models score these data. Leave one of "
            "them out."
        )
    given = {name for name, _ in config.features_from}
    if all(set(cell.families) & given for cell in plan(config)):
        raise ConfigError(
            "--test-data: got only features of tables (--features-from), which this program can't "
            "compute for these data. Use evaluate with --features-from after the run, or add "
            "feature sets or the cnn."
        )
    for _, data in config.test_data:
        datasets.kind(data)


def _start(state: RunState, plan: _Plan) -> int:
    """Run all stages; an interruption ends the run cleanly."""
    with warnings.catch_warnings(record=True) as caught, interruptible():
        warnings.simplefilter("default")
        # Harmless: joblib restarts workers that hold much memory after a large cell.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        try:
            return _run(state, plan, caught)
        except (Interrupted, Exception) as error:
            if code := received():
                stop_workers()
                _say_interrupted(state, caught)
                return code
            if isinstance(error, OSError):  # a full disk, for example
                raise StoppedError(f"The run stopped: {error}. {_kept(state.folder)}") from error
            raise


def _plan(config: RunConfig) -> _Plan:
    cells, studies = plan(config), selected_studies(config)
    learns = config.preprocess or config.fix_polarity
    names = ["data", "exploration", *(["preprocessing"] if learns else [])]
    if any(cell.on_features for cell in cells):
        names += ["features", "classifiers", *(["cross-validation"] if config.folds else [])]
        names += ["combination"] if config.combine else []
        names += studies
    if any(cell.on_images for cell in cells):
        names.append("cnn")
        if config.folds and (config.cv_cnn or config.full):
            names.append("cnn, cross-validation")
    if config.test_data:
        names.append("external test")
    if config.task != "subtype":
        names.append("statistics")
    return _Plan(cells, studies, [*names, "report"])


def _with_network(config: RunConfig, cells: Sequence[Cell]) -> RunConfig:
    """Refuse a misspelt backbone or a broken file of weights before anything is computed.

    One file of weights without ``--backbone`` names the network, if it fits only one.
    """
    families = {family for cell in cells for family in cell.families}
    networks = any(family_class(family).network for family in families)
    if not (networks or any(cell.on_images for cell in cells)):
        _say_unused(config)
        return config
    try:
        if isinstance(config.weights, Path) and "backbone" not in config.model_fields_set:
            name = recognise(config.weights)
            say(f"Note: {config.weights.name} fits --backbone {name}, which is used.", config.quiet)
            config = config.model_copy(update={"backbone": name})
        _check_networks(config, embeddings=networks)
    except (MissingExtra, WeightsUnavailable):
        pass  # the cells that need it are recorded as not run
    except WeightsError as error:
        given = "--weights" if config.weights else "--backbone"
        raise ConfigError(f"{given} {error}") from error
    except PoolingError as error:
        raise ConfigError(f"--pooling: {error}") from error
    except LayersError as error:
        raise ConfigError(f"--layers: {error}") from error
    except ValueError as error:
        raise ConfigError(f"--backbone: {error}") from error
    return config


def _check_networks(config: RunConfig, embeddings: bool) -> None:
    names = config.backbones if embeddings else config.backbones[:1]
    for name in names:
        check_name(name)
    for name in names:
        if note := check_weights(name, file_of(config.weights, name)):
            say(f"Note: weights of {name}: {note}.", config.quiet)
    if embeddings and (config.pooling != "network" or config.layers):
        for name in names:
            pooled(create_backbone(name, pretrained=False), config.pooling, config.layers)
    if not embeddings:
        unused = [f"--backbone {name}" for name in config.backbones[1:]]
        unused += _given(config, "pooling", "layers")
        if unused:
            say(f"Note: {', '.join(unused)} has no effect: this run has no embedding.",
                config.quiet)  # fmt: skip


def _say_unused(config: RunConfig) -> None:
    """Note options of networks that were given to a run without one."""
    if given := _given(config, "backbone", "weights", "pooling", "layers", "epochs", "batch_size"):
        say(f"Note: {', '.join(given)} has no effect: this run uses no network.", config.quiet)


def _given(config: RunConfig, *names: str) -> list[str]:
    """Write the options among these that differ from their defaults."""
    values = {name: getattr(config, name) for name in names}
    if config.layers and "layers" in values:
        values["layers"] = ",".join(map(str, config.layers))
    return [
        f"--{name.replace('_', '-')} {value}"
        for name, value in values.items()
        if value != RunConfig.model_fields[name].default
    ]


def _run(state: RunState, plan: _Plan, caught: list[warnings.WarningMessage]) -> int:
    loaded = _load(state)
    dataset, manifest = loaded.dataset, loaded.manifest
    with state.stage("exploration"):
        exploration.explore(dataset, manifest["split"], state.folder)
    tables = _start_tables(state, plan.cells, manifest, loaded.external)
    images = _prepare(state, dataset, manifest)
    if "features" in plan.stages:
        _fit_on_features(state, plan, images, tables, loaded.given)
    if "cnn" in plan.stages:
        stages.fit_networks(state, images, tables)
    if "cnn, cross-validation" in plan.stages:
        stages.cross_validate_networks(state, images, tables)
    _save_mistakes(state, dataset)
    sets = _test_externally(state, loaded.sets, dataset) if loaded.sets else []
    if "statistics" in plan.stages:
        with state.stage("statistics"):
            tabulate_all(results.read_results(state.folder))
            for one in sets:
                tabulate_set(state.folder, one.name)
    state.end("finished", caught)
    with state.stage("report"):
        render_report(state.folder)
    return _summarise(state, plan, tables)


def _prepare(state: RunState, dataset: Dataset, manifest: pd.DataFrame) -> ImageStack:
    """Fit the preprocessing steps, if any, and prepare the images."""
    config = state.config
    if not config.preprocess and not config.fix_polarity:
        return fit_preparation(dataset.images, manifest, config).applied_to(dataset.images)
    with state.stage("preprocessing"):
        preparation = fit_preparation(dataset.images, manifest, config)
        save_preparation(state.folder, preparation)
        if config.fix_polarity:
            _record_inverted(state, manifest, preparation.inverted(dataset.images))
        images = preparation.applied_to(dataset.images, config.quiet)
    exploration.explore_prepared(images, manifest, dataset.classes, state.folder)
    return images


def _record_inverted(state: RunState, manifest: pd.DataFrame, inverted: NDArray[np.bool_]) -> None:
    """Record which images ``--fix-polarity`` inverted, by name and in a note of the report."""
    own = manifest[inverted]
    counts = (own["class"] + " in " + own["split"]).value_counts().sort_index()
    where = ", ".join(f"{n:,} {name}" for name, n in counts.items())
    note = (
        f"--fix-polarity inverted {len(own):,} of {len(manifest):,} images before everything else"
        f"{f': {where}; run.json lists them' if len(own) else ''}. The same rule applies to new "
        "images."
    )
    say(f"  {note}", state.config.quiet)
    state.record["data"]["notes"].append(note)
    state.record["data"]["inverted"] = own["image"].tolist()
    state.write()


def _load(state: RunState) -> _Loaded:
    """Read, audit and split the data, read tables of others; write the manifest and the record."""
    config = state.config
    with state.stage("data"):
        dataset = datasets.load(config, reading_size(config))
        found = audit(dataset)
        dataset = found.dataset or dataset
        leakage = stop_or_mark(found, config.allow_leakage)
        group = keep_together(dataset.manifest, found.duplicates)
        joined = dataset.manifest.assign(group=group)
        split, notes = splits.assign(
            joined, allow_leakage=config.allow_leakage, classes=dataset.classes
        )
        manifest = joined.assign(split=split)
        notes += [*_notes(dataset, manifest), *results.common_data(config.split).get("notes", [])]
        given = read_given(config, manifest, if_there=bool(state.before))
        notes += [note for one in given.values() for note in one.notes] + _given_notes(config)
        from_elsewhere = given_record(config, given, state.before.get("features_from"))
        sets = [_external_set(state, name, dataset, manifest) for name, _ in config.test_data]
        state.begin(dataset, manifest, notes, leakage, from_elsewhere)
        if state.before:
            check_same(state.folder, state.before, state.record)
        external_results = external.read_all(config, manifest, _kept_external(state, manifest))
        results.write_table(state.folder, "manifest", manifest)
        _write_split(state, dataset, manifest)
        results.write_table(state.folder, "audit", found.findings)
        results.write_table(state.folder, "audit_images", found.images)
        images = shown(found)["image"].unique().tolist()
        exploration.save_thumbnails(dataset, images, state.folder)
    for note in [*dataset.notes, summary(found), *notes, *leakage]:
        say(f"  {note}", config.quiet)
    for one in sets:
        say(f"  {one.name}: {one.summary()}", config.quiet)
    state.write()
    return _Loaded(dataset, manifest, external_results, given, sets)


def _write_split(state: RunState, dataset: Dataset, manifest: pd.DataFrame) -> None:
    """Write the split that the program drew or was given, and the labels that were left out."""
    if state.config.test_fraction is not None or state.config.split is not None:
        patient = dataset.manifest["group"]
        table = manifest[["image", "split"]].assign(patient=patient)
        results.write_table(state.folder, "split", table[MORE_TABLES["split"]])
    if len(dataset.excluded):
        results.write_table(state.folder, "excluded", dataset.excluded)


def _given_notes(config: RunConfig) -> list[str]:
    """Say which settings do not reach the features of tables."""
    options = {
        "--augment": config.augment > 0, "--views": config.views > 1,
        "--preprocess": bool(config.preprocess), "--crop": config.crop < 1,
    }  # fmt: skip
    without = [option for option, used in options.items() if used]
    if not (config.features_from and without):
        return []
    names = ", ".join(name for name, _ in config.features_from)
    return [
        f"Features of {names}: they exist for the images themselves only. Their "
        f"classifiers are fitted on these and score these; {join_words(without)} "
        f"{'do' if len(without) > 1 else 'does'} not apply to them."
    ]


def _external_set(
    state: RunState, name: str, dataset: Dataset, manifest: pd.DataFrame
) -> ExternalSet:
    """Read and audit a set of ``--test-data``, before anything is fitted."""
    config = state.config
    data = dict(config.test_data)[name]
    read = read_external(config, data, shared_reading(config, data), dataset.classes)
    external = audit_external(
        name, read, manifest, dataset, patients_known=dataset.patients_known,
        allow_leakage=config.allow_leakage,
    )  # fmt: skip
    before = state.before.get("test_data", {}).get(name, {}).get("fingerprint")
    if before not in (None, external.record()["fingerprint"]):
        raise ConfigError(
            f"--resume {state.folder}: the test data {name} are not those of the run (their "
            "fingerprint differs). Give those of the run, or start a new run."
        )
    return external


def _test_externally(
    state: RunState, sets: list[ExternalSet], dataset: Dataset
) -> list[ExternalSet]:
    """Score the external sets with the saved cells; return those that were scored."""
    with state.stage("external test"):
        if not saved_cells(state.folder):
            say("  no fitted cell was saved: nothing is scored", state.config.quiet)
            return []
        for one in sets:
            score_set(state.folder, state.config, one, dataset)
            data = dict(state.config.test_data)[one.name]
            state.record["test_data"][one.name] = {
                **one.record(), "data": data, "limit": state.config.limit,
            }  # fmt: skip
            state.write()
    return sets


def _notes(dataset: Dataset, manifest: pd.DataFrame) -> list[str]:
    """Note patients that were joined, and a validation set too small to select a threshold."""
    notes = []
    if dataset.patients_known:
        notes += joined_notes(dataset.manifest["group"], manifest["group"])
    if len(dataset.classes) == 2:
        positives = int(manifest.loc[manifest["split"] == "validation", "label"].sum())
        notes += splits.threshold_notes(positives, TARGET_RECALL)
    return notes


def _kept_external(state: RunState, manifest: pd.DataFrame) -> dict[str, CellResult]:
    """Scores of external models that a resumed run has read already."""
    if not state.before:
        return {}
    cells = [external.cell_of(name) for name, _ in state.config.external]
    kept = finished_cells(state.folder, cells, SplitIndices.of_manifest(manifest))
    return {result.cell.name: result for result in kept}


def _start_tables(
    state: RunState,
    cells: list[Cell],
    manifest: pd.DataFrame,
    external_results: list[CellResult],
) -> ResultTables:
    """Make the tables of the run, with the cells that are finished already."""
    rows = SplitIndices.of_manifest(manifest, state.config.augment, state.config.views)
    folds = state.config.folds
    fold = splits.folds(manifest.iloc[rows.train], folds) if folds else None
    kind = MulticlassTables if state.config.task == "subtype" else ResultTables
    all_cells = [*cells, *(result.cell for result in external_results)]
    tables = kind(state.folder, all_cells, manifest, rows, fold)
    if state.before:
        tables.add(*finished_cells(state.folder, cells, rows, fold))
        say(f"  {len(tables.results)} of {len(cells)} cells are kept", state.config.quiet)
    else:
        tables.add()
        empty = pd.DataFrame(columns=FEATURE_COLUMNS)
        results.write_table(state.folder, "features", empty)
    for result in external_results:
        stages.keep_result(state, tables, result)
    return tables


def _fit_on_features(
    state: RunState,
    plan: _Plan,
    images: ImageStack,
    tables: ResultTables,
    given: dict[str, GivenRows],
) -> None:
    """Extract features, fit and cross-validate classifiers, run studies, as far as not yet done."""
    done = state.record["studies"]
    studies = [name for name in plan.studies if done.get(name) != "ok"]
    cells = [cell for cell in plan.cells if cell.on_features]
    if not studies:
        cells = [cell for cell in cells if not tables.complete(cell)]
    with state.scratch() as scratch:
        several = with_variants(images, tables.rows.variants)
        features = stages.extract_features(state, several, cells, scratch, given)
        stages.fit_classifiers(state, features, tables)
        if tables.fold is not None:
            stages.cross_validate(state, features, tables)
        if "combination" in plan.stages:
            stages.combine_cells(state, tables)
        run_studies(state, studies, images, features.matrices, tables)


def _save_mistakes(state: RunState, dataset: Dataset) -> None:
    """Save thumbnails of the test images that most cells misclassify."""
    tables = results.read_tables(state.folder, ("predictions", "scores"))
    wrong = exploration.hardest(tables["predictions"], tables["scores"], MISTAKES_SHOWN)
    exploration.save_thumbnails(dataset, wrong["image"].tolist(), state.folder)


def _summarise(state: RunState, plan: _Plan, tables: ResultTables) -> int:
    """Print times, failures and the path of the report; return the exit code."""
    quiet = state.config.quiet
    width = max(map(len, state.seconds))
    for name, seconds in state.seconds.items():
        say(f"  {name:<{width}} {seconds:8.1f} s", quiet)
    failed = [result for result in tables.results.values() if result.status == "failed"]
    for result in failed:
        say(f"{result.cell.name} failed: {result.reason}", quiet=False)
    say(f"Report: {state.folder / 'report.html'}", quiet)
    studied = all(status == "ok" for status in state.record["studies"].values())
    networks_crossed = "cnn, cross-validation" in plan.stages
    crossed = all(
        tables.complete(cell)
        for cell in tables.cells
        if cell.on_features or (cell.on_images and networks_crossed)
    )
    return SOME_FAILED if failed or not studied or not crossed else ALL_DONE


def _say_interrupted(state: RunState, caught: list[warnings.WarningMessage]) -> None:
    if not state.record:
        say("Interrupted before the data were read: nothing was kept.", quiet=False)
        return
    state.end("interrupted", caught)
    say(f"Interrupted: {_kept(state.folder)}", quiet=False)


def _kept(folder: Path) -> str:
    """Say what a run that stopped has left in its folder, and what to do."""
    try:
        cells = read_record(folder)["cells"]
    except RunError:
        return (
            f"No cell was finished and nothing was kept. Remove {folder} before you use it again."
        )
    done = sum(bool(details) for details in cells.values())
    words = f"{done} cells are finished and kept" if done else "no cell was finished"
    return f"{words}. To resume: python run_benchmark.py --resume {folder}"
