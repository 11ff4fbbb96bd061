"""Data sets: one per file, each with ``load(config, size) -> Dataset``.

Besides ``load``, the module of a data set may declare:

``IMAGE_SIZE``
    Side of its images in pixels where a run sets none; 224 by default.
``reads(path)`` and ``EXPECTED``
    For a layout that a user gives by its path instead of by name: whether the module reads what is
    at ``path``, and words for the error message.
``OPTIONS``
    Those of ``benchmarks.config.READING`` that apply to it; the others are refused.
``LIMITS_ITSELF``
    True if ``load`` applies ``--limit`` itself, before it decodes files.
``columns_of(config)``
    Names of the columns that ``--label`` can name, if it can name one of several.
``list_only(config)``
    What ``load`` knows before it decodes files, as :class:`benchmarks.datasets.table.Listed`; with
    it, a test split can be drawn for several labels at once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from benchmarks.config import READING, RunConfig
from benchmarks.datasets import (
    folder,
    medmnist,
    npz,
    other_phantoms,
    phantoms,
    recipe_folder,
    table,
)
from benchmarks.datasets.dataset import DataError, Dataset, by_subtype, take
from benchmarks.datasets.splits import limit
from benchmarks.option_values import quoted_names

DATASETS: dict[str, ModuleType] = {
    "phantoms": phantoms,
    "phantoms:other": other_phantoms,
    "recipe": recipe_folder,
    "folder": folder,
    "table": table,
    "npz": npz,
    "pneumoniamnist": medmnist,
    "chestmnist": medmnist,
}
DEFAULT_SIZE = 224  # pixels


def load(config: RunConfig, size: int) -> Dataset:
    """Load what ``config.data`` names: a data set of ``DATASETS``, a folder or an ``.npz`` file.

    With ``task="subtype"``, each subtype of the positive class becomes a class of its own.

    Parameters
    ----------
    config : RunConfig
        ``data``, ``task``, ``limit``, ``max_unreadable``, ``jobs`` and ``quiet`` apply.
    size : int
        Side to which the images are resized, in pixels.

    Returns
    -------
    Dataset
        With splits as found.

    Raises
    ------
    DataError
        If there is no such data set, folder or file, it can't be used, or a setting does not apply.
    """
    module = DATASETS[kind(config.data)]
    if len(config.label) > 1:
        raise DataError(
            f"--label: got {', '.join(config.label)}, but expected one label here. Several are for "
            "a run."
        )
    _check_options(config, getattr(module, "OPTIONS", ()))
    dataset: Dataset = module.load(config, size)
    if config.task == "subtype" and len(dataset.classes) == 2:
        manifest, classes = by_subtype(dataset.manifest, dataset.classes, f"--data {config.data}")
        dataset = replace(dataset, manifest=manifest, classes=classes)
    if config.limit and not getattr(module, "LIMITS_ITSELF", False):
        return take(dataset, limit(dataset.manifest, config.limit))
    return dataset


def labels_of(config: RunConfig) -> tuple[str, ...]:
    """List the labels that a run asks for; each is a benchmark of its own.

    Parameters
    ----------
    config : RunConfig
        ``label`` applies. A text that is the name of a column is one label, whatever commas are in
        it; otherwise it is split at commas.

    Returns
    -------
    tuple of str
        Empty if none is named.

    Raises
    ------
    DataError
        If a column is missing, or a label is named twice.
    """
    if len(config.label) <= 1 and "," not in "".join(config.label):
        return config.label
    columns_of = getattr(DATASETS[kind(config.data)], "columns_of", None)
    columns = columns_of(config) if columns_of else []
    if len(config.label) == 1 and config.label[0] in columns:
        return config.label
    several = len(config.label) > 1
    labels = config.label if several else tuple(quoted_names(config.label[0]))
    known = {name.strip().casefold() for name in columns}
    wrong = [name for name in labels if columns and name.casefold() not in known]
    if wrong or len(set(labels)) != len(labels):
        names = ", ".join(map(repr, columns[:30]))
        raise DataError(
            f"--label: got {', '.join(map(repr, wrong or labels))}, but expected "
            f"{f'columns among {names}' if wrong else 'every label once'}. Correct --label."
        )
    return labels


def kind(data: str) -> str:
    """Find the key of ``DATASETS`` for a ``--data`` value.

    Parameters
    ----------
    data : str
        Name of a data set, or path of a folder or file.

    Returns
    -------
    str

    Raises
    ------
    DataError
        If there is no such data set, folder or file.

    Examples
    --------
    >>> kind("phantoms")
    'phantoms'
    """
    layouts = {name: module for name, module in DATASETS.items() if hasattr(module, "reads")}
    names = [name for name in DATASETS if name not in layouts]
    if data in names:
        return data
    path = Path(data)
    for name, module in layouts.items():
        if module.reads(path):
            return name
    found = "a file of another kind" if path.exists() else "nothing"
    choices = [*names, *(str(module.EXPECTED) for module in layouts.values())]
    raise DataError(
        f"--data {data}: found {found} there, but expected one of {', '.join(choices[:-1])}, or "
        f"{choices[-1]}."
    )


def data_folder(data: str) -> Path | None:
    """Return the folder that a ``--data`` value means.

    Parameters
    ----------
    data : str

    Returns
    -------
    Path or None
        None if the data are no folder.

    Raises
    ------
    DataError
        If there is no such data set, folder or file.

    Examples
    --------
    >>> data_folder("phantoms") is None, data_folder("nih:data").name
    (True, 'data')
    """
    module = DATASETS[kind(data)]
    if module is recipe_folder:
        return recipe_folder.folder(data)
    return Path(data) if module is folder else None


def _check_options(config: RunConfig, options: Collection[str]) -> None:
    fields = RunConfig.model_fields
    wrong = [
        name for name in READING
        if name not in options and getattr(config, name) != fields[name].default
    ]  # fmt: skip
    if wrong:
        given = ", ".join(f"--{name.replace('_', '-')}" for name in wrong)
        apply = ", ".join(f"--{name.replace('_', '-')}" for name in READING if name in options)
        raise DataError(
            f"--data {config.data}: got {given}, but expected "
            f"{f'only {apply}' if apply else 'no option that says how to read a table'}. Leave "
            f"{'it' if len(wrong) == 1 else 'them'} out."
        )


def reading_options(data: str) -> tuple[str, ...]:
    """List the settings on reading that apply to a ``--data`` value.

    Parameters
    ----------
    data : str

    Returns
    -------
    tuple of str
        Some of ``benchmarks.config.READING``.

    Raises
    ------
    DataError
        As in :func:`kind`.

    Examples
    --------
    >>> reading_options("phantoms")
    ()
    """
    return tuple(getattr(DATASETS[kind(data)], "OPTIONS", ()))


def image_size(config: RunConfig) -> int:
    """Return the side of the prepared images: the configured one, or the data set's own.

    Parameters
    ----------
    config : RunConfig
        ``image_size`` and ``data`` apply.

    Returns
    -------
    int
        In pixels.

    Examples
    --------
    >>> image_size(RunConfig(data="phantoms")), image_size(RunConfig(image_size=96))
    (128, 96)
    """
    own = getattr(DATASETS.get(config.data), "IMAGE_SIZE", DEFAULT_SIZE)
    return config.image_size or int(own)
