"""Image → numbers. Knows nothing of labels, models or reports; loads no torch.

To add a feature family, write a subclass of :class:`ImageDescriptor` in a file of its own and name
it in ``FEATURES``; it is then a feature set of that name, too.
"""

from __future__ import annotations

from features.base import ImageDescriptor
from features.embedding import FrozenEmbedding, RandomEmbedding
from features.gabor import Gabor
from features.glcm import Glcm
from features.hog import Hog
from features.intensity import Intensity
from features.lbp import Lbp
from features.ltp import Ltp
from features.scattering import Scattering

FEATURES: dict[str, type[ImageDescriptor]] = {
    "hog": Hog,
    "lbp": Lbp,
    "ltp": Ltp,
    "glcm": Glcm,
    "gabor": Gabor,
    "intensity": Intensity,
    "scattering": Scattering,
    "embedding": FrozenEmbedding,
    "embedding_random": RandomEmbedding,
}

TEXTURE = ("glcm", "gabor", "intensity")
HANDCRAFTED = ("hog", "lbp", *TEXTURE)
COMBINED: dict[str, tuple[str, ...]] = {
    "texture": TEXTURE,
    "handcrafted": HANDCRAFTED,
    "hybrid": (*HANDCRAFTED, "embedding"),
}
DEFAULT_FEATURE_SETS = (
    "hog", "lbp", "ltp", "texture", "handcrafted", "embedding", "embedding_random", "hybrid",
)  # fmt: skip


def all_feature_sets() -> dict[str, tuple[str, ...]]:
    """Families of each feature set: every family alone, and the combined sets.

    Returns
    -------
    dict of tuple of str
        Keys of ``FEATURES`` by the name of the set, in the order of its columns.

    Examples
    --------
    >>> all_feature_sets()["lbp"], all_feature_sets()["texture"]
    (('lbp',), ('glcm', 'gabor', 'intensity'))
    """
    return {**{family: (family,) for family in FEATURES}, **COMBINED}
