"""Convolutional network (timm) trained end to end, from ImageNet weights if available."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from features.backbone import (
    DEFAULT_BACKBONE,
    Backbone,
    WeightsUnavailable,
    create_backbone,
    require_deep,
)
from features.preprocessing.augmentation import TRAINING
from models.declaration import Declaration
from models.network.batch_norm import start_as_identity, unfold_batch_norm
from models.network.checkpoint import fingerprint, restore, save
from models.network.feeding import INFERENCE_BATCH, fetch, infer
from models.network.image_checks import ImageStack, check_images, check_labelled
from models.network.torch_settings import best_device, deterministic, fast_precision
from models.network.training import Labelled, Plan, Training, begin, is_over, one_epoch

FINE_TUNING = {"epochs": 6, "learning_rate": 3e-4}
FROM_SCRATCH = {"epochs": 16, "learning_rate": 3e-3}
HYPERPARAMETERS: dict[str, Any] = {
    "optimiser": "AdamW, one-cycle schedule",
    "weight_decay": 0.01,
    "patience": 3,
    "fine_tuning": FINE_TUNING,
    "from_scratch": {**FROM_SCRATCH, "residual_blocks": "start as identity"},
    "augmentation": asdict(TRAINING),
}
GRID: dict[str, list[Any]] = {}
DECLARATION = Declaration(
    title="convolutional network",
    references={
        "loshchilov2019": {
            "kind": "inproceedings", "authors": "Loshchilov, I. and Hutter, F.",
            "title": "Decoupled weight decay regularization", "year": 2019,
            "venue": "International Conference on Learning Representations",
            "doi": "10.48550/arXiv.1711.05101", "what": "AdamW",
        },
        "smith2019": {
            "kind": "inproceedings", "authors": "Smith, L. N. and Topin, N.",
            "title": "Super-convergence: very fast training of neural networks using large "
            "learning rates",
            "year": 2019, "venue": "Proceedings of SPIE 11006", "doi": "10.1117/12.2520589",
            "what": "One-cycle learning rate",
        },
    },
    on_images=True,
    in_default_run=True,
    rows_at_once=INFERENCE_BATCH,
    libraries=("timm", "torch"),
)  # fmt: skip
STATISTICS_FROM = 256  # images that batch-norm statistics are measured on


class CnnClassifier(ClassifierMixin, BaseEstimator):
    """Classify radiographs with a convolutional network trained end to end.

    Parameters
    ----------
    backbone : str
        timm's name of the network.
    weights : Path, optional
        File of its pretrained weights. None: from a package, timm's cache or a
        download.
    pretrained : bool
        Whether to start from pretrained weights. If they are unavailable, training starts from
        random weights, and ``initialised_from_`` gives the reason.
    epochs : int, optional
        Largest number of epochs. None: as in ``HYPERPARAMETERS``.
    batch_size : int
        Images per batch.
    learning_rate : float, optional
        Peak of the one-cycle schedule. None: as in ``HYPERPARAMETERS``.
    weight_decay : float
        Weight decay of AdamW.
    balance : bool
        Whether to draw the classes equally often (``WeightedRandomSampler``).
    patience : int
        Epochs without a better validation average precision before training stops.
    seed : int
        Random seed. Two fits on the CPU of one machine with the same number of threads agree to
        the last bit.
    n_jobs : int, optional
        Number of threads. None: torch's own setting.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Sorted labels; of two, the second is the positive class.
    history_ : list of dict
        One row per epoch: epoch, train_loss, validation_loss, validation_average_precision,
        learning_rate, seconds, best (whether its weights were kept).
    initialised_from_, device_, precision_, batch_norm_ : str
        Source of the initial weights; ``cpu`` or ``cuda``; number format of training; how batch
        norms were prepared.
    image_shape_ : (int, int)
        Height and width of the training images.
    images_per_second_ : float
        Training speed, without validation.
    epochs_, best_epoch_ : int
        Largest number of epochs; the epoch whose weights were kept.
    learning_rate_ : float
        Peak learning rate used.

    References
    ----------
    Loshchilov I, Hutter F. Decoupled weight decay regularization. ICLR 2019. arXiv:1711.05101
    Smith LN, Topin N. Super-convergence. SPIE 11006, 2019. doi:10.1117/12.2520589
    """

    def __init__(
        self,
        backbone: str = DEFAULT_BACKBONE,
        weights: Path | None = None,
        pretrained: bool = True,
        epochs: int | None = None,
        batch_size: int = 32,
        learning_rate: float | None = None,
        weight_decay: float = HYPERPARAMETERS["weight_decay"],
        balance: bool = True,
        patience: int = HYPERPARAMETERS["patience"],
        seed: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.pretrained = pretrained
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.balance = balance
        self.patience = patience
        self.seed = seed
        self.n_jobs = n_jobs

    def fit(
        self,
        X: ImageStack,
        y: ArrayLike,
        validation: tuple[ImageStack, ArrayLike] | None = None,
        checkpoint: Path | None = None,
        on_batch: Callable[[int, int], object] | None = None,
    ) -> CnnClassifier:
        """Train, and keep the weights of the epoch with the best validation average precision.

        Parameters
        ----------
        X : stack of shape (n, H, W), uint8
            Grey images: an array, or another :class:`models.network.image_checks.ImageStack`.
        y : array of shape (n,)
            Labels of two or more classes; of two, the larger label is the positive class.
        validation : (images, labels)
            Images of other patients, for early stopping. If epochs have the same average
            precision, the one with the lowest loss is kept.
        checkpoint : Path, optional
            File for the state after each epoch. If it holds a state of the same fit (same images,
            labels, parameters, versions, threads), training resumes from it and ends with the
            same numbers, to the last bit, as without the interruption. Anything else there is
            replaced, with a warning. The caller removes the file.
        on_batch : callable, optional
            Called after each batch with the number of batches done, and their total if training
            does not stop early.

        Returns
        -------
        CnnClassifier
            Itself.

        Raises
        ------
        ValueError
            If images or labels are unusable, or there are no validation images.
        FloatingPointError
            If the loss is not finite.
        MissingExtra
            If torch or timm can't be imported.
        WeightsError
            If ``weights`` is not a file of this network.
        """
        require_deep()
        if validation is None:
            raise ValueError(
                "Got no validation images, but expected fit(X, y, validation=(images, labels)): "
                "early stopping needs images of patients that are not trained on."
            )
        images, labels = check_labelled(X, y, "training")
        unseen, unseen_labels = check_labelled(*validation, "validation")
        self.classes_ = np.unique(labels)
        if not np.array_equal(self.classes_, np.unique(unseen_labels)):
            raise ValueError(
                f"Got validation labels {np.unique(unseen_labels).tolist()}, but expected "
                f"{self.classes_.tolist()} as in training."
            )
        self.image_shape_ = tuple(images.shape[1:])
        self.device_ = best_device()
        self.precision_ = fast_precision(self.device_)
        with deterministic(self.device_, self.seed, self.n_jobs):
            network = self._start(images)
            parts = self._labelled(images, labels), self._labelled(unseen, unseen_labels)
            self._train(network, *parts, checkpoint, on_batch or (lambda done, total: None))
        return self

    def predict_proba(self, X: ImageStack) -> NDArray[np.float64]:
        """Return the probability of each class, computed in float32.

        Parameters
        ----------
        X : stack of shape (n, H, W), uint8
            Grey images of the training images' size.

        Returns
        -------
        ndarray of shape (n, k), float64
        """
        check_is_fitted(self, "network_")
        images = check_images(X, "given")
        if tuple(images.shape[1:]) != self.image_shape_:
            expected = f"expected {self.image_shape_}, as in training. Resize them first."
            raise ValueError(f"Got images of {images.shape[1:]} pixels, but {expected}")
        with deterministic(self.device_, self.seed, self.n_jobs):
            logits = infer(self.network_, images, self.device_)
        return logits.double().softmax(dim=1).numpy()

    def predict(self, X: ImageStack) -> NDArray[Any]:
        """Return the most probable label of each image.

        Parameters
        ----------
        X : stack of shape (n, H, W), uint8
            Grey images of the training images' size.

        Returns
        -------
        ndarray of shape (n,)
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def record(self) -> dict[str, Any]:
        """Return facts about the fit for the run's record.

        Returns
        -------
        dict
        """
        check_is_fitted(self, "network_")
        names = "initialised_from device precision learning_rate epochs best_epoch"
        facts = {name: getattr(self, f"{name}_") for name in [*names.split(), "images_per_second"]}
        return {**facts, "batch_size": self.batch_size, "note": self.network_.note}

    def _start(self, images: ImageStack) -> Backbone:
        options: dict[str, Any] = {"seed": self.seed, "num_classes": len(self.classes_)}
        try:
            network = create_backbone(
                self.backbone, weights=self.weights, pretrained=self.pretrained, **options
            )
            self.initialised_from_ = network.weights_source
        except WeightsUnavailable as error:
            network = create_backbone(self.backbone, pretrained=False, **options)
            self.initialised_from_ = f"{network.weights_source}: {error.reason}"
        network.model.to(self.device_)
        if self.initialised_from_.startswith("random"):
            defaults = FROM_SCRATCH
            blocks = start_as_identity(network.model)
            self.batch_norm_ = f"{blocks} residual blocks started as identity"
        else:
            defaults = FINE_TUNING
            rows = np.linspace(0, len(images) - 1, min(len(images), STATISTICS_FROM)).astype(int)
            unfolded = unfold_batch_norm(network, fetch(images, rows, self.device_))
            self.batch_norm_ = f"statistics {'unfolded from the bias' if unfolded else 'as given'}"
        self.epochs_ = int(self.epochs or defaults["epochs"])
        self.learning_rate_ = float(self.learning_rate or defaults["learning_rate"])
        return network

    def _train(
        self, network: Backbone, seen: Labelled, unseen: Labelled, checkpoint: Path | None,
        on_batch: Callable[[int, int], object],
    ) -> None:  # fmt: skip
        plan = self._plan()
        training = begin(network, plan, len(seen.images))
        if checkpoint is not None:
            fit = fingerprint(self._facts(), plan, seen, unseen)
            restore(checkpoint, fit, training)
        steps = plan.steps(len(seen.images))
        done = itertools.count(steps * len(training.history) + 1)
        while not is_over(training, plan):
            one_epoch(
                training, plan, seen, unseen, lambda: on_batch(next(done), steps * plan.epochs)
            )
            if checkpoint is not None:
                _save(checkpoint, fit, training)
        drawn = steps * min(plan.batch_size, len(seen.images)) * len(training.history)
        self.images_per_second_ = round(drawn / training.seconds, 3)
        self._keep(training)

    def _keep(self, training: Training) -> None:
        training.network.model.load_state_dict(training.best)
        self.best_epoch_ = training.best_epoch
        self.history_ = [
            {**row, "best": row["epoch"] == training.best_epoch} for row in training.history
        ]
        self.network_ = training.network

    def _plan(self) -> Plan:
        return Plan(
            epochs=self.epochs_,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate_,
            weight_decay=self.weight_decay,
            balance=self.balance,
            patience=self.patience,
            seed=self.seed,
            device=self.device_,
            precision=self.precision_,
        )

    def _facts(self) -> dict[str, Any]:
        names = ("initialised_from_", "batch_norm_")
        return {
            "backbone": self.backbone,
            "classes": [str(label) for label in self.classes_],
            "hyperparameters": HYPERPARAMETERS,
            **{name: getattr(self, name) for name in names},
        }

    def _labelled(self, images: ImageStack, labels: NDArray[Any]) -> Labelled:
        import torch

        target = np.searchsorted(self.classes_, labels).astype(np.int64)
        return Labelled(images, torch.from_numpy(target))


def build(
    seed: int, balance: str | bool, n_jobs: int | None = None, **options: Any
) -> CnnClassifier:
    """Build an unfitted network.

    Parameters
    ----------
    seed : int
        Random seed.
    balance : str or bool
        ``none`` or False: each image at most once per epoch; else: classes drawn equally often.
    n_jobs : int or None
        Number of threads. None: torch's own setting.
    **options : dict
        ``backbone``, ``weights``, ``epochs``, ``batch_size`` …: parameters of
        :class:`CnnClassifier`.

    Returns
    -------
    CnnClassifier
        Call ``fit(X, y, validation=(images, labels))``.
    """
    return CnnClassifier(
        seed=seed, balance=balance not in (False, "none"), n_jobs=n_jobs, **options
    )


def _save(checkpoint: Path, fit: dict[str, Any], training: Training) -> None:
    """Write the state; training continues if it can't be written."""
    try:
        save(checkpoint, fit, training)
    except OSError as error:
        warnings.warn(
            f"{error}. Training continues, but can't be resumed after epoch "
            f"{len(training.history)}.",
            stacklevel=2,
        )
