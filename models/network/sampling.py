"""Random batches of training images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def draw_batches(
    target: torch.Tensor, size: int, balance: bool, generator: torch.Generator
) -> torch.Tensor:
    """Draw the images of each batch of one epoch.

    Parameters
    ----------
    target : Tensor of shape (n,), int64
        Class of each training image.
    size : int
        Images per batch; n if that is smaller.
    balance : bool
        Whether to draw with replacement, each class equally often; else each image at most once.
    generator : torch.Generator
        Source of random numbers, on the CPU.

    Returns
    -------
    Tensor of shape (n // size, size), int64
        Positions in ``target``. All batches are full, so batch norm never gets a single image.
    """
    import torch
    from torch.utils.data import RandomSampler, WeightedRandomSampler

    size = min(size, len(target))
    count = len(target) // size * size
    if balance:
        weights = 1 / torch.bincount(target).double()[target]
        sampler: Any = WeightedRandomSampler(weights, count, generator=generator)
    else:
        sampler = RandomSampler(target, num_samples=count, generator=generator)
    return torch.tensor(list(sampler)).view(-1, size)
