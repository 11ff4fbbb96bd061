"""Columns in words: regions and directions are those of the image."""

from __future__ import annotations

import numpy as np
import pytest

from features import FEATURES, Gabor, Hog, ImageDescriptor, Lbp, Ltp

HANDCRAFTED = ("hog", "lbp", "ltp", "glcm", "gabor", "intensity", "scattering")
KNOWN = {
    "lbp/r1/cell00/code00": "bright spots (LBP, radius 1) in the region at row 1, column 1 "
    "(upper left)",
    "lbp/r3/cell48/code12": "edges (12 of 24 neighbours as bright or brighter; LBP, radius 3) "
    "in the region at row 7, column 7 (lower right)",
    "lbp/r2/cell24/code16": "dark spots and even areas (LBP, radius 2) in the region at row 4, "
    "column 4 (middle centre)",
    "ltp/r1/cell00/brighter/code00": "even areas and bright spots (no neighbour brighter; LTP, "
    "radius 1) in the region at row 1, column 1 (upper left)",
    "ltp/r4/cell03/brighter/code18": "edges at 0° (near horizontal; neighbours brighter from 45° "
    "to 135°; LTP, radius 4) in the region at row 1, column 4 (upper right)",
    "ltp/r1/cell15/darker/code08": "dark tips and corners (one neighbour darker, at 315°; LTP, "
    "radius 1) in the region at row 4, column 4 (lower right)",
    "ltp/r1/cell05/darker/code48": "bright tips and corners (neighbours darker from 315° to 180°; "
    "LTP, radius 1) in the region at row 2, column 2 (middle centre)",
    "ltp/r1/cell05/darker/code57": "bright spots (all neighbours darker; LTP, radius 1) in the "
    "region at row 2, column 2 (middle centre)",
    "ltp/r2/cell05/darker/code58": "rough texture (neighbours darker in several directions; LTP, "
    "radius 2) in the region at row 2, column 2 (middle centre)",
    "glcm/d1/entropy/cell03": "disorder (entropy) of neighbouring pixels (GLCM) in the region at "
    "row 1, column 4 (upper right)",
    "glcm/d2/contrast": "contrast of pixels 2 apart (GLCM), whole image",
    "gabor/w08/a090/cell12": "stripes 8 pixels apart at 0° (near horizontal; Gabor) in the region "
    "at row 4, column 1 (lower left)",
    "gabor/w16/a045/std": "unevenness of stripes 16 pixels apart at 45° (rising to the right; "
    "Gabor), whole image",
    "intensity/p05/cell05": "5th percentile of grey values in the region at row 2, column 2 "
    "(middle centre)",
    "scattering/s1/a030/cell05": "stripes 4.2 % of the side apart at 60° (rising to the right; "
    "scattering) in the region at row 2, column 2 (middle centre)",
    "scattering/s0-s3/a000-a090/cell00": "stripes 17 % of the side apart at 0° (near horizontal) "
    "in the strength of stripes 2.1 % of the side apart at 90° (near vertical; scattering) in the "
    "region at row 1, column 1 (upper left)",
    "scattering/mean/cell15": "mean grey value (scattering) in the region at row 4, column 4 "
    "(lower right)",
    "intensity/std": "standard deviation of grey values, whole image",
    "embedding/mobilenetv2_100/0413": "output 413 of the network mobilenetv2_100",
    "embedding_random/resnet18/0007": "output 7 of the network resnet18 with random weights",
    "hog/row03/col07/bin2/block1": "edges at 30–50° (rising to the right) in the region at row 4, "
    "column 8 (middle right)",
}


def fitted(family: str, side: int = 160) -> ImageDescriptor:
    return FEATURES[family]().fit(np.zeros((1, side, side), np.uint8))


@pytest.mark.parametrize("name", [name for name in KNOWN if not name.startswith("embedding")])
def test_known_names(name: str) -> None:
    assert fitted(name.split("/")[0]).in_words(name) == KNOWN[name]


@pytest.mark.parametrize("name", [name for name in KNOWN if name.startswith("embedding")])
def test_outputs_of_a_network_have_no_place(name: str) -> None:
    assert FEATURES[name.split("/")[0]]().in_words(name) == KNOWN[name]


def test_the_region_depends_on_the_parameters() -> None:
    hog = fitted("hog", 224)
    assert hog.in_words("hog/row03/col12/bin0/block1").endswith("row 4, column 13 (upper right)")
    lbp = Lbp(grid=2).fit(np.zeros((1, 64, 64), np.uint8))
    assert lbp.in_words("lbp/r1/cell02/code09").endswith("row 2, column 1 (lower left)")


def test_every_handcrafted_column_has_words() -> None:
    for family in HANDCRAFTED:
        descriptor = fitted(family, 64)
        assert all(map(descriptor.in_words, descriptor.get_feature_names_out()))


class Minimal(ImageDescriptor):
    """A family that declares nothing but its title."""

    title = "Minimal"

    def __init__(self, grid: int = 2) -> None:
        self.grid = grid

    def describe(self, image: np.ndarray) -> np.ndarray:
        return np.array([image.min(), image.max(), image.max()])

    def feature_names(self, height: int, width: int) -> list[str]:
        return ["minimal/low", "minimal/high/cell3/robust", "minimal"]


def test_defaults_read_a_grid_of_cells_and_the_first_element() -> None:
    minimal = Minimal().fit(np.zeros((1, 16, 32), np.uint8))
    names = list(minimal.get_feature_names_out())
    assert [minimal.part(name) for name in names] == ["low", "high", "minimal"]
    assert [minimal.in_words(name) for name in names] == [
        "Minimal: low, whole image",
        "Minimal: high robust in the region at row 2, column 2 (lower right)",
        "Minimal: minimal, whole image",
    ]
    region = minimal.region(names[1])
    assert region is not None
    assert region[5:] == (8, 16, 16, 32)
    assert minimal.region(names[0]) is None


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
    assert f"{words} to the right" in descriptor.in_words(name)


@pytest.mark.parametrize(("axis", "words"), [(0, "near horizontal"), (1, "near vertical")])
def test_upright_and_level_edges(axis: int, words: str) -> None:
    image = np.where(np.indices((64, 64))[axis] > 31, 200, 20).astype(np.uint8)
    hog = Hog().fit(image[None])
    name = str(hog.get_feature_names_out()[hog.transform(image[None])[0].argmax()])
    assert words in hog.in_words(name)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (half_plane(rising=True), "rising to the right"),
        (half_plane(rising=False), "falling to the right"),
        (np.where(np.indices((64, 64))[0] > 31, 200, 20).astype(np.uint8), "near horizontal"),
        (np.where(np.indices((64, 64))[1] > 31, 200, 20).astype(np.uint8), "near vertical"),
    ],
)
def test_ternary_patterns_name_the_direction_of_an_edge(image: np.ndarray, words: str) -> None:
    ltp = Ltp().fit(image[None])
    row = ltp.transform(image[None])[0]
    described = [ltp.in_words(str(name)) for name in ltp.get_feature_names_out()]
    edges = {k: row[k] for k, text in enumerate(described) if text.startswith("edges")}
    for pattern in ("brighter", "darker"):
        own = {k: value for k, value in edges.items() if f"neighbours {pattern}" in described[k]}
        assert words in described[max(own, key=lambda k: own[k])]
