"""Pooled penultimate features of a frozen CNN (timm): ImageNet weights, nothing fitted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray

from features.backbone import Backbone, create_backbone
from features.base import GreyImages, ImageDescriptor, Matrix, check_images
from features.frozen_graph import CannotFreeze, freeze

if TYPE_CHECKING:
    import torch

ENGINES = ("graph", "eager")


class FrozenEmbedding(ImageDescriptor):
    """Describe an image by what a network sees in it just before its classifier.

    Grey is copied to three channels and normalised as the network was trained. Columns are named
    ``embedding/<backbone>/0413``, and ``embedding_random/<backbone>/0413`` for random weights.

    Parameters
    ----------
    backbone : str
        timm's name of the network.
    weights : Path, optional
        File of its weights; without it they come from the hub's cache or a download.
    pretrained : bool
        False: random weights, the control that shows what pretraining adds.
    seed : int
        Of the random weights.
    batch_size : int
        Images a forward pass. With 1 a row is the same to the last bit whatever the other images
        and the number of threads; a larger one moves it by about 1e-5, and is no faster on a CPU.
    n_jobs : int, optional
        Images described at once, each on one thread; None: as many as torch has threads.
    engine : {"graph", "eager"}
        ``graph``: batch norms and activations are made part of the convolutions, which moves a
        value by about 1e-6 of the largest; a network that can't be had so, or a ``batch_size``
        over 1, runs as ``eager``: layer by layer.

    Attributes
    ----------
    weights_source_ : str
        Where the weights came from, with their hash; after ``fit``.
    precision_, engine_ : str
        Number format; how it is computed, with the reason if not as asked.
    input_note_ : str
        What the network did to the size of the images, or to its head; may be empty.

    Notes
    -----
    Runs on the CPU in float32: bfloat16 is faster still, but turns the features of a radiograph by
    more than float noise (cosine similarity 0.993 to float32 for MobileNetV2). The network is built
    at first use, once, and never pickled.

    References
    ----------
    Sharif Razavian A, Azizpour H, Sullivan J, Carlsson S. CNN features off-the-shelf: an
    astounding baseline for recognition. CVPR Workshops 2014. doi:10.1109/CVPRW.2014.131
    """

    family = "embedding"

    def __init__(
        self,
        backbone: str = "mobilenetv2_100",
        weights: Path | None = None,
        pretrained: bool = True,
        seed: int = 0,
        batch_size: int = 1,
        n_jobs: int | None = None,
        engine: str = "graph",
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.pretrained = pretrained
        self.seed = seed
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.engine = engine

    def fit(self, X: GreyImages, y: object = None) -> FrozenEmbedding:
        """Note the image size and load the network.

        Raises
        ------
        ValueError
            If ``X`` is not a stack of uint8 grey images, timm knows no such network, or ``engine``
            is unknown.
        MissingExtra, WeightsError, WeightsUnavailable
            As :func:`features.backbone.create_backbone`.
        """
        if self.engine not in ENGINES:
            raise ValueError(f"Got engine={self.engine!r}, but expected one of {ENGINES}.")
        super().fit(X)
        network = self._network()
        self.weights_source_, self.input_note_ = network.weights_source, network.note
        self.precision_ = "float32"
        return self

    @property
    def engine_(self) -> str:
        """How the network is run; the graph is built when this or a first image asks for it."""
        with _one_thread_an_operation():
            self._graph(*self.image_shape_)
        return self._how

    def transform(self, X: GreyImages) -> Matrix:
        """Describe every image, several at once on threads; see the base class."""
        with (
            _one_thread_an_operation() as threads,
            parallel_config(backend="threading", n_jobs=threads),
        ):
            images = check_images(X)
            self._graph(*images.shape[1:])  # before the threads start, so that one builds it
            return super().transform(images)

    def describe_batch(self, images: GreyImages) -> NDArray[np.float32]:
        """Describe a batch: ``(n, H, W)`` uint8 to ``(n, d)`` float32.

        ``batch_size`` images a forward pass.
        """
        import torch

        network, graph = self._network(), self._graph(*images.shape[1:])
        grey = torch.from_numpy(images.copy())
        if graph is None:
            return np.asarray(network.infer(grey, self.batch_size))
        with torch.inference_mode():
            return np.concatenate(
                [graph(network.prepare(image.float() / 255)).numpy() for image in grey.split(1)]
            )

    def feature_names(self, height: int, width: int) -> list[str]:
        """Names of the ``d`` columns; ``d`` is asked of the network."""
        prefix = "embedding" if self.pretrained else "embedding_random"
        columns = self.describe_batch(np.zeros((1, height, width), dtype=np.uint8)).shape[1]
        return [f"{prefix}/{self.backbone}/{column:04d}" for column in range(columns)]

    def _network(self) -> Backbone:
        wanted = (self.backbone, self.weights, self.pretrained, self.seed)
        if getattr(self, "_built_for", None) != wanted:
            self._built = create_backbone(
                self.backbone, weights=self.weights, pretrained=self.pretrained, seed=self.seed
            )
            self._built_for = wanted
        return self._built

    def _graph(self, height: int, width: int) -> torch.nn.Module | None:
        """Return the graph for images of this size, or None: layer by layer."""
        network = self._network()
        wanted = (network, height, width, self.engine, self.batch_size)
        if getattr(self, "_frozen_for", None) != wanted:
            self._frozen, self._how = None, "eager"
            if self.engine == "graph" and self.batch_size != 1:
                self._how = f"eager: a graph is for one image, batch_size is {self.batch_size}"
            elif self.engine == "graph":
                try:
                    self._frozen, self._how = freeze(network, height, width), "graph"
                except CannotFreeze as error:
                    self._how = f"eager: {error}"
            self._frozen_for = wanted
        return self._frozen

    def __getstate__(self) -> dict[str, Any]:
        built = ("_built", "_built_for", "_frozen", "_frozen_for", "_how")
        state = super().__getstate__()
        return {key: state[key] for key in state if key not in built}


@contextmanager
def _one_thread_an_operation() -> Iterator[int]:
    """Split no operation over threads, for sums in one order; yield how many there were."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
