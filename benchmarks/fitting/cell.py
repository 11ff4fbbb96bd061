"""A cell is one row of the benchmark: feature set × classifier × seed, or CNN × seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from benchmarks.config import RunConfig
from benchmarks.extraction.given_features import is_given
from features import all_feature_sets
from models import declaration

PIXELS = "pixels"
EXTERNAL = "external"
COMBINED = "combined"


@dataclass(frozen=True)
class Cell:
    """One row of the benchmark: what is fitted, with all its settings.

    Attributes
    ----------
    features : str
        Name of a feature set or several joined by ``+``, ``pixels`` for a model on images,
        ``external`` for scores of an external model, or ``combined`` for a combination of cells.
    model : str
        Key of ``MODELS`` or ``COMBINATIONS``, or the name of an external model.
    balance : str
        Key of ``BALANCES``, ``weighted_sampling`` or ``none``.
    seed : int
    tune : bool
        Whether hyperparameters are searched on the training images.
    """

    features: str
    model: str
    balance: str
    seed: int
    tune: bool = field(default=False, kw_only=True)

    @property
    def name(self) -> str:
        """``features/model/seedN``."""
        return f"{self.features}/{self.model}/seed{self.seed}"

    @property
    def random_state(self) -> int:
        """Seed of all random numbers in the cell; it does not depend on the other cells."""
        key = crc32(f"{self.features}/{self.model}".encode())
        return int(np.random.SeedSequence([self.seed, key]).generate_state(1)[0] >> 1)

    @property
    def families(self) -> tuple[str, ...]:
        """Feature families whose columns the cell uses."""
        return families_of(self.features)

    @property
    def on_features(self) -> bool:
        """Whether the cell is a classifier on feature columns."""
        return bool(families_of(self.features))

    @property
    def given(self) -> bool:
        """Whether columns come from a table, which has no rows for copies and views of images."""
        return any(map(is_given, self.families))

    @property
    def on_images(self) -> bool:
        """Whether the cell is a network on images."""
        return self.features == PIXELS

    @property
    def on_cells(self) -> bool:
        """Whether the cell combines the scores of other cells."""
        return self.features == COMBINED


def families_of(features: str) -> tuple[str, ...]:
    """Return the feature families of a feature set.

    Parameters
    ----------
    features : str
        See :class:`Cell`; names of feature sets joined by ``+`` have the families of all. A name
        that is no known feature set is one of ``--features-from``, whose only family has the same
        name.

    Returns
    -------
    tuple of str
        Empty for cells on images or on other cells, and for external models.

    Examples
    --------
    >>> families_of("texture"), families_of("raddino"), families_of("pixels")
    (('glcm', 'gabor', 'intensity'), ('raddino',), ())
    >>> families_of("texture+ltp")
    ('glcm', 'gabor', 'intensity', 'ltp')
    """
    if features in (PIXELS, EXTERNAL, COMBINED):
        return ()
    known = all_feature_sets()
    each = (known.get(name, (name,)) for name in features.split("+"))
    return tuple(dict.fromkeys(family for families in each for family in families))


def plan(config: RunConfig) -> list[Cell]:
    """List the cells of a run in the order of its tables.

    Parameters
    ----------
    config : RunConfig

    Returns
    -------
    list of Cell
    """
    on_features = [name for name in config.models if not declaration(name).on_images]
    on_images = [name for name in config.models if declaration(name).on_images]
    sampling = "none" if config.balance == "none" else "weighted_sampling"
    return [
        *(Cell(features, model, config.balance, seed, tune=config.tune)
          for features in config.features for model in on_features for seed in config.seeds),
        *(Cell(COMBINED, method, "none", seed)
          for method in config.combine for seed in config.seeds),
        *(Cell(PIXELS, model, sampling, seed) for model in on_images for seed in config.seeds),
    ]  # fmt: skip
