"""The stages of a run that make studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import splits
from benchmarks.fitting.fit import Matrix
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io import results
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.progress import say
from benchmarks.io.workers import check_interrupted
from benchmarks.option_values import one_of
from benchmarks.run.result_tables import ResultTables
from benchmarks.run.state import RunState
from benchmarks.studies import STUDIES


def selected_studies(config: RunConfig) -> tuple[str, ...]:
    """Names of the studies that a run makes, in their order.

    Parameters
    ----------
    config : RunConfig

    Returns
    -------
    tuple of str
        Empty for a task with more than two classes. Importance needs the fitted models, so it is
        left out if the run does not save them.

    Raises
    ------
    ConfigError
        If ``config.study`` has an unknown name.
    """
    try:
        for name in config.study:
            one_of(name, [*STUDIES, "none"])
    except ValueError as error:
        raise ConfigError(f"--study: {error}") from error
    if config.task == "subtype":
        return ()
    names = [name for name in STUDIES if config.full or name in config.study]
    return tuple(name for name in names if config.save_models or name != "importance")


def run_studies(
    state: RunState,
    names: Sequence[str],
    images: ImageStack,
    matrices: Mapping[str, Matrix],
    tables: ResultTables,
) -> None:
    """Make studies and write their tables; a study that fails is recorded, and the run continues.

    Parameters
    ----------
    state : RunState
    names : sequence of str
        Keys of ``STUDIES``.
    images : ImageStack of shape (n, size, size)
        Prepared images.
    matrices : dict of matrices of shape (n, d), float32
        By feature family.
    tables : ResultTables
    """
    for name in names:
        with state.stage(name):
            try:
                made = STUDIES[name].run(_context(state, images, matrices, tables))
            except Exception as error:  # as for a cell
                state.record["studies"][name] = f"failed: {type(error).__name__}: {error}"
                say(f"  {name} {state.record['studies'][name]}", quiet=False)
            else:
                for table, rows in made.items():
                    results.write_table(state.folder, table, rows)
                state.record["studies"][name] = "ok"
            state.write()
            check_interrupted()


def _context(
    state: RunState, images: ImageStack, matrices: Mapping[str, Matrix], tables: ResultTables
) -> StudyContext:
    fold = tables.fold
    if fold is None:  # a run without cross-validation
        train = tables.manifest.iloc[tables.rows.train]
        fold = splits.folds(train, RunConfig.model_fields["folds"].default)
    # In the order of the run, not of completion: selections and tables must not depend on timing.
    done = [tables.results[cell] for cell in tables.cells if cell in tables.results]
    finished = {
        result.cell.name: result for result in done
        if result.status == "ok" and result.cell.on_features
    }  # fmt: skip
    return StudyContext(
        state.config, tables.manifest, tables.rows, fold, images, matrices, finished, state.folder
    )
