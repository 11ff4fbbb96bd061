"""How torch computes: in which number format, and the same way each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def best_device() -> str:
    """``cuda`` where there is one, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_precision(device: str) -> str:
    """``bfloat16`` where the device computes in it, ``float32`` where it would only emulate it."""
    import torch

    if device == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        fast = any(getattr(torch.cpu, name, bool)() for name in names)
    return "bfloat16" if fast else "float32"


@contextmanager
def deterministic(device: str, seed: int, threads: int | None) -> Iterator[None]:
    """Seed torch, forbid kernels that vary from run to run, and restore everything afterwards.

    Parameters
    ----------
    device : str
        ``cpu`` or ``cuda``.
    seed : int
        Of what a network draws itself, such as dropout.
    threads : int or None
        None leaves torch's own setting.
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
