"""Single preprocessing steps, on images made to show what they do."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data, exposure

from features.preprocessing.centre_crop import CentreCrop
from features.preprocessing.clahe import Clahe
from features.preprocessing.energy_bands import EnergyBands, _bands
from features.preprocessing.histogram_landmarks import PERCENTILES, HistogramLandmarks
from features.preprocessing.letters import LetterSuppression, find_marks
from features.preprocessing.unsharp_mask import UnsharpMask
from tests.helpers import textured

IMAGES = textured(12, 128)[0]


def test_landmarks_bring_percentiles_together() -> None:
    step = HistogramLandmarks().fit(IMAGES)
    darker = (IMAGES.astype(float) ** 1.3 / 255**0.3).astype(np.uint8)
    before, after = (
        np.abs(np.percentile(one, PERCENTILES, axis=(1, 2)).T - step.landmarks_).max(axis=1)
        for one in (darker, step.transform(darker))
    )
    assert after.max() <= 3
    assert (after < before).all()


def test_landmarks_keep_the_order_of_grey_values() -> None:
    step = HistogramLandmarks().fit(IMAGES)
    made = step.transform(IMAGES[:1])[0].astype(int).ravel()
    order = np.argsort(IMAGES[0].ravel(), kind="stable")
    assert (np.diff(made[order]) >= 0).all()


def test_bands_add_up_to_the_image() -> None:
    bands, rest = _bands(IMAGES[0])
    np.testing.assert_allclose(sum(bands) + rest, IMAGES[0], atol=1e-3)


def test_bands_get_the_strength_of_the_training_images() -> None:
    step = EnergyBands().fit(IMAGES)
    grey = 128 + (IMAGES.astype(float) - IMAGES.mean((1, 2), keepdims=True)) * 0.5
    weak = grey.clip(0, 255).astype(np.uint8)
    before, after = (
        np.abs(np.mean([[band.std() for band in _bands(one)[0]] for one in images], axis=0)
               / step.energies_ - 1)
        for images in (weak, step.transform(weak))
    )  # fmt: skip
    assert before.min() > 0.3
    assert after.max() < 0.25  # a band of the result overlaps its neighbours


def test_bands_without_strength_in_small_images_are_read_back() -> None:
    image = np.random.default_rng(0).integers(50, 200, (1, 28, 28)).astype(np.uint8)
    step = EnergyBands().fit(image)
    assert step.energies_[0] == 0
    again = EnergyBands.from_state(step.state())
    np.testing.assert_array_equal(again.transform(image), step.transform(image))


@pytest.mark.parametrize("strength", [np.inf, np.nan, -1.0])
def test_strengths_that_no_band_has_are_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        EnergyBands.from_state({"energies": np.array([strength, 1, 1, 1, 1])})


def test_clahe_evens_the_histogram() -> None:
    image = (data.camera()[::4, ::4] // 4 + 90)[None].astype(np.uint8)
    made = Clahe().transform(image)[0]
    assert made.std() > 1.3 * image.std()
    expected = exposure.equalize_adapthist(image[0], clip_limit=0.01) * 255
    assert np.corrcoef(made.ravel(), expected.ravel())[0, 1] > 0.8


def test_unsharp_mask_raises_edges_and_leaves_flat_parts() -> None:
    image = np.full((1, 100, 100), 100, np.uint8)
    image[:, :, 50:] = 150
    made = UnsharpMask().transform(image)[0].astype(int)
    assert made[50, 50] > 155
    assert made[50, 49] < 95
    assert made[50, 5] == 100
    assert made[50, 95] == 150


@pytest.mark.parametrize("place", [(4, 4), (60, 100), (118, 64)])
def test_a_letter_is_replaced_and_the_rest_stays(place: tuple[int, int]) -> None:
    image = (IMAGES[:1] // 2 + 40).astype(np.uint8)
    lettered = image.copy()
    y, x = place
    lettered[:, y : y + 7, x : x + 2] = 255
    lettered[:, y : y + 2, x : x + 5] = 255
    assert not find_marks(image[0]).any()
    made = LetterSuppression().transform(lettered)
    assert made.max() < 220
    marked = find_marks(lettered[0])
    assert marked[y, x]
    assert marked.mean() < 0.02
    np.testing.assert_array_equal(made[0][~marked], image[0][~marked])


def test_large_bright_regions_stay() -> None:
    image = np.full((1, 128, 128), 60, np.uint8)
    image[:, 40:80, 40:80] = 255
    np.testing.assert_array_equal(LetterSuppression().transform(image), image)


def test_the_centre_stays_and_the_margin_goes() -> None:
    image = np.full((1, 100, 100), 200, np.uint8)
    image[:, 20:80, 20:80] = 100
    image[:, 50:, 50:] += 20
    made = CentreCrop().transform(image)[0]
    assert (made < 150).mean() == pytest.approx(0.36 / 0.85**2, abs=0.03)
    assert made[48, 48] < made[52, 52]
    assert CentreCrop().transform(np.full((1, 50, 50), 9, np.uint8)).max() == 9
