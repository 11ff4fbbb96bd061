"""RunConfig: all settings of a run, validated once and frozen."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from benchmarks.errors import UserError
from benchmarks.option_values import (
    TABLE_KEYS,
    hint,
    joined,
    key_and_column,
    layer_numbers,
    names_and_files,
    one_of,
    quoted_names,
    weight_files,
)
from features import DEFAULT_FEATURE_SETS, all_feature_sets
from features.backbone import DEFAULT_BACKBONE
from features.pooling import POOLINGS
from features.preprocessing import PREPROCESSING
from features.weights import WeightFiles
from models import MODELS, declaration
from models.balance import BALANCES
from models.combinations import COMBINATIONS

_NAME = re.compile(r"[A-Za-z0-9_.-]+")  # of an external model or set
_SET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")  # of features from a table
_CELLS = ("pixels", "combined", "external")  # of cells that are on no feature set
_SEEDS = 2**32
# Settings that say how data are read; not all apply to all data.
READING = (
    "images", "columns", "label", "positive", "negative", "uncertain", "test_fraction", "split",
    "patient_pattern", "where", "keep_laterals", "class_names",
)  # fmt: skip


class ConfigError(UserError, ValueError):
    """A setting can't be used; the message names the key, the choices and the remedy."""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_models() -> tuple[str, ...]:
    """Names of the models that a run without ``--models`` fits."""
    return tuple(name for name in MODELS if declaration(name).in_default_run)


