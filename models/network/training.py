"""Training of a network, epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import average_precision_score

from features.backbone import Backbone
from models.network.depthwise_convolution import fast_depthwise_gradients
from models.network.feeding import infer, training_batches
from models.network.image_checks import ImageStack
from models.network.sampling import draw_batches

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Labelled:
    """Images, ``(n, H, W)`` uint8, and their classes 0, 1, …, ``(n,)`` int64."""

    images: ImageStack
    target: torch.Tensor


@dataclass(frozen=True)
class Plan:
    """Settings of a training; see :class:`models.cnn.CnnClassifier` for each."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    balance: bool
    patience: int
    seed: int
    device: str
    precision: str

    def steps(self, n: int) -> int:
        """Return the number of batches per epoch.

        Parameters
        ----------
        n : int
            Number of training images.

        Returns
        -------
        int
        """
        return n // min(self.batch_size, n)


@dataclass
class Training:
    """State of a training between two epochs: everything that the next one depends on.

    Attributes
    ----------
    network : Backbone
        The network as trained so far.
    optimiser, schedule : object
        AdamW and its one-cycle schedule.
    generator : torch.Generator
        Source of random numbers of batches and augmentation.
    history : list of dict
        One row per epoch.
    best_epoch : int
        0 before the first epoch.
    best : dict of str to Tensor
        Parameters and statistics of the network after that epoch.
    seconds : float
        Time of training without validation.
    """

    network: Backbone
    optimiser: Any
    schedule: Any
    generator: torch.Generator
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    seconds: float = 0.0


def begin(network: Backbone, plan: Plan, n: int) -> Training:
    """Set up a training.

    Parameters
    ----------
    network : Backbone
        Network to train, in place.
    plan : Plan
        Settings.
    n : int
        Number of training images.

    Returns
    -------
    Training
    """
    import torch

    rate = plan.learning_rate
    optimiser = torch.optim.AdamW(
        network.model.parameters(), lr=rate, weight_decay=plan.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=rate, total_steps=plan.steps(n) * plan.epochs
    )
    return Training(network, optimiser, schedule, torch.Generator().manual_seed(plan.seed))


def is_over(training: Training, plan: Plan) -> bool:
    """Return whether all epochs are done, or ``patience`` of them brought no improvement.

    Parameters
    ----------
    training : Training
        State after an epoch.
    plan : Plan
        Settings.

    Returns
    -------
    bool
    """
    done = len(training.history)
    return done >= plan.epochs or done - training.best_epoch >= max(plan.patience, 1)


def one_epoch(
    training: Training,
    plan: Plan,
    seen: Labelled,
    unseen: Labelled,
    after_batch: Callable[[], object],
) -> None:
    """Train for one epoch, validate, and keep the weights if they are the best so far.

    Parameters
    ----------
    training : Training
        Changed in place.
    plan : Plan
        Settings.
    seen, unseen : Labelled
        Training and validation images.
    after_batch : callable
        Called without arguments after each batch.
    """
    start = time.perf_counter()
    loss = _train(training, plan, seen, after_batch)
    training.seconds += time.perf_counter() - start
    row: dict[str, Any] = {"epoch": len(training.history) + 1, "train_loss": loss}
    row |= validate(training.network, unseen, plan.device)
    row["learning_rate"] = training.schedule.get_last_lr()[0]
    row["seconds"] = round(time.perf_counter() - start, 3)
    training.history.append(row)
    if not training.best_epoch or _merit(row) > _merit(training.history[training.best_epoch - 1]):
        training.best_epoch = row["epoch"]
        state = training.network.model.state_dict()
        training.best = {name: value.clone() for name, value in state.items()}


def validate(network: Backbone, unseen: Labelled, device: str) -> dict[str, float]:
    """Compute loss and average precision on images that are not trained on.

    Parameters
    ----------
    network : Backbone
        On the device.
    unseen : Labelled
        Validation images.
    device : str
        ``cpu`` or ``cuda``.

    Returns
    -------
    dict of float
        ``validation_loss`` and ``validation_average_precision``; with more than two classes the
        latter is the mean over the classes, each against all others.
    """
    from torch.nn.functional import cross_entropy

    logits = infer(network, unseen.images, device)
    proba = logits.double().softmax(dim=1).numpy()
    score = proba[:, 1] if proba.shape[1] == 2 else proba
    precision = average_precision_score(unseen.target.numpy(), score, average="macro")
    return {
        "validation_loss": cross_entropy(logits, unseen.target).item(),
        "validation_average_precision": float(precision),
    }


def _merit(row: dict[str, Any]) -> tuple[float, float]:
    return row["validation_average_precision"], -row["validation_loss"]


def _train(
    training: Training, plan: Plan, seen: Labelled, after_batch: Callable[[], object]
) -> float:
    import torch
    from torch.nn.functional import cross_entropy

    network, generator = training.network, training.generator
    losses = []
    network.model.train()
    rows = draw_batches(seen.target, plan.batch_size, plan.balance, generator)
    for inputs, batch in training_batches(network, seen.images, rows, generator, plan.device):
        autocast = torch.autocast(plan.device, torch.bfloat16, enabled=plan.precision == "bfloat16")
        with autocast, fast_depthwise_gradients():
            logits = network.model(inputs)
        loss = cross_entropy(logits.float(), seen.target[batch].to(logits.device))
        if not loss.isfinite():
            raise FloatingPointError(
                f"The training loss became {loss.item()} in epoch {len(training.history) + 1}, "
                "but expected a finite number. Lower learning_rate (it is "
                f"{plan.learning_rate:g}), or check the weights."
            )
        training.optimiser.zero_grad()
        loss.backward()
        training.optimiser.step()
        training.schedule.step()
        losses.append(loss.item())
        after_batch()
    return float(np.mean(losses))
