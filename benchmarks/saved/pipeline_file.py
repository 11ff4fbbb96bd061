"""File format of a fitted pipeline, which loads without running code: skops and XGBoost JSON."""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import InconsistentVersionWarning
from xgboost import XGBModel

from benchmarks.errors import UserError
from models import MODELS, declaration

ARCHIVE = "skops"
BOOSTER = "booster.json"
MAX_UNPACKED = 2**31  # bytes
MAX_SCHEMA = 2**26  # bytes; a random forest of 300 trees has 6 million
REMEDY = "Run the benchmark again, and load no models from people you don't trust."


class ModelFileError(UserError, ValueError):
    """A saved model is damaged, unsafe or of another kind; the message says which and why."""


def trusted_types() -> list[str]:
    """List the types that a file may hold, besides those that skops trusts by default.

    Returns
    -------
    list of str
        Full names: of the steps that every pipeline has, and of those that classifiers declare.
    """
    declared = {name for model in MODELS for name in declaration(model).trusted_types}
    return sorted({"imblearn.pipeline.Pipeline", "models.balance.Balancer"} | declared)


def refuse(file: object, found: str, expected: str) -> ModelFileError:
    """Return the error for a file that can't be loaded.

    Parameters
    ----------
    file : object
        Name of the file.
    found, expected : str
        What it holds and what was expected.

    Returns
    -------
    ModelFileError
        To be raised.
    """
    return ModelFileError(f"{file}: found {found}, but expected {expected}. {REMEDY}")


def pack(pipeline: Pipeline) -> dict[str, bytes]:
    """Convert a fitted pipeline to the contents of its files.

    Parameters
    ----------
    pipeline : imblearn.pipeline.Pipeline
        Fitted.

    Returns
    -------
    dict of bytes
        Contents by suffix: ``skops``, and ``booster.json`` with the trees if the classifier is
        XGBoost.

    Raises
    ------
    ModelFileError
        If it has a type that :func:`unpack` would refuse; see :func:`trusted_types`.
    """
    from skops.io import dumps, get_untrusted_types

    parts = {}
    classifier = pipeline.steps[-1][1]
    if isinstance(classifier, XGBModel):
        parts[BOOSTER] = bytes(classifier.get_booster().save_raw("json"))
        pipeline = _with_last(pipeline, clone(classifier))
    # Level 1 shrinks a random forest to a fourth in half a second; higher levels gain little.
    archive = dumps(pipeline, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    _check_sizes(archive, "the model")
    unknown = sorted(set(get_untrusted_types(data=archive)) - set(trusted_types()))
    if unknown:
        raise ModelFileError(
            f"A fitted pipeline holds {', '.join(unknown)}, but expected types that skops trusts "
            "or that a classifier's module declares. Add it to trusted_types there."
        )
    return {ARCHIVE: archive, **parts}


def unpack(parts: dict[str, bytes], shown: object) -> Pipeline:
    """Convert the contents of the files back to the fitted pipeline.

    Types are checked before any object is created, so the file can't run code of its choice. A
    malicious file can still hold wrong numbers or crash the process: of what the libraries don't
    check, only tree nodes that point out of their arrays are looked for.

    Parameters
    ----------
    parts : dict of bytes
        As :func:`pack` returned them.
    shown : object
        Name of the file, for error messages.

    Returns
    -------
    imblearn.pipeline.Pipeline

    Raises
    ------
    ModelFileError
        If the archive is damaged, too large when unpacked, or holds an unknown type or no pipeline.
    """
    from skops.io import loads
    from skops.io.exceptions import UntrustedTypesFoundException

    archive = parts.get(ARCHIVE, b"")
    _check_sizes(archive, shown)
    try:
        with warnings.catch_warnings():
            # The reader of the model's record compares versions and warns once.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            pipeline = loads(archive, trusted=trusted_types())
            if type(pipeline) is not Pipeline:
                raise TypeError(f"it holds a {type(pipeline).__name__}")
            _check_forest(pipeline)
            if BOOSTER in parts:
                _check_booster(parts[BOOSTER])
                pipeline.steps[-1][1].load_model(bytearray(parts[BOOSTER]))
    except UntrustedTypesFoundException as error:
        listed = str(error).splitlines()[0].partition(": ")[2].rstrip(".")
        raise refuse(shown, f"the types {listed}", "those of this program's models") from error
    except Exception as error:  # what zipfile, json, numpy or XGBoost raise on damaged bytes
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        if "allow_pickle" in reason:  # NumPy's advice would run code of the file
            reason = "an array of pickled Python objects, which are never loaded"
        raise refuse(shown, f"nothing that loads ({reason})", "a pipeline") from error
    return pipeline


def _with_last(pipeline: Pipeline, step: Any) -> Pipeline:
    changed = copy.copy(pipeline)
    changed.steps = [*pipeline.steps[:-1], (pipeline.steps[-1][0], step)]
    return changed


def _check_sizes(archive: bytes, shown: object) -> None:
    """Refuse an archive that would fill the memory, judging by its index, without unpacking."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            total = sum(entry.file_size for entry in file.infolist())
            schema = file.getinfo("schema.json").file_size
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError) as error:
        raise refuse(shown, f"no skops archive ({error})", "one") from error
    if total > MAX_UNPACKED or schema > MAX_SCHEMA:
        found = f"{total:,} bytes when unpacked, {schema:,} of them schema"
        raise refuse(shown, found, f"at most {MAX_UNPACKED:,} and {MAX_SCHEMA:,}")


def _check_forest(pipeline: Pipeline) -> None:
    forest = pipeline.steps[-1][1]
    if isinstance(forest, RandomForestClassifier):
        for member in forest.estimators_:
            tree = member.tree_
            _check_tree(
                tree.children_left, tree.children_right, tree.feature, forest.n_features_in_
            )


def _check_booster(content: bytes) -> None:
    learner = json.loads(content)["learner"]
    n_features = int(learner["learner_model_param"]["num_feature"])
    for tree in learner["gradient_booster"]["model"]["trees"]:
        left, right, feature = (
            np.asarray(tree[key], dtype=np.int64)
            for key in ("left_children", "right_children", "split_indices")
        )
        _check_tree(left, right, feature, n_features)


def _check_tree(
    left: NDArray[np.int64], right: NDArray[np.int64], feature: NDArray[np.int64], n_features: int
) -> None:
    """Refuse a tree that points out of its arrays or has a cycle: no library checks it later."""
    inner = np.flatnonzero(left != -1)
    children = np.stack([left[inner], right[inner]])
    if not (
        np.all((inner < children) & (children < len(left)))
        and np.all((feature[inner] >= 0) & (feature[inner] < n_features))
    ):
        raise ValueError("a tree points out of its nodes or columns")
