"""Pooled penultimate activations of a frozen CNN from timm; nothing is fitted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray

from features.backbone import DEFAULT_BACKBONE, Backbone, create_backbone
from features.base import GreyImages, ImageDescriptor, Matrix, check_images
from features.frozen_graph import CannotFreeze, freeze
from features.pooling import check_pooling, pooled
from features.weights import WeightFiles, file_of

if TYPE_CHECKING:
    import torch

ENGINES = ("graph", "eager")
_COLUMNS_PER_PART = 100  # the outputs of a network have no order: a part is just some of them
_POOLED = {
    "avg": "mean of channel",
    "max": "maximum of channel",
    "gem": "generalised mean of channel",
    "cls": "class token's channel",
}
_RAZAVIAN = {
    "kind": "inproceedings",
    "authors": "Razavian, A. S. and Azizpour, H. and Sullivan, J. and Carlsson, S.",
    "title": "CNN features off-the-shelf: an astounding baseline for recognition",
    "year": 2014,
    "venue": "IEEE Conference on Computer Vision and Pattern Recognition Workshops",
    "pages": "512-519",
    "doi": "10.1109/CVPRW.2014.131",
    "what": "Embeddings as features",
}


class _Network:
    """A network, with its graph for images of one size.

    Parameters
    ----------
    built : Backbone
    engine : str
    batch_size : int
    """

    def __init__(self, built: Backbone, engine: str, batch_size: int) -> None:
        self.built, self.engine, self.batch_size = built, engine, batch_size
        self.size: tuple[int, int] | None = None

    def graph(self, height: int, width: int) -> torch.nn.Module | None:
        """Return the graph for images of this size, or None to run layer by layer."""
        if self.size != (height, width):
            self.frozen, self.how = None, "eager"
            if self.engine == "graph" and self.batch_size != 1:
                self.how = f"eager: a graph takes one image, batch_size is {self.batch_size}"
            elif self.engine == "graph":
                try:
                    self.frozen, self.how = freeze(self.built, height, width), "graph"
                except CannotFreeze as error:
                    self.how = f"eager: {error}"
            self.size = (height, width)
        return self.frozen

    def describe(self, grey: torch.Tensor) -> NDArray[np.float32]:
        """Describe uint8 images of shape (n, H, W)."""
        import torch

        graph = self.graph(*grey.shape[1:])
        if graph is None:
            return np.asarray(self.built.infer(grey, self.batch_size))
        with torch.inference_mode():
            return np.concatenate(
                [graph(self.built.prepare(image.float() / 255)).numpy() for image in grey.split(1)]
            )


class FrozenEmbedding(ImageDescriptor):
    """Pooled activations of pretrained networks just before their classifiers.

    Grey values are copied to three channels and normalised as in the training of the network.
    Columns are named ``embedding/<backbone>/0413``, and ``embedding_random/<backbone>/0413`` for
    random weights; with another pooling than the network's own, ``embedding/<backbone>/gem/0413``,
    and for ``cls+avg`` ``embedding/<backbone>/cls/0413`` and ``embedding/<backbone>/avg/0413``.
    With ``layers``, the layer follows the network: ``embedding/<backbone>/layer3/gem/0413``.

    Parameters
    ----------
    backbone : str
        Name of the network in timm, or names separated by commas: the columns of each follow those
        of the one before.
    weights : Path or tuple of (str, Path), optional
        File of its weights, or name and file of networks; by default they come from a package, the
        hub's cache or a download.
    pretrained : bool
        If False, the weights are random.
    seed : int
        Of the random weights.
    batch_size : int
        Images per forward pass. With 1, a row is the same to the last bit whatever the other
        images and the number of threads; a larger batch changes it by about 1e-5, and is no faster
        on a CPU.
    n_jobs : int, optional
        Images described at once, each on one thread; by default as many as torch has threads.
    engine : {"graph", "eager"}
        With ``graph``, batch normalisations and activations are merged into the convolutions,
        which changes a value by about 1e-6 of the largest. A network that can't be traced, or a
        ``batch_size`` over 1, runs as ``eager``, layer by layer.
    pooling : {"network", "avg", "max", "gem", "cls+avg"}
        How the last feature maps or tokens are pooled; see :func:`features.pooling.pooled`.
    layers : tuple of int, optional
        Layers whose pooled features are concatenated, numbered as in timm, of every network; see
        :func:`features.pooling.pooled`. By default, the last features alone.

    Attributes
    ----------
    weights_source_ : str
        Where the weights came from, with their hash; after ``fit``. This and the next ones name
        the networks if there are several.
    precision_, engine_ : str
        Number format; the engine in use, with the reason if it is not the one requested.
    input_note_ : str
        Whether the images were resized for the network, or the head of the file was not used;
        may be empty.

    Notes
    -----
    Runs on the CPU in float32. bfloat16 is faster, but changes the features of a radiograph by
    more than rounding (cosine similarity to float32 is 0.993 for MobileNetV2). The network is
    built once, at first use, and never pickled.

    References
    ----------
    Sharif Razavian A, Azizpour H, Sullivan J, Carlsson S. CNN features off-the-shelf: an
    astounding baseline for recognition. CVPR Workshops 2014. doi:10.1109/CVPRW.2014.131
    """

    title = "CNN embedding"
    description = "pooled penultimate activations of a frozen CNN with pretrained weights"
    references: ClassVar = {
        "razavian2014": _RAZAVIAN,
        "deng2009": {
            "kind": "inproceedings",
            "authors": "Deng, J. and Dong, W. and Socher, R. and Li, L.-J. and Li, K. and Fei-Fei, "
            "L.",
            "title": "ImageNet: a large-scale hierarchical image database",
            "year": 2009,
            "venue": "IEEE Conference on Computer Vision and Pattern Recognition",
            "pages": "248-255",
            "doi": "10.1109/CVPR.2009.5206848",
            "what": "ImageNet, for pretrained weights",
        },
    }
    libraries = ("numpy", "timm", "torch")
    network = True

    def __init__(
        self,
        backbone: str = DEFAULT_BACKBONE,
        weights: WeightFiles = None,
        pretrained: bool = True,
        seed: int = 0,
        batch_size: int = 1,
        n_jobs: int | None = None,
        engine: str = "graph",
        pooling: str = "network",
        layers: tuple[int, ...] | None = None,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.pretrained = pretrained
        self.seed = seed
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.engine = engine
        self.pooling = pooling
        self.layers = layers

    def fit(self, X: GreyImages, y: object = None) -> FrozenEmbedding:
        """Store the image size and load the network.

        Parameters
        ----------
        X : ndarray of shape (n, H, W), uint8
            Grey images.
        y : object
            Ignored.

        Returns
        -------
        FrozenEmbedding
            Itself.

        Raises
        ------
        ValueError
            If ``X`` is not a stack of uint8 grey images, timm has no such network, ``engine`` or
            ``pooling`` is unknown, or the network does not allow the pooling or has not the layers.
        MissingExtra, WeightsError, WeightsUnavailable
            See :func:`features.backbone.create_backbone`.
        """
        if self.engine not in ENGINES:
            raise ValueError(f"Got engine={self.engine!r}, but expected one of {ENGINES}.")
        check_pooling(self.pooling)
        self._check_names()
        super().fit(X)
        built = [network.built for network in self._networks()]
        self.weights_source_ = self._named([one.weights_source for one in built])
        self.input_note_ = self._named([one.note for one in built])
        self.precision_ = "float32"
        return self

    @property
    def engine_(self) -> str:
        """Engine in use; the graph is built when this or the first image needs it."""
        with _one_thread_per_operation():
            self._freeze(*self.image_shape_)
        hows = [network.how for network in self._networks()]
        return hows[0] if len(set(hows)) == 1 else self._named(hows)

    @property
    def backbones(self) -> tuple[str, ...]:
        """Names of the networks, in the order of their columns."""
        return tuple(self.backbone.split(","))

    def transform(self, X: GreyImages) -> Matrix:
        """Describe every image, several at once on threads.

        Parameters
        ----------
        X : ndarray of shape (n, H, W), uint8
            Grey images.

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        with (
            _one_thread_per_operation() as threads,
            parallel_config(backend="threading", n_jobs=threads),
        ):
            images = check_images(X)
            self._freeze(*images.shape[1:])  # built once, before the threads start
            return super().transform(images)

    def describe_batch(self, images: GreyImages) -> NDArray[np.float32]:
        """Describe several images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        import torch

        grey = torch.from_numpy(images.copy())
        return np.hstack([network.describe(grey) for network in self._networks()])

    def feature_names(self, height: int, width: int) -> list[str]:
        """Name the ``d`` columns; see the notes of the class.

        Parameters
        ----------
        height, width : int
            Of the images, in pixels.

        Returns
        -------
        list of str
        """
        import torch

        prefix = "embedding" if self.pretrained else "embedding_random"
        pools = [""] if self.pooling == "network" else [f"/{p}" for p in self.pooling.split("+")]
        empty = torch.zeros((1, height, width), dtype=torch.uint8)
        names = []
        for backbone, network in zip(self.backbones, self._networks(), strict=True):
            widths = {f"/layer{number}": width for number, width in network.built.layers.items()}
            for layer, width in (widths or {"": network.describe(empty).shape[1]}).items():
                groups = [f"{prefix}/{backbone}{layer}{pool}" for pool in pools]
                columns = range(width // len(pools))
                names += [f"{group}/{column:04d}" for group in groups for column in columns]
        return names

    def part(self, column: str) -> str:
        """Read the part from a column's name.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
            Its hundred, for instance ``mobilenetv2_100/04xx`` or ``mobilenetv2_100/layer3/00xx``.
        """
        _, group, number = _split(column)
        return f"{group}/{int(number) // _COLUMNS_PER_PART:02d}xx"

    def in_words(self, column: str) -> str:
        """Say what a column measures, and where on the image.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
        """
        _, group, number = _split(column)
        backbone, *rest = group.split("/")
        weights = "" if self.pretrained else " with random weights"
        what = next((_POOLED[one] for one in rest if one in _POOLED), "output")
        layer = "".join(
            f" of layer {one.removeprefix('layer')}" for one in rest if one not in _POOLED
        )
        return f"{what} {int(number)}{layer} of the network {backbone}{weights}"

    def build_networks(self) -> list[Backbone]:
        """Build another copy of each network with its pooling, which runs layer by layer.

        Returns
        -------
        list of Backbone
            In the order of ``backbones``.
        """
        return [
            pooled(
                create_backbone(
                    name,
                    weights=file_of(self.weights, name),
                    pretrained=self.pretrained,
                    seed=self.seed,
                ),
                self.pooling,
                self.layers,
            )
            for name in self.backbones
        ]

    def _check_names(self) -> None:
        names = self.backbones
        if len(set(names)) != len(names):
            raise ValueError(f"Got backbone={self.backbone!r}, but expected every network once.")
        if len(names) > 1 and isinstance(self.weights, Path):
            raise ValueError(
                f"Got one file of weights, {self.weights}, for {len(names)} networks, but expected "
                "pairs of a network and its file."
            )

    def _named(self, texts: list[str]) -> str:
        """Put the network's name before each text that is not empty, if there are several."""
        if len(texts) == 1:
            return texts[0]
        pairs = zip(self.backbones, texts, strict=True)
        return "; ".join(f"{name}: {text}" for name, text in pairs if text)

    def _networks(self) -> list[_Network]:
        wanted = (self.backbone, self.weights, self.pretrained, self.seed, self.pooling,
                  self.layers, self.engine, self.batch_size)  # fmt: skip
        if getattr(self, "_built_for", None) != wanted:
            built = self.build_networks()
            self._built = [_Network(one, self.engine, self.batch_size) for one in built]
            self._built_for = wanted
        return self._built

    def _freeze(self, height: int, width: int) -> None:
        for network in self._networks():
            network.graph(height, width)

    def __getstate__(self) -> dict[str, Any]:
        built = ("_built", "_built_for")
        state = super().__getstate__()
        return {key: state[key] for key in state if key not in built}


