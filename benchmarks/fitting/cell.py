"""A cell is one row of the benchmark: feature set × classifier × seed, or CNN × seed."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from benchmarks.config import RunConfig
from features import FEATURE_SETS
from models import declaration

PIXELS = "pixels"
EXTERNAL = "external"


@dataclass(frozen=True)
class Cell:
    """One row of the benchmark.

    Attributes
    ----------
    features : str
        Key of ``FEATURE_SETS``, ``pixels`` for a model on images, or ``external`` for scores that
        were computed elsewhere.
    model : str
        Key of ``MODELS``, or the name of an external model.
    balance : str
    seed : int
    """

    features: str
    model: str
    balance: str
    seed: int

    @property
    def name(self) -> str:
        """``features/model/seedN``."""
        return f"{self.features}/{self.model}/seed{self.seed}"

    @property
    def random_state(self) -> int:
        """Seed of everything random in the cell; no other cell's presence changes it."""
        key = crc32(f"{self.features}/{self.model}".encode())
        return int(np.random.SeedSequence([self.seed, key]).generate_state(1)[0] >> 1)

    @property
    def families(self) -> tuple[str, ...]:
        """Feature families whose columns it uses."""
        return FEATURE_SETS.get(self.features, ())

    @property
    def on_features(self) -> bool:
        """Whether it is a classifier on feature columns."""
        return self.features in FEATURE_SETS

    @property
    def on_images(self) -> bool:
        """Whether it is a network on the images themselves."""
        return self.features == PIXELS


def plan(config: RunConfig) -> list[Cell]:
    """List all cells of a run in the order of its tables."""
    on_features = [name for name in config.models if not declaration(name).on_images]
    on_images = [name for name in config.models if declaration(name).on_images]
    sampling = "none" if config.balance == "none" else "weighted_sampling"
    return [
        *(Cell(features, model, config.balance, seed) for features in config.features
          for model in on_features for seed in config.seeds),
        *(Cell(PIXELS, model, sampling, seed) for model in on_images for seed in config.seeds),
    ]  # fmt: skip