class RunConfig(BaseModel):
    """Settings of one run; the field names are the command-line options with ``_`` for ``-``.

    Attributes
    ----------
    data : str
        ``phantoms``, ``pneumoniamnist``, ``chestmnist``, a folder, a table, an ``.npz`` file, or a
        published data set as ``NAME:FOLDER``.
    images : Path or None
        Folder of the images that a table names; None: the folder of the table.
    columns : tuple of (str, str)
        What a column of a table means (image, label, patient, split, subtype, view, site, sex or
        age), and its name there.
    label : tuple of str
        Name of the column of labels, the same as ``label`` in ``columns``; or of several, each for
        a benchmark of its own. One text with commas is a name or several, as the data have it; see
        :func:`benchmarks.datasets.labels_of`.
    positive, negative : tuple of str
        Class names, or values of the label, that mean disease and no disease.
    class_names : tuple of str
        Names of the negative and the positive class of a table or an ``.npz`` file, or of all its
        classes: of a table in the order of their own names, of an ``.npz`` file in that of labels.
    uncertain : str
        What becomes of a blank label or −1: ``drop``, ``positive`` or ``negative``.
    test_fraction : float or None
        Fraction of the images to draw as test split, by patient, if the data have none.
    split : Path or None
        List of test images or patients, or a table of images or patients and their split.
    patient_pattern : str or None
        Regular expression that finds the patient in the path of an image.
    where : str or None
        Condition on the columns of a table; other rows are left out.
    keep_laterals : bool
        Whether lateral views are kept, as a table's column of views or a DICOM header tells them.
    out : Path or None
        Run folder; ``runs/<data>-<time>`` if None.
    features_from : tuple of (str, Path)
        Name and table of each feature set from elsewhere: ``.npz``, ``.csv`` or ``.parquet``.
    features, models : tuple of str
        Names of feature sets, or of several joined by ``+``, and of ``MODELS``. By default, the
        feature sets are ``DEFAULT_FEATURE_SETS`` and those of ``features_from``.
    backbone : str
        timm network for embeddings and the CNN, or names separated by commas: the embeddings use
        all of them, the CNN the first.
    weights : Path, tuple of (str, Path), or None
        File or folder of its ImageNet weights, or name and file of networks; None: a package,
        timm's cache or a download.
    pooling : str
        Pooling of the embeddings; one of ``POOLINGS``.
    layers : tuple of int or None
        Layers of the networks whose pooled features are the embeddings, numbered as in timm; None:
        the last features alone.
    image_size : int or None
        Side in pixels; None: the data set's own, see :func:`benchmarks.datasets.image_size`.
    crop : float
        Central fraction of each side that is kept, 0.5 to 1.
    contrast : bool
        Whether each image's 1st to 99th percentile is stretched to the full range.
    preprocess : tuple of str
        Keys of ``PREPROCESSING``, in their order; none if empty.
    fix_polarity : bool
        Whether images of reversed polarity are inverted before all else.
    augment : int
        Changed copies of each training image that classifiers are fitted on, too.
    views : int
        Views of a scored image whose scores are averaged, counting the image itself.
    balance : str
        Key of ``BALANCES``.
    combine : tuple of str
        Keys of ``COMBINATIONS``: combinations of the classifiers on features; none if empty.
    seeds : tuple of int
    jobs : int
        Number of processes; never changes a result.
    limit : int or None
        Approximate number of images to use; None: all.
    max_unreadable : float
        Largest fraction of images that may be unreadable.
    tune : bool
        Whether hyperparameters are searched on training images.
    epochs : int or None
        Maximum number of epochs of the CNN; None: depends on how it is initialised.
    batch_size : int
        Batch size of the CNN.
    use_cache : bool
        Whether the feature store is used; never changes a result.
    cache : Path or None
        Folder of the feature store; None: the user's cache folder.
    save_models : bool
        Whether fitted models are saved in the run folder.
    task : str
        ``binary`` (the positive against the negative class; ``pneumonia`` in earlier versions) or
        ``subtype`` (all classes of the data).
    folds : int
        Number of folds of the cross-validation on training patients; 0: none.
    cv_cnn : bool
        Whether the CNN is cross-validated, too.
    study : tuple of str
        Keys of ``STUDIES``, or ``none``; checked by ``benchmarks.studies.stage``.
    full : bool
        Whether to make all studies and cross-validate the CNN.
    external : tuple of (str, Path)
        Name and CSV file (image, score) of each external model.
    test_data : tuple of (str, str)
        Name and ``data`` of each further data set that the fitted cells score.
    allow_leakage : bool
        Whether a run continues, and says so on every page, if the audit finds leakage.
    quiet : bool
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = Field(default="phantoms", min_length=1)
    images: Path | None = None
    columns: tuple[tuple[str, str], ...] = ()
    label: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    uncertain: Literal["drop", "positive", "negative"] = "drop"
    test_fraction: float | None = Field(default=None, ge=0.01, le=0.9)
    split: Path | None = None
    patient_pattern: str | None = Field(default=None, min_length=1)
    where: str | None = Field(default=None, min_length=1, max_length=1000)
    keep_laterals: bool = False
    out: Path | None = None
    features_from: tuple[tuple[str, Path], ...] = ()
    features: tuple[str, ...] = DEFAULT_FEATURE_SETS
    models: tuple[str, ...] = Field(default_factory=default_models)
    backbone: str = Field(default=DEFAULT_BACKBONE, min_length=1)
    weights: WeightFiles = None
    pooling: str = "network"
    layers: tuple[int, ...] | None = None
    image_size: int | None = Field(default=None, ge=28, le=2048)
    crop: float = Field(default=1.0, ge=0.5, le=1.0)
    contrast: bool = True
    preprocess: tuple[str, ...] = ()
    fix_polarity: bool = False
    augment: int = Field(default=0, ge=0, le=20)
    views: int = Field(default=1, ge=1, le=20)
    balance: str = "smote"
    combine: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    jobs: int = Field(default_factory=_cores, ge=1, le=1024)
    limit: int | None = Field(default=None, ge=50, le=10**9)
    max_unreadable: float = Field(default=0.01, ge=0.0, le=1.0)
    tune: bool = False
    epochs: int | None = Field(default=None, ge=1, le=100_000)
    batch_size: int = Field(default=32, ge=2, le=65_536)
    use_cache: bool = True
    cache: Path | None = None
    save_models: bool = True
    task: Literal["binary", "subtype"] = "binary"
    folds: int = Field(default=5, ge=0, le=20)
    cv_cnn: bool = False
    study: tuple[str, ...] = ("shortcuts", "importance")
    full: bool = False
    external: tuple[tuple[str, Path], ...] = ()
    test_data: tuple[tuple[str, str], ...] = ()
    allow_leakage: bool = False
    quiet: bool = False

    @model_validator(mode="before")
    @classmethod
    def _with_given_features(cls, data: Any) -> Any:
        """Add the feature sets of ``features_from`` to those of the default."""
        if not isinstance(data, dict) or not data.get("features_from") or "features" in data:
            return data
        try:
            names = [name for name, _ in names_and_files(data["features_from"])]
        except ValueError:  # the field's own validation says what is wrong
            return data
        return {**data, "features": (*DEFAULT_FEATURE_SETS, *names)}

    @field_validator("features", "models", "seeds", "study", "preprocess", "combine", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return (value,) if isinstance(value, int) else value

    @field_validator("label", mode="before")
    @classmethod
    def _name_or_names(cls, value: Any) -> Any:
        """Keep a text with commas: only the data tell whether it is the name of one column."""
        if not isinstance(value, str) or len(quoted_names(value)) > 1:
            return tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)
        return tuple(quoted_names(value))

    @field_validator("positive", "negative", "class_names", mode="before")
    @classmethod
    def _split_quoted(cls, value: Any) -> Any:
        """Split at commas; a value that contains one is put in double quotes."""
        if isinstance(value, (list, tuple)):
            return tuple(str(one) for one in value)
        return tuple(quoted_names(value)) if isinstance(value, str) else (str(value),)

    @field_validator("columns", mode="before")
    @classmethod
    def _split_columns(cls, value: Any) -> Any:
        """Split ``image=Path,patient=Patient ID``; a TOML table has the same pairs."""
        if isinstance(value, dict):
            return tuple(value.items())
        pairs = quoted_names(value) if isinstance(value, str) else value
        return tuple(key_and_column(one) if isinstance(one, str) else one for one in pairs)

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, value: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        keys = [one_of(key, list(TABLE_KEYS)) for key, _ in value]
        if len(set(keys)) != len(keys):
            raise ValueError("expected every key once")
        return value

    @field_validator("label")
    @classmethod
    def _each_label_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("expected every label once")
        return value

    @field_validator("class_names")
    @classmethod
    def _names_of_classes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) == 1 or len(set(value)) != len(value):
            raise ValueError("expected at least two names, and none twice")
        return value

    @field_validator("patient_pattern")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"expected a regular expression: {error}") from error
        return value

    @field_validator("task", mode="before")
    @classmethod
    def _earlier_name(cls, value: Any) -> Any:
        return "binary" if value == "pneumonia" else value

    @field_validator("weights", mode="before")
    @classmethod
    def _split_files(cls, value: Any) -> Any:
        return weight_files(value)

    @field_validator("backbone")
    @classmethod
    def _networks_differ(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        if "" in names or len(set(names)) != len(names):
            raise ValueError("expected names of networks, separated by commas, and none twice")
        return ",".join(names)

    @property
    def backbones(self) -> tuple[str, ...]:
        """Names of the networks; the CNN is the first."""
        return tuple(self.backbone.split(","))

    @field_validator("layers", mode="before")
    @classmethod
    def _numbers_of_layers(cls, value: Any) -> Any:
        return None if value is None else layer_numbers(value)

    @field_validator("external", "features_from", "test_data", mode="before")
    @classmethod
    def _split_names(cls, value: Any, info: ValidationInfo) -> Any:
        return names_and_files(value, "data" if info.field_name == "test_data" else "file")

    @field_validator("image_size", "folds", "crop", "augment", "views", "seeds", "jobs",
                     "limit", "max_unreadable", "test_fraction", "epochs", "batch_size",
                     mode="before")  # fmt: skip
    @classmethod
    def _no_booleans(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("expected a number")
        return value

    @field_validator("features", "models", "seeds")
    @classmethod
    def _no_duplicates(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected at least one entry, and none twice")
        return value

    @field_validator("external", "test_data")
    @classmethod
    def _names_differ(cls, value: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
        names = [name for name, _ in value]
        if len(set(names)) != len(names):
            raise ValueError("expected every name once")
        for name in names:
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"got the name {name!r}, but expected letters, digits, - _ and . only"
                )
        return value

    @field_validator("features_from")
    @classmethod
    def _new_feature_sets(cls, value: tuple[tuple[str, Path], ...]) -> tuple[tuple[str, Path], ...]:
        known = {name.lower() for name in (*all_feature_sets(), *_CELLS)}
        for name, _ in value:
            if not _SET_NAME.fullmatch(name) or name.lower() in known:
                raise ValueError(
                    f"got the name {name!r}, but expected a letter, then letters, digits, _ and - "
                    f"only, and none of {', '.join((*all_feature_sets(), *_CELLS))}"
                )
            known.add(name.lower())
        return value

    @field_validator("folds")
    @classmethod
    def _more_than_one_fold(cls, value: int) -> int:
        if value == 1:
            raise ValueError("expected at least 2 folds, or 0 for no cross-validation")
        return value

    @field_validator("study")
    @classmethod
    def _none_or_studies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "none" in value and len(value) > 1:
            raise ValueError("expected none, or names of studies without none")
        return tuple(dict.fromkeys(value))

    @field_validator("features")
    @classmethod
    def _known_features(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        given = [name for name, _ in info.data.get("features_from", ())]
        named = {part.strip() for name in value for part in name.split("+")}
        if unused := [name for name in given if name not in named]:
            raise ValueError(
                f"--features-from names {', '.join(unused)}; expected it among the feature sets. "
                "Add it to --features, or leave --features out"
            )
        known = [*all_feature_sets(), *given]
        names = tuple(joined(name, known) for name in value)
        if len({frozenset(name.split("+")) for name in names}) < len(names):
            raise ValueError("expected no feature set twice, also not joined in another order")
        return names

    @field_validator("preprocess")
    @classmethod
    def _known_steps(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("none",):
            return ()
        if "none" in value or len(set(value)) != len(value):
            raise ValueError("expected each step once, or none alone")
        return tuple(one_of(name, list(PREPROCESSING)) for name in value)

    @field_validator("combine")
    @classmethod
    def _known_combinations(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("none",):
            return ()
        if "none" in value or len(set(value)) != len(value):
            raise ValueError("expected each combination once, or none alone")
        return tuple(one_of(name, list(COMBINATIONS)) for name in value)

    @field_validator("models")
    @classmethod
    def _known_models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one_of(name, list(MODELS)) for name in value)

    @field_validator("balance")
    @classmethod
    def _known_balance(cls, value: str) -> str:
        return one_of(value, list(BALANCES))

    @field_validator("pooling")
    @classmethod
    def _known_pooling(cls, value: str) -> str:
        return one_of(value, list(POOLINGS))

    @field_validator("seeds")
    @classmethod
    def _seeds_in_range(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value) < 0 or max(value) >= _SEEDS:
            raise ValueError(f"expected integers from 0 to {_SEEDS - 1}")
        return value


def check_weight_names(config: RunConfig) -> None:
    """Check that each file of weights is for one of the run's networks.

    Parameters
    ----------
    config : RunConfig

    Raises
    ------
    ConfigError
        If a name is none of the networks or is given twice, or several networks have one file.
    """
    if config.weights is None:
        return
    if not isinstance(config.weights, tuple):
        if len(config.backbones) > 1:
            raise ConfigError(
                f"--weights: got one file for the networks {config.backbone}, but expected "
                "name=file[,name=file]."
            )
        return
    names = [name for name, _ in config.weights]
    if len(set(names)) != len(names) or not set(names) <= set(config.backbones):
        raise ConfigError(
            f"--weights: got files for {', '.join(names)}, but expected at most one for each of "
            f"the networks of --backbone ({', '.join(config.backbones)}). Write ./ before the name "
            "of a file that contains =."
        )


def load_config(
    options: dict[str, Any], file: Path | None = None, stored: dict[str, Any] | None = None
) -> RunConfig:
    """Merge a TOML file and command-line options into a RunConfig.

    Parameters
    ----------
    options : dict
        What was given on the command line; it overrides the file. Keys with ``_`` or ``-``.
    file : Path or None
        TOML with the same names at top level.
    stored : dict, optional
        Settings of an earlier run, which the others override. The files that they name may have
        moved, and are not looked for.

    Returns
    -------
    RunConfig

    Raises
    ------
    ConfigError
        If a key is unknown or a value is invalid; the message names all of them.
    """
    given = {**(_read_toml(file) if file else {}), **_underscored(options)}
    merged = {**(stored or {}), **given}
    unknown = sorted(set(merged) - set(RunConfig.model_fields))
    if unknown:
        keys = [name.replace("_", "-") for name in RunConfig.model_fields]
        hints = [f"{key.replace('_', '-')}{hint(key.replace('_', '-'), keys)}" for key in unknown]
        raise ConfigError(f"{file}: unknown key {', '.join(hints)}. Keys: {', '.join(keys)}.")
    try:
        config = RunConfig(**merged)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item) for item in error.errors())) from error
    _check_files(config, given)
    return config


def _check_files(config: RunConfig, given: Collection[str]) -> None:
    """Check that the files of the given options exist, and belong to networks of the run."""
    check_weight_names(config)
    named = config.weights if isinstance(config.weights, tuple) else (("", config.weights),)
    for _, path in named if "weights" in given else ():
        if path is not None and not path.is_file() and not path.is_dir():
            raise ConfigError(
                f"--weights: got {path}: expected an existing .safetensors or checkpoint file, or "
                "a folder with model.safetensors or pytorch_model.bin"
            )
    if config.images is not None and "images" in given and not config.images.is_dir():
        raise ConfigError(f"--images: got {config.images}: expected an existing folder")
    if config.split is not None and "split" in given and not config.split.is_file():
        raise ConfigError(
            f"--split: got {config.split}: expected an existing list of test images or patients, "
            "or a table of images or patients and their split"
        )
    for name, file in config.external if "external" in given else ():
        if not file.is_file():
            raise ConfigError(
                f"--external: got {name}={file}: expected an existing CSV file, found none"
            )
    for name, file in config.features_from if "features_from" in given else ():
        if not file.is_file():
            raise ConfigError(
                f"--features-from: got {name}={file}: expected an existing .npz, .csv or .parquet "
                "file, found none"
            )


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return _underscored(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: expected a TOML file of settings, got: {error}") from error


def _underscored(options: dict[str, Any]) -> dict[str, Any]:
    result = {key.replace("-", "_"): value for key, value in options.items()}
    if len(result) < len(options):
        raise ConfigError(f"A key is given with - and with _, expected once: {', '.join(options)}.")
    return result


def _explain(item: Any) -> str:
    name = str(item["loc"][0]) if item["loc"] else "settings"
    message = _expected_number(name, item["type"]) or item["msg"].removeprefix("Value error, ")
    return f"--{name.replace('_', '-')}: got {item['input']!s}: {message}"


def _expected_number(name: str, problem: str) -> str:
    """Say which numbers an option takes; empty if that is not what is wrong."""
    if not problem.startswith(("int_", "float_", "greater_than", "less_than")):
        return ""
    if name == "seeds":
        return f"expected integers from 0 to {_SEEDS - 1}"
    field = RunConfig.model_fields[name]
    low = next((one.ge for one in field.metadata if hasattr(one, "ge")), None)
    high = next((one.le for one in field.metadata if hasattr(one, "le")), None)
    kind = "a number" if field.annotation in (float, float | None) else "an integer"
    return f"expected {kind} from {low} to {high}"