class RandomEmbedding(FrozenEmbedding):
    """Activations of a network with random weights: a control for pretraining.

    Parameters
    ----------
    backbone : str
        Name of the network in timm.
    pretrained : bool
        False.
    seed : int
        Of the random weights.
    batch_size : int
        Images per forward pass.
    n_jobs : int, optional
        Images described at once.
    engine : {"graph", "eager"}
    pooling : {"network", "avg", "max", "gem", "cls+avg"}
    layers : tuple of int, optional
        All five as in :class:`FrozenEmbedding`.
    """

    title = "CNN embedding, random weights"
    description = (
        "pooled penultimate activations of a CNN with random weights, as a control for pretraining"
    )
    references: ClassVar = {"razavian2014": _RAZAVIAN}

    def __init__(
        self,
        backbone: str = DEFAULT_BACKBONE,
        pretrained: bool = False,
        seed: int = 0,
        batch_size: int = 1,
        n_jobs: int | None = None,
        engine: str = "graph",
        pooling: str = "network",
        layers: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(
            backbone, None, pretrained, seed, batch_size, n_jobs, engine, pooling, layers
        )


def _split(column: str) -> tuple[str, str, str]:
    """Split a column's name into family, network (with its layer and pooling) and number."""
    family, _, rest = column.partition("/")
    group, _, number = rest.rpartition("/")
    return family, group, number


@contextmanager
def _one_thread_per_operation() -> Iterator[int]:
    """Run every operation on one thread, so that sums keep their order; yield torch's threads."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
