"""File format of a fitted network: tensors and JSON, no pickle."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from sklearn.utils.validation import check_is_fitted

from features.backbone import Backbone, create_backbone
from models.cnn import CnnClassifier
from models.network.tensor_file import TensorFileError, read_tensors, unfit_tensors, write_tensors
from models.network.torch_settings import best_device

FORMAT: Literal["cnn-classifier-1"] = "cnn-classifier-1"
NETWORK = ("mean", "std", "weights_source", "note", "input_size", "multiple")  # of Backbone
LEARNED = (
    "initialised_from", "precision", "batch_norm", "epochs", "best_epoch", "learning_rate",
    "images_per_second", "history",
)  # fmt: skip
Channels = tuple[float] | tuple[float, float, float]
Size = tuple[PositiveInt, PositiveInt]
Labels = list[bool] | list[int] | list[float] | list[str]


class NetworkFileError(TensorFileError):
    """A file does not hold a usable network; the message gives the reason."""


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, ser_json_inf_nan="constants"
    )


class Parameters(_Strict):
    """Parameters of :class:`models.cnn.CnnClassifier` except the path of the weights."""

    backbone: str
    pretrained: bool
    epochs: PositiveInt | None
    batch_size: PositiveInt
    learning_rate: float | None
    weight_decay: float
    balance: bool
    patience: int
    seed: int
    n_jobs: PositiveInt | None


class Facts(_Strict):
    """Everything in the file that is not a tensor; nothing else is accepted."""

    format: Literal["cnn-classifier-1"]
    parameters: Parameters
    image_shape: Size
    classes: Annotated[Labels, Field(min_length=2)]
    classes_dtype: Annotated[str, Field(pattern=r"^[<>|](b1|[iu][1248]|f[248]|U[1-9]\d{0,3})$")]
    mean: Channels
    std: Channels
    input_size: Size | None
    multiple: PositiveInt
    weights_source: str
    note: str
    initialised_from: str
    precision: Literal["float32", "bfloat16"]
    batch_norm: str
    epochs: PositiveInt
    best_epoch: PositiveInt
    learning_rate: float
    images_per_second: float
    history: list[dict[str, bool | int | float]]


def save_network(classifier: CnnClassifier, path: str | os.PathLike[str]) -> None:
    """Write a fitted network to a safetensors file.

    Parameters
    ----------
    classifier : CnnClassifier
        Fitted.
    path : path-like
        Replaced if it exists: completely or not at all.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the network is not fitted.
    """
    check_is_fitted(classifier, "network_")
    parameters = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in classifier.get_params().items()
        if name != "weights"
    }
    height, width = classifier.image_shape_
    facts = Facts(
        format=FORMAT,
        parameters=Parameters(**parameters),
        image_shape=(int(height), int(width)),
        classes=classifier.classes_.tolist(),
        classes_dtype=classifier.classes_.dtype.str,
        **{name: getattr(classifier.network_, name) for name in NETWORK},
        **{name: getattr(classifier, f"{name}_") for name in LEARNED},
    )
    write_tensors(Path(path), classifier.network_.model.state_dict(), facts.model_dump_json())


def load_network(path: str | os.PathLike[str]) -> CnnClassifier:
    """Read a network that :func:`save_network` wrote.

    Parameters
    ----------
    path : path-like
        File to read.

    Returns
    -------
    CnnClassifier
        Fitted. On the machine that saved it, it gives the same probabilities to the last bit.

    Raises
    ------
    NetworkFileError
        If the file is missing, damaged, changed, of another version of this program, or does not
        fit the network that timm builds by the name in it.
    MissingExtra
        If torch or timm can't be imported.
    """
    path = Path(path)
    try:
        tensors, text = read_tensors(path)
        facts = Facts.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise NetworkFileError(
            f"{path}: {key or 'the facts'}: {first['msg']}. Expected the metadata of a network "
            "that this version of the program saved. Train and save it again."
        ) from error
    except TensorFileError as error:
        raise NetworkFileError(str(error)) from error
    classifier = CnnClassifier(**dict(facts.parameters))
    classifier.network_ = _rebuild(path, facts, tensors)
    classifier.device_ = best_device()
    classifier.network_.model.to(classifier.device_)
    classifier.image_shape_ = facts.image_shape
    classifier.classes_ = np.array(facts.classes, dtype=facts.classes_dtype)
    for name in LEARNED:
        setattr(classifier, f"{name}_", getattr(facts, name))
    return classifier


def _rebuild(path: Path, facts: Facts, tensors: dict[str, Any]) -> Backbone:
    name = facts.parameters.backbone
    try:
        network = create_backbone(
            name, pretrained=False, num_classes=len(facts.classes), channels=len(facts.mean)
        )
    except ValueError as error:
        raise NetworkFileError(f"{path}: {error}") from error
    wrong = unfit_tensors(tensors, network.model.state_dict())
    if wrong:
        raise NetworkFileError(
            f"{path}: expected the tensors of {name}, got some that don't fit: "
            f"{', '.join(wrong)}. Was it saved with another version of timm?"
        )
    network.model.load_state_dict(tensors)
    return dataclasses.replace(network, **{key: getattr(facts, key) for key in NETWORK})
