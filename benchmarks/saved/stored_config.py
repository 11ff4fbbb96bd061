"""Settings of a run, read back from its ``run.json``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from benchmarks.config import ConfigError, RunConfig, check_weight_names, load_config
from benchmarks.io.results import Results, RunError, read_run, refuse_several
from benchmarks.option_values import names_and_files, weight_files

# Options that change no number, or say where the same data and weights are now.
FREE = (
    "data", "images", "split", "weights", "external", "features_from", "test_data", "jobs", "quiet",
    "cache", "use_cache",
)  # fmt: skip
# Options that depend on the machine that made the run.
LOCAL = ("out", "weights", "cache", "jobs", "quiet")


def stored_config(
    folder: Path, given: dict[str, Any], record: dict[str, Any] | None = None
) -> RunConfig:
    """Read the settings of a run, to compute more of it.

    Parameters
    ----------
    folder : Path
        A run folder.
    given : dict
        Command-line options by field of ``RunConfig``. They replace the stored ones.
    record : dict, optional
        Record of the run; by default its ``run.json``.

    Returns
    -------
    RunConfig
        With ``folder`` as ``out``.

    Raises
    ------
    ConfigError
        If an option would change a number, or a value can't be used.
    RunError
        If the folder holds no run.
    """
    fixed = sorted(set(given) - set(FREE))
    if fixed:
        raise ConfigError(
            f"Got --resume with {', '.join('--' + name.replace('_', '-') for name in fixed)}, but "
            "a resumed run keeps its settings. Only "
            f"{', '.join('--' + name.replace('_', '-') for name in FREE[:-1])} and --no-cache may "
            "be given with --resume. For other settings start a new run."
        )
    record = read_record(folder) if record is None else record
    if "features_from" in given:
        given = {**given, "features_from": _moved_tables(record, given["features_from"])}
    return _load(record, {**given, "out": folder})


def scoring_config(run: Results, weights: Path | None, quiet: bool) -> RunConfig:
    """Read the settings of a run, to score new images with its fitted models.

    Parameters
    ----------
    run : Results
    weights : Path or None
        File of the network's weights, or ``name=file[,name=file]``; None: the recorded ones. They
        need not exist unless a network is used: their content is then compared with the run's.
    quiet : bool
        Whether progress is hidden.

    Returns
    -------
    RunConfig
        Without the run's options for its output folder, cache and processes.

    Raises
    ------
    RunError
        If ``run.json`` has no settings, or unknown ones.
    ConfigError
        If a file is for another network than the run's.
    """
    record = _checked(run.folder, run.run)
    try:
        config = _load(record, {"quiet": quiet}, without=LOCAL)
    except ConfigError as error:
        raise RunError(
            f"{run.folder / 'run.json'}: expected settings of this version, got: {error}. Use the "
            f"version that made the run: {record.get('program')}."
        ) from error
    given = weight_files(weights or record["config"].get("weights"))
    if isinstance(given, (tuple, list)):
        given = tuple((name, Path(file)) for name, file in given)
    config = config.model_copy(update={"weights": given})
    check_weight_names(config)
    return config


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json`` of a run that has read its data.

    Parameters
    ----------
    folder : Path
        A run folder.

    Returns
    -------
    dict

    Raises
    ------
    RunError
        If the folder holds no such run.
    """
    refuse_several(folder)
    if folder.is_dir() and not (folder / "run.json").exists():
        raise RunError(
            f"{folder}: found no run.json, but expected a run folder. A run that was ended before "
            "it had read its data leaves none and can't be resumed: start it again with another "
            "--out."
        )
    return _checked(folder, read_run(folder))


def require_two_classes(config: RunConfig, folder: Path, command: str) -> None:
    """Refuse a run with more than two classes.

    Parameters
    ----------
    config : RunConfig
        Settings of the run.
    folder : Path
        The run folder.
    command : str
        Name of the command that needs two classes.

    Raises
    ------
    RunError
        If the run has more than two classes.
    """
    if config.task == "subtype":
        raise RunError(
            f"{folder}: the run has more than two classes (--task subtype), but {command} works "
            "with runs of two classes. Give another run folder."
        )


def _moved_tables(record: dict[str, Any], given: Any) -> list[tuple[str, str]]:
    """Replace the paths of the tables that are given; the others stay where the run found them."""
    stored = {str(name): str(file) for name, file in record["config"].get("features_from") or []}
    try:
        moved = {str(name): str(file) for name, file in names_and_files(given)}
    except ValueError as error:
        raise ConfigError(f"--features-from: got {given}: {error}") from error
    if other := [name for name in moved if name not in stored]:
        raise ConfigError(
            f"--features-from: got {', '.join(other)}, but expected feature sets that the run read "
            f"from tables ({', '.join(stored) or 'it has none'}). For others start a new run."
        )
    return list({**stored, **moved}.items())


def _checked(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    times, data = record.get("times", {}), record.get("data", {})
    if "config" not in record or "fingerprint" not in data or "started" not in times:
        raise RunError(
            f"{folder / 'run.json'}: expected the settings and data of a run, but its config, "
            "its data.fingerprint or its times.started is missing. Start a new run."
        )
    return record


def _load(
    record: dict[str, Any], given: dict[str, Any], without: Collection[str] = ()
) -> RunConfig:
    stored = {
        key: value for key, value in record["config"].items()
        if value is not None and key not in without
    }  # fmt: skip
    return load_config(given, stored=stored)
