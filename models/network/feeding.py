"""Batches of images for a network, read and augmented on another thread while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.backbone import Backbone
from features.preprocessing.augmentation import augment
from models.network.image_checks import ImageStack

if TYPE_CHECKING:
    import torch

AHEAD = 4  # batches
INFERENCE_BATCH = 32
T = TypeVar("T")


def prefetch(jobs: Iterable[Callable[[], T]], ahead: int = AHEAD) -> Iterator[T]:
    """Run jobs in order on one other thread, a few ahead of their results being consumed.

    Parameters
    ----------
    jobs : iterable of callable
        Called without arguments.
    ahead : int
        Largest number of results that wait to be consumed.

    Yields
    ------
    object
        Result of each job, in their order; an exception in a job is raised here.
    """
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(1, "prefetch", _use_one_thread) as worker:
        try:
            for job in jobs:
                waiting.append(worker.submit(job))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def training_batches(
    network: Backbone,
    images: ImageStack,
    rows: torch.Tensor,
    generator: torch.Generator,
    device: str,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Read, augment and prepare the inputs of one epoch.

    Parameters
    ----------
    network : Backbone
        Prepares the inputs.
    images : stack of shape (n, H, W), uint8
        Grey images.
    rows : Tensor of shape (batches, size), int64
        From :func:`models.network.sampling.draw_batches`.
    generator : torch.Generator
        Source of the augmentation's random numbers, drawn in the order of the batches.
    device : str
        ``cpu`` or ``cuda``.

    Yields
    ------
    inputs : Tensor of shape (size, C, H', W'), float32
        Augmented and prepared, on the device.
    rows : Tensor of shape (size,), int64
        Positions of these images.
    """
    import torch

    def _load(batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seeds = torch.randint(2**31, (len(batch),), generator=generator)
        grey = augment(images[batch.numpy()], seeds.tolist())
        return network.prepare(on_device(grey, device).float() / 255), batch

    yield from prefetch(partial(_load, batch) for batch in rows)


def infer(network: Backbone, images: ImageStack, device: str) -> torch.Tensor:
    """Compute the network's outputs for a stack of images.

    Parameters
    ----------
    network : Backbone
        On the device.
    images : stack of shape (n, H, W), uint8
        Grey images.
    device : str
        ``cpu`` or ``cuda``.

    Returns
    -------
    Tensor of shape (n, k), float32
    """
    import torch

    parts = np.split(np.arange(len(images)), range(INFERENCE_BATCH, len(images), INFERENCE_BATCH))
    batches = prefetch(partial(fetch, images, rows, device) for rows in parts)
    return torch.cat([network.infer(grey, INFERENCE_BATCH) for grey in batches])


def fetch(images: ImageStack, rows: NDArray[np.intp], device: str) -> torch.Tensor:
    """Read rows of a stack.

    Parameters
    ----------
    images : stack of shape (n, H, W), uint8
        Grey images.
    rows : ndarray of shape (k,), int
        Positions to read.
    device : str
        ``cpu`` or ``cuda``.

    Returns
    -------
    Tensor of shape (k, H, W), uint8
        On the device.
    """
    return on_device(images[rows], device)


def on_device(images: NDArray[np.uint8], device: str) -> torch.Tensor:
    """Move images to the device.

    Parameters
    ----------
    images : ndarray of shape (k, H, W), uint8
    device : str
        ``cpu`` or ``cuda``.

    Returns
    -------
    Tensor of shape (k, H, W), uint8
    """
    import torch

    grey = torch.from_numpy(np.require(images, requirements=["C", "W"]))
    if device == "cpu":
        return grey
    return grey.pin_memory().to(device, non_blocking=True)


def _use_one_thread() -> None:
    """Leave the other cores to the network, whose threads would otherwise wait for this one's."""
    import torch

    torch.set_num_threads(1)
