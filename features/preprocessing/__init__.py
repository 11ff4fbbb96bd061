"""Grey images to grey images: steps learnt on training images, and random changes.

To add a step, write a subclass of :class:`PreprocessingStep` in a file of its own and name it in
``PREPROCESSING``.
"""

from __future__ import annotations

from features.preprocessing.centre_crop import CentreCrop
from features.preprocessing.clahe import Clahe
from features.preprocessing.energy_bands import EnergyBands
from features.preprocessing.histogram_landmarks import HistogramLandmarks
from features.preprocessing.letters import LetterSuppression
from features.preprocessing.registration import Registration
from features.preprocessing.step import PreprocessingStep
from features.preprocessing.unsharp_mask import UnsharpMask

PREPROCESSING: dict[str, type[PreprocessingStep]] = {
    "registration": Registration,
    "centre-crop": CentreCrop,
    "letters": LetterSuppression,
    "histogram-landmarks": HistogramLandmarks,
    "energy-bands": EnergyBands,
    "clahe": Clahe,
    "unsharp-mask": UnsharpMask,
}
