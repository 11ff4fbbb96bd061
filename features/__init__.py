"""Image → numbers. Knows nothing of labels, models or reports; loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from features.base import ImageDescriptor
from features.embedding import FrozenEmbedding
from features.gabor import Gabor
from features.glcm import Glcm
from features.hog import Hog
from features.intensity import Intensity
from features.lbp import Lbp

FEATURES: dict[str, Callable[..., ImageDescriptor]] = {
    "hog": Hog,
    "lbp": Lbp,
    "glcm": Glcm,
    "gabor": Gabor,
    "intensity": Intensity,
    "embedding": FrozenEmbedding,
    "embedding_random": partial(FrozenEmbedding, pretrained=False),
}

TEXTURE = ("glcm", "gabor", "intensity")
HANDCRAFTED = ("hog", "lbp", *TEXTURE)
FEATURE_SETS: dict[str, tuple[str, ...]] = {
    "hog": ("hog",),
    "lbp": ("lbp",),
    "texture": TEXTURE,
    "handcrafted": HANDCRAFTED,
    "embedding": ("embedding",),
    "embedding_random": ("embedding_random",),
    "hybrid": (*HANDCRAFTED, "embedding"),
    "glcm": ("glcm",),
    "gabor": ("gabor",),
    "intensity": ("intensity",),
}
DEFAULT_FEATURE_SETS = (
    "hog", "lbp", "texture", "handcrafted", "embedding", "embedding_random", "hybrid",
)  # fmt: skip
