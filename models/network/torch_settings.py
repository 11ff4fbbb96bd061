"""Settings of torch: device, number format, reproducibility."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def best_device() -> str:
    """Return ``cuda`` if available, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_precision(device: str) -> str:
    """Return the fastest number format for training.

    Parameters
    ----------
    device : str
        ``cpu`` or ``cuda``.

    Returns
    -------
    str
        ``bfloat16`` if the device supports it in hardware, else ``float32``.
    """
    import torch

    if device == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        fast = any(getattr(torch.cpu, name, bool)() for name in names)
    return "bfloat16" if fast else "float32"


@contextmanager
def deterministic(device: str, seed: int, threads: int | None) -> Iterator[None]:
    """Seed torch, use deterministic kernels only, and restore all settings afterwards.

    Parameters
    ----------
    device : str
        ``cpu`` or ``cuda``.
    seed : int
        Random seed of the network's own random numbers, such as dropout.
    threads : int or None
        Number of threads. None: torch's own setting.
    """
    import torch

    devices = range(torch.cuda.device_count()) if device == "cuda" else []
    before = torch.get_num_threads()
    with (
        torch.random.fork_rng(devices=devices),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed_all(seed)
        torch.set_num_threads(threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)
