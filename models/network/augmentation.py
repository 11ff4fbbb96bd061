"""Random batches of training images and their augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

AUGMENTATION = {"flip": 0.5, "smallest_crop": 0.8, "brightness": 0.1, "contrast": 0.2}


def augment(grey: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Flip, crop, brighten and change the contrast of each image at random.

    Parameters
    ----------
    grey : Tensor of shape (n, H, W), float32 in [0, 1]
        Grey images.
    generator : torch.Generator
        Source of random numbers, on the CPU.

    Returns
    -------
    Tensor of shape (n, H, W), float32 in [0, 1]
        Half of the images are mirrored. A random rectangle with sides of 0.8 to 1 times the
        image's is enlarged to H × W. Contrast about the image's mean is multiplied by 0.8 to 1.2,
        and brightness shifted by up to 0.1.
    """
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    n = len(grey)
    draws = torch.rand(7, n, generator=generator)
    side = 1 - (1 - AUGMENTATION["smallest_crop"]) * draws[:2]
    centre = (1 - side) * (2 * draws[2:4] - 1)
    mirror = torch.where(draws[4] < AUGMENTATION["flip"], -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = side[0] * mirror, side[1]
    theta[:, 0, 2], theta[:, 1, 2] = centre[0], centre[1]
    grid = affine_grid(theta.to(grey.device), [n, 1, *grey.shape[1:]], align_corners=False)
    crops = grid_sample(grey.unsqueeze(1), grid, padding_mode="border", align_corners=False)
    crops = crops.squeeze(1)
    spread = torch.tensor([[AUGMENTATION["contrast"]], [AUGMENTATION["brightness"]]])
    contrast, brightness = ((2 * draws[5:] - 1) * spread).to(grey.device).view(2, n, 1, 1)
    mean = crops.mean(dim=(1, 2), keepdim=True)
    return ((crops - mean) * (1 + contrast) + mean + brightness).clamp(0, 1)


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
