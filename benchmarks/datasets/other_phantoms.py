"""Phantoms of another hospital: other patients, exposure, framing, marks and prevalence.

Made by the program that draws ``phantoms``, from random numbers of their own. They show what an
external test reports; they say nothing about hospitals. Train and test have the same equipment.
"""

from __future__ import annotations

from benchmarks.config import RunConfig
from benchmarks.datasets import phantoms
from benchmarks.datasets.dataset import Dataset

IMAGE_SIZE = phantoms.IMAGE_SIZE
N_IMAGES = 300


def load(config: RunConfig, size: int) -> Dataset:
    """Generate the phantoms of the other hospital, the same for every seed of a run.

    Parameters
    ----------
    config : RunConfig
        ``quiet`` applies.
    size : int
        Side in pixels.

    Returns
    -------
    Dataset
    """
    return phantoms.generate(N_IMAGES, size, quiet=config.quiet, hospital="other")
