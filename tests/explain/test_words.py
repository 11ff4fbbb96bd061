"""Names of features in words: places and directions are those of the picture."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.explain.words import in_words
from features import FEATURES, Gabor, Hog, Lbp
from features.base import ImageDescriptor

KNOWN = {
    "lbp/r1/cell00/code00": "bright spots (LBP, radius 1) in the field at row 1, column 1 "
    "(upper left)",
    "lbp/r3/cell48/code12": "edges (12 of 24 neighbours as bright or brighter; LBP, radius 3) "
    "in the field at row 7, column 7 (lower right)",
    "lbp/r2/cell24/code16": "dark spots and even areas (LBP, radius 2) in the field at row 4, "
    "column 4 (middle centre)",
    "glcm/d1/entropy/cell03": "disorder (entropy) of neighbouring pixels (GLCM) in the field at "
    "row 1, column 4 (upper right)",
    "glcm/d2/contrast": "contrast of pixels 2 apart (GLCM), whole picture",
    "gabor/w08/a090/cell12": "stripes 8 pixels apart at 0° (near horizontal; Gabor) in the field "
    "at row 4, column 1 (lower left)",
    "gabor/w16/a045/std": "unevenness of stripes 16 pixels apart at 45° (rising to the right; "
    "Gabor), whole picture",
    "intensity/p05/cell05": "5th percentile of grey values in the field at row 2, column 2 "
    "(middle centre)",
    "intensity/std": "spread of grey values, whole picture",
    "embedding/mobilenetv2_100/0413": "output 413 of the network mobilenetv2_100",
    "embedding_random/resnet18/0007": "output 7 of the network resnet18 with random weights",
    "hog/row03/col07/bin2/block1": "edges at 30–50° (rising to the right) in the cell at row 4, "
    "column 8",
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_names(name: str) -> None:
    assert in_words(name) == KNOWN[name]


def test_a_fitted_descriptor_tells_the_place() -> None:
    hog = Hog().fit(np.zeros((1, 224, 224), np.uint8))
    assert in_words("hog/row03/col12/bin0/block1", hog).endswith("row 4, column 13 (upper right)")
    lbp = Lbp(grid=2).fit(np.zeros((1, 64, 64), np.uint8))
    assert in_words("lbp/r1/cell02/code09", lbp).endswith("row 2, column 1 (lower left)")


def test_every_handcrafted_column_has_words() -> None:
    for family in ("hog", "lbp", "glcm", "gabor", "intensity"):
        descriptor = FEATURES[family]().fit(np.zeros((1, 64, 64), np.uint8))
        names = descriptor.get_feature_names_out()
        assert all(in_words(name, descriptor) for name in names)


def half_plane(rising: bool, side: int = 64) -> np.ndarray:
    """Bright below a line at 45° through the middle."""
    rows, columns = np.mgrid[:side, :side]
    return np.where(rows + columns > side if rising else rows > columns, 200, 20).astype(np.uint8)


@pytest.mark.parametrize(("rising", "words"), [(True, "rising"), (False, "falling")])
@pytest.mark.parametrize("descriptor", [Hog(orientations=9), Gabor(wavelengths=(8,))])
def test_directions_are_those_seen(descriptor: ImageDescriptor, rising: bool, words: str) -> None:
    """The strongest feature of an edge names its direction as a viewer would."""
    image = half_plane(rising)
    row = descriptor.fit_transform(image[None])[0]
    name = str(descriptor.get_feature_names_out()[row.argmax()])
    assert f"{words} to the right" in in_words(name, descriptor)


@pytest.mark.parametrize(("axis", "words"), [(0, "near horizontal"), (1, "near vertical")])
def test_upright_and_level_edges(axis: int, words: str) -> None:
    image = np.where(np.indices((64, 64))[axis] > 31, 200, 20).astype(np.uint8)
    hog = Hog().fit(image[None])
    name = str(hog.get_feature_names_out()[hog.transform(image[None])[0].argmax()])
    assert words in in_words(name, hog)


@pytest.mark.parametrize("name", ["zernike/1", "hog", ""])
def test_a_foreign_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected a name that begins with one of hog/, lbp/"):
        in_words(name)
