"""Speed of the networks: embedding and CNN training, compared with plain loops over timm models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.datasets.phantoms import generate
from benchmarks.speed.timing import COLUMNS, Call, Options, interleave, row
from features.backbone import Backbone, create_backbone
from features.embedding import FrozenEmbedding
from features.preprocessing.augmentation import augment
from models.cnn import CnnClassifier
from models.network.sampling import draw_batches
from models.network.torch_settings import fast_precision

if TYPE_CHECKING:
    import torch

BACKBONE = "mobilenetv2_100"
IMAGES, BATCH, THREADS = 64, 32, 2


def measure(options: Options) -> pd.DataFrame:
    """Compare embedding and training with plain loops, on two threads of a CPU.

    Parameters
    ----------
    options : Options
        ``size``, ``repetitions``, ``quick`` and ``weights`` apply.

    Returns
    -------
    DataFrame
        Columns of :func:`benchmarks.speed.timing.row`. The name of the embedding includes the
        lowest cosine similarity of an image to timm's output. Empty without the extra ``deep``.
    """
    backbone = "test_resnet" if options.quick else BACKBONE
    repetitions = min(options.repetitions, 5)
    phantoms = generate(16 if options.quick else IMAGES, options.size)
    pixels = np.asarray(phantoms.images)
    labels = np.asarray(phantoms.manifest["label"])
    try:
        with _threads(THREADS):
            rows = [
                _embedding(pixels, backbone, options.weights, repetitions),
                _training(pixels, labels, backbone, options.weights, repetitions),
            ]
    except ImportError:
        rows = []
    return pd.DataFrame(rows, columns=COLUMNS)


def timm_features(network: Backbone, images: NDArray[np.uint8]) -> Callable[[], NDArray[Any]]:
    """Return the plain loop: timm's own model on prepared batches, layer by layer in float32.

    Parameters
    ----------
    network : Backbone
    images : ndarray of shape (n, H, W), uint8

    Returns
    -------
    callable
        Without arguments; returns an ndarray of shape (n, d), float32.
    """
    import timm
    import torch

    model = timm.create_model(network.name, num_classes=0).eval()
    model.load_state_dict(network.model.state_dict())
    parts = torch.from_numpy(images).split(BATCH)
    batches = [network.prepare(part.float() / 255).contiguous() for part in parts]

    def _features() -> NDArray[Any]:
        with torch.inference_mode():
            return torch.cat([model(batch) for batch in batches]).numpy()

    return _features


def plain_epoch(
    network: Backbone, grey: torch.Tensor, target: torch.Tensor, generator: torch.Generator
) -> None:
    """Train for one epoch as :class:`models.cnn.CnnClassifier` does, on one Python thread.

    Parameters
    ----------
    network : Backbone
    grey : Tensor of shape (n, H, W), uint8
    target : Tensor of shape (n,), int64
    generator : torch.Generator
    """
    import torch
    from torch.nn.functional import cross_entropy

    optimiser = torch.optim.AdamW(network.model.parameters(), lr=1e-4)
    network.model.train()
    for rows in draw_batches(target, BATCH, True, generator):
        seeds = torch.randint(2**31, (len(rows),), generator=generator)
        changed = augment(grey[rows].numpy(), seeds.tolist())
        inputs = network.prepare(torch.from_numpy(changed).float() / 255)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_precision("cpu") == "bfloat16"):
            logits = network.model(inputs)
        loss = cross_entropy(logits.float(), target[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()


def _embedding(
    images: NDArray[np.uint8], backbone: str, weights: Path | None, repetitions: int
) -> dict[str, Any]:
    given: dict[str, Any] = {"weights": weights, "pretrained": weights is not None}
    ours = FrozenEmbedding(backbone, **given).fit(images)
    peer = timm_features(create_backbone(backbone, **given), images)
    got, expected = ours.transform(images).astype(np.float64), peer().astype(np.float64)
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = ((got * expected).sum(axis=1) / norms).min()
    name = f"{backbone} embedding, {ours.engine_}, {ours.precision_}, cosine {cosine:.6f}"
    other = f"timm, batches of {BATCH}, float32"
    calls: dict[str, Call] = {name: lambda: ours.transform(images), other: peer}
    return row(interleave(calls, repetitions) / len(images), name, other)


def _training(
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    backbone: str,
    weights: Path | None,
    repetitions: int,
) -> dict[str, Any]:
    import torch

    given: dict[str, Any] = {"weights": weights, "pretrained": weights is not None}
    plain = create_backbone(backbone, num_classes=2, **given)
    grey, target = torch.from_numpy(images), torch.from_numpy((labels == labels.max()).astype(int))
    few = np.unique(labels, return_index=True)[1]
    ours = CnnClassifier(backbone, epochs=1, batch_size=BATCH, **given)
    generator = torch.Generator().manual_seed(0)
    drawn = len(images) // min(BATCH, len(images)) * min(BATCH, len(images))
    times = []
    for _ in range(repetitions + 1):
        ours.fit(images, labels, validation=(images[few], labels[few]))
        start = time.perf_counter()
        plain_epoch(plain, grey, target, generator)
        times.append((1 / ours.images_per_second_, (time.perf_counter() - start) / drawn))
    name = f"{backbone} training, {ours.precision_}, prefetching"
    other = "the same without prefetching"
    return row(pd.DataFrame(times[1:], columns=[name, other]), name, other)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
