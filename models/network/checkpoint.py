"""Checkpoint file of a training after an epoch, from which it resumes to the last bit."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.network.image_checks import ImageStack
from models.network.tensor_file import TensorFileError, read_tensors, unfit_tensors, write_tensors
from models.network.training import Labelled, Plan, Training

if TYPE_CHECKING:
    import torch

ROWS = 256  # images hashed at a time


def fingerprint(
    facts: Mapping[str, Any], plan: Plan, seen: Labelled, unseen: Labelled
) -> dict[str, Any]:
    """Describe everything that a fit's numbers depend on; reads every image once.

    Parameters
    ----------
    facts : mapping
        Facts about the fit that the plan lacks, such as the source of the initial weights.
    plan : Plan
        Settings of the training.
    seen, unseen : Labelled
        Training and validation images.

    Returns
    -------
    dict
        Ready for JSON.
    """
    import timm
    import torch

    return {
        **facts,
        **vars(plan),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "training images": _describe(seen),
        "validation images": _describe(unseen),
    }


def save(path: Path, fit: dict[str, Any], training: Training) -> None:
    """Write the state of a training between two epochs, completely or not at all.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    fit : dict
        From :func:`fingerprint`.
    training : Training
        State to write.

    Raises
    ------
    OSError
        If the file can't be written.
    """
    optimiser = training.optimiser.state_dict()
    tensors = {
        **_named("now", training.network.model.state_dict()),
        **_named("best", training.best),
        **_named("random", _random_states(training)),
    }
    for index, state in optimiser["state"].items():
        tensors |= _named(f"optimiser/{index}", state)
    facts = {
        "fit": fit,
        "history": training.history,
        "best_epoch": training.best_epoch,
        "seconds": training.seconds,
        "schedule": training.schedule.state_dict(),
        "groups": optimiser["param_groups"],
    }
    write_tensors(path, tensors, json.dumps(facts))


def restore(path: Path, fit: dict[str, Any], training: Training) -> None:
    """Restore a training from a checkpoint; warn and leave it unchanged if that fails.

    Parameters
    ----------
    path : Path
        File of :func:`save`; if it does not exist, nothing happens.
    fit : dict
        From :func:`fingerprint`; a checkpoint of another fit is not used.
    training : Training
        Before its first epoch; changed in place.
    """
    if not path.exists():
        return
    try:
        tensors, text = read_tensors(path)
        facts = json.loads(text)
        _check(path, facts, fit, tensors, training)
    except TensorFileError as error:
        warnings.warn(
            f"{error} The training starts from the beginning.", RuntimeWarning, stacklevel=2
        )
        return
    _apply(facts, tensors, training)


def _check(
    path: Path, facts: Any, fit: dict[str, Any], tensors: dict[str, Any], training: Training
) -> None:
    known = {"fit", "history", "best_epoch", "seconds", "schedule", "groups"}
    if not isinstance(facts, dict) or set(facts) != known:
        raise TensorFileError(f"{path}: expected the checkpoint of a training, got another file.")
    now = json.loads(json.dumps(fit))
    keys = sorted(key for key in now | facts["fit"] if now.get(key) != facts["fit"].get(key))
    if keys:
        raise TensorFileError(
            f"{path}: the checkpoint belongs to another fit; different: {', '.join(keys)}."
        )
    own = training.network.model.state_dict()
    moments = _expected_moments(training.optimiser, _within("optimiser", tensors))
    groups = {"now": own, "best": own, "random": _random_states(training), "optimiser": moments}
    for group, expected in groups.items():
        wrong = unfit_tensors(_within(group, tensors), expected)
        if wrong:
            raise TensorFileError(f"{path}: {group}: tensors that don't fit: {', '.join(wrong)}.")


def _expected_moments(optimiser: Any, found: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """AdamW's state, which only parameters that the loss depends on have."""
    import torch

    expected = {}
    for index, parameter in enumerate(_parameters(optimiser)):
        if f"{index}/step" in found:
            expected[f"{index}/step"] = torch.zeros(())
            expected |= {f"{index}/{name}": parameter for name in ("exp_avg", "exp_avg_sq")}
    return expected


def _apply(facts: dict[str, Any], tensors: dict[str, torch.Tensor], training: Training) -> None:
    import torch

    training.network.model.load_state_dict(_within("now", tensors))
    training.best = _within("best", tensors)
    parameters = _parameters(training.optimiser)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in _within("optimiser", tensors).items():
        index, _, what = name.partition("/")
        parameter = parameters[int(index)]
        if value.ndim:  # same memory layout as the parameter, like the optimiser's own
            value = torch.empty_like(parameter).copy_(value)
        state.setdefault(int(index), {})[what] = value
    training.optimiser.load_state_dict({"state": state, "param_groups": facts["groups"]})
    training.schedule.load_state_dict(facts["schedule"])
    training.history, training.best_epoch = facts["history"], facts["best_epoch"]
    training.seconds = facts["seconds"]
    random = _within("random", tensors)
    training.generator.set_state(random.pop("draws"))
    torch.default_generator.set_state(random.pop("cpu"))
    for name, value in random.items():
        torch.cuda.set_rng_state(value, name)


def _parameters(optimiser: Any) -> list[torch.Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _random_states(training: Training) -> dict[str, torch.Tensor]:
    import torch

    states = {"draws": training.generator.get_state(), "cpu": torch.default_generator.get_state()}
    if next(training.network.model.parameters()).is_cuda:
        count = torch.cuda.device_count()
        states |= {f"cuda:{k}": torch.cuda.get_rng_state(k) for k in range(count)}
    return states


def _describe(labelled: Labelled) -> dict[str, Any]:
    images: ImageStack = labelled.images
    pixels = hashlib.sha256()
    for start in range(0, len(images), ROWS):
        rows = np.arange(start, min(start + ROWS, len(images)))
        pixels.update(np.ascontiguousarray(images[rows]).data)
    labels = hashlib.sha256(labelled.target.numpy().astype("<i8").tobytes())
    return {
        "shape": [int(side) for side in images.shape],
        "pixels": pixels.hexdigest(),
        "labels": labels.hexdigest(),
    }


def _named(group: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{group}/{name}": value for name, value in tensors.items()}


def _within(group: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = f"{group}/"
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }
