"""Near duplicates: planted copies are found, similar images are not confused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.audit.near_duplicates import (
    CONFIRMED,
    candidate_pairs,
    detail_correlation,
    near_duplicates,
    perceptual_hash,
)
from benchmarks.checks.near_duplicate_recall import PLANTS, planted
from benchmarks.datasets.phantoms import generate
from benchmarks.io.image_stack import ImageFile
from tests.helpers import textured


@pytest.fixture(scope="module")
def phantoms() -> NDArray[np.uint8]:
    """One image per patient, so that no two show the same anatomy."""
    dataset = generate(n_images=80, size=128)
    first = ~dataset.manifest.duplicated("group").to_numpy()
    return np.asarray(dataset.images[first])


def test_hash_is_the_sign_pattern_of_the_low_cosine_coefficients() -> None:
    """A cosine along x alone: one coefficient is far above the median, all others are near 0."""
    x = np.cos(np.pi * (np.arange(32) + 0.5) * 3 / 32)
    wave = np.rint(128 + 100 * np.tile(x, (32, 1))).astype(np.uint8)
    wave_down = wave.T
    bits = np.unpackbits(perceptual_hash(np.stack([wave, wave_down])).view(np.uint8).reshape(2, 8))
    across, down = bits.reshape(2, 8, 8)
    assert across[0, 0] == 1  # the mean
    assert across[0, 3] == 1
    assert down[3, 0] == 1
    assert perceptual_hash(wave[None]).dtype == np.uint64


def test_hash_ignores_brightness() -> None:
    images, _ = textured(3, 64)
    darker = (images // 2 + 20).astype(np.uint8)
    distance = np.bitwise_count(perceptual_hash(images) ^ perceptual_hash(darker))
    assert distance.max() <= 2


def test_candidates_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 60, dtype=np.uint64)
    hashes[40:] = hashes[:20] ^ np.uint64(0b10110)  # three bits
    expected = [[i, j] for i in range(60) for j in range(i + 1, 60)
                if bin(int(hashes[i]) ^ int(hashes[j])).count("1") <= 3]  # fmt: skip
    assert len(expected) >= 20
    for comparisons in (1, 600, 2**22):
        monkeypatch.setattr("benchmarks.audit.near_duplicates._COMPARISONS", comparisons)
        assert np.concatenate(list(candidate_pairs(hashes, 3))).tolist() == expected


def test_correlation_ignores_shift_and_brightness_but_not_other_noise(
    phantoms: NDArray[np.uint8],
) -> None:
    image, other = phantoms[:2]
    matrix = np.array([[1, 0, 3], [0, 1, -2]], dtype=np.float32)
    shifted = cv2.warpAffine(image, matrix, (128, 128), borderMode=cv2.BORDER_REPLICATE)
    assert detail_correlation(image, image) == pytest.approx(1, abs=1e-3)
    assert detail_correlation(image, shifted // 2 + 60) > CONFIRMED
    assert detail_correlation(image, other) < CONFIRMED


def test_constant_images_correlate_with_nothing() -> None:
    grey = np.full((3, 64, 64), 80, np.uint8)
    assert detail_correlation(grey[0], grey[1]) == 0
    assert near_duplicates(grey).empty


@pytest.mark.parametrize("name", [name for name in PLANTS if "beyond" not in name])
def test_only_planted_phantoms_are_found(phantoms: NDArray[np.uint8], name: str) -> None:
    line = planted(phantoms, name, np.arange(0, len(phantoms), 3))
    assert line["recall"] >= 0.9
    assert line["false"] == 0


def test_a_file_gives_the_pairs_of_an_array(phantoms: NDArray[np.uint8]) -> None:
    images = np.concatenate([phantoms[:10], phantoms[4:6] // 2 + 50])
    file = ImageFile(None, 128)
    for image in images:
        file.append(image)
    table = near_duplicates(file.images())
    assert table[["first", "second"]].to_numpy().tolist() == [[4, 10], [5, 11]]
    assert table.equals(near_duplicates(images))


def test_no_or_one_image_has_no_duplicate(phantoms: NDArray[np.uint8]) -> None:
    assert near_duplicates(phantoms[:0]).empty
    assert near_duplicates(phantoms[:1]).empty
