"""Tests of registration: known maps, failures, order, state."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from features.preprocessing import PREPROCESSING
from features.preprocessing.registration import GRID, REASONS, Limits, Registration, _frame

SIDE = 112
PIXEL = 2 / GRID  # of the template, in half image sides
CORNERS = np.array([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1], [0, 0, 1]]) * (0.8, 0.8, 1)


def chest(side: int = SIDE) -> np.ndarray:
    """Two dark fields beside a bright column; smooth, and without symmetry."""
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = axis[None, :], axis[:, None]
    grey = 0.9 - 0.4 * np.clip(np.abs(x) - 0.75, 0, None) * 4
    for centre, width, height, depth in ((-0.42, 0.24, 0.55, 0.6), (0.40, 0.20, 0.45, 0.5)):
        grey = grey - depth * np.exp(-(((x - centre) / width) ** 4) - ((y + 0.1) / height) ** 4)
    grey = grey + 0.2 * np.exp(-(((x - 0.15) / 0.2) ** 2) - ((y - 0.2) / 0.25) ** 2)
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def relative(angle: float, scale: float, right: float, down: float) -> np.ndarray:
    """Map from the template to the image."""
    cos, sin = np.cos(np.deg2rad(angle)) * scale, np.sin(np.deg2rad(angle)) * scale
    return np.array([[cos, -sin, right], [sin, cos, down], [0, 0, 1]])


def moved(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Warp so that ``matrix`` maps the original to the result."""
    side = len(image)
    pixels = np.array([[2 / side, 0, 1 / side - 1], [0, 2 / side, 1 / side - 1], [0, 0, 1]])
    forward = np.linalg.inv(pixels) @ matrix @ pixels
    return cv2.warpAffine(image, forward[:2], (side, side), borderMode=cv2.BORDER_REPLICATE)


@pytest.fixture(scope="module")
def fitted() -> Registration:
    return Registration().fit(chest()[None])


MOVES = [relative(*change) for change in (
    (8, 1.0, 0.0, 0.0), (-8, 0.85, 0.1, -0.1), (4, 1.2, -0.15, 0.1), (0, 0.8, 0.2, 0.2),
    (0, 1.0, -0.2, -0.2), (-5, 1.15, 0.2, 0.0),
)]  # fmt: skip


@pytest.mark.parametrize("matrix", MOVES)
def test_recovers_a_known_map(fitted: Registration, matrix: np.ndarray) -> None:
    image = moved(chest(), matrix)[None]
    alignment = fitted.align(image)
    assert alignment.registered.all(), alignment
    error = CORNERS @ (alignment.matrices[0] - matrix[:2]).T
    assert np.linalg.norm(error, axis=1).max() < PIXEL
    assert alignment.after[0] > alignment.before[0]


def test_transform_restores_a_moved_image(fitted: Registration) -> None:
    frame = np.array([-0.6, -0.6, 0.6, 0.6])
    step = Registration.from_state(fitted.state() | {"frame": frame})
    changed = moved(chest(), MOVES[1])
    wanted, restored = step.transform(np.stack([chest(), changed])).astype(float)
    before = np.abs(changed.astype(float) - chest()).mean()
    assert np.abs(restored - wanted).mean() < 0.15 * before


def test_exposure_changes_nothing_much(fitted: Registration) -> None:
    image = moved(chest(), MOVES[0])
    darker = np.rint(20 + 0.5 * image.astype(float)).astype(np.uint8)
    found = fitted.align(np.stack([image, darker])).matrices
    assert np.abs(found[0] - found[1]).max() < 0.1 * PIXEL


def test_the_template_itself_is_not_moved(fitted: Registration) -> None:
    alignment = fitted.align(chest()[None])
    assert np.abs(alignment.matrices[0] - np.eye(2, 3)).max() < 1e-3
    assert alignment.after[0] > 0.9999


def test_size_and_shape_do_not_matter(fitted: Registration) -> None:
    large = cv2.resize(chest(224), (300, 200), interpolation=cv2.INTER_AREA)
    matrix = fitted.align(large[None]).matrices[0]
    assert np.abs(matrix - np.eye(2, 3)).max() < 0.3 * PIXEL


def test_failures_are_named_and_only_cut_to_the_frame(fitted: Registration) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    images = np.stack([
        noise, np.full((SIDE, SIDE), 99, np.uint8), moved(chest(), relative(25, 1, 0, 0)),
        moved(chest(), relative(0, 0.45, 0, 0)),
    ])  # fmt: skip
    alignment = fitted.align(images)
    assert (alignment.reason != "").all()
    assert set(alignment.reason) <= set(REASONS)
    assert alignment.reason[1] == "no contrast"
    assert (alignment.matrices == np.eye(2, 3)).all()
    np.testing.assert_array_equal(fitted.transform(images), images)  # here the whole image
    step = Registration.from_state(fitted.state() | {"frame": np.array([-0.5, -1, 0.5, 1])})
    middle = images[0][:, SIDE // 4 : -SIDE // 4]
    halves = step.transform(images)[0][:, ::2].astype(float) + step.transform(images)[0][:, 1::2]
    np.testing.assert_allclose(halves[:, 1:-1] / 2, smooth(middle)[:, 1:-1], atol=2)


def smooth(image: np.ndarray) -> np.ndarray:
    """Mean of the two pixels that linear interpolation makes of each."""
    padded = np.pad(image.astype(float), ((0, 0), (1, 1)), mode="edge")
    return 0.75 * padded[:, 1:-1] + 0.125 * (padded[:, :-2] + padded[:, 2:])


def test_no_pixel_comes_from_outside_the_original() -> None:
    changes = [(4, 0.9, 0.05, 0), (-4, 1.1, 0, 0.1), (2, 1.2, -0.1, 0), (0, 0.8, 0.1, 0.1)]
    images = np.stack([moved(chest(), relative(*change)) for change in changes])
    step = Registration().fit(images)
    assert (np.abs(step.frame_) < 1).any()
    alignment = step.align(images)
    assert alignment.registered.all()
    matrices, displaced = step.framed(alignment)
    corners = np.array([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]])
    assert np.abs(corners @ matrices.transpose(0, 2, 1)).max() <= 1 + 1e-9
    assert displaced.any()
    assert not displaced.all()


def test_fitting_again_forgets_the_frame() -> None:
    changes = [(4, 0.9, 0.05, 0), (-4, 1.1, 0, 0.1), (2, 1.2, -0.1, 0), (0, 0.8, 0.1, 0.1)]
    step = Registration().fit(np.stack([moved(chest(), relative(*one)) for one in changes]))
    assert (np.abs(step.frame_) < 1).any()
    noise = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE)).astype(np.uint8)
    step.fit(noise)
    assert not step.align(noise).registered.any()
    np.testing.assert_array_equal(step.frame_, Registration().fit(noise).frame_)


def test_the_frame_is_where_most_training_images_reach() -> None:
    rng = np.random.default_rng(0)
    matrices = np.tile(np.eye(2, 3), (1000, 1, 1))
    matrices[:, 0, 2] = rng.uniform(-0.2, 0.2, 1000)  # right: the image reaches less far left
    left, upper, right, lower = _frame(matrices)
    np.testing.assert_allclose([left, right], [-0.82, 0.82], atol=0.02)
    assert (upper, lower) == (-1, 1)


@pytest.mark.parametrize(
    ("limits", "matrix", "reason"),
    [
        (Limits(rotation=3), relative(8, 1, 0, 0), "rotation"),
        (Limits(shift=0.05), relative(0, 1, 0.2, 0), "shift"),
        (Limits(smallest=0.95), relative(0, 0.85, 0, 0), "scale"),
        (Limits(shear=0.02), np.array([[1, 0.1, 0], [0.1, 1, 0], [0, 0, 1.0]]), "shear"),
        (Limits(overlap=0.9), relative(0, 1.2, 0, 0), "overlap"),
        (Limits(correlation=1.0), relative(3, 1, 0, 0), "correlation"),
    ],
)
def test_every_limit_has_a_reason(limits: Limits, matrix: np.ndarray, reason: str) -> None:
    step = Registration(limits).fit(chest()[None])
    assert step.align(moved(chest(), matrix)[None]).reason.tolist() == [reason]


def test_an_image_does_not_depend_on_the_others(fitted: Registration) -> None:
    images = np.stack([moved(chest(), matrix) for matrix in MOVES])
    together = fitted.transform(images)
    np.testing.assert_array_equal(fitted.transform(images[::-1])[::-1], together)
    np.testing.assert_array_equal(fitted.transform(images[2:3]), together[2:3])
    assert fitted.transform(images[:0]).shape == (0, SIDE, SIDE)
    assert fitted.align(images[:0]).matrices.shape == (0, 2, 3)


def test_the_template_does_not_drift() -> None:
    changes = ((6, 1.1, 0.2, 0.1), (2, 1.15, 0.1, 0.1), (4, 1.2, 0.15, 0.2))
    matrices = [relative(*change) for change in changes]
    images = np.stack([moved(chest(), matrix) for matrix in matrices])
    step = Registration().fit(images)
    alignment = step.align(images)
    assert alignment.registered.all()
    assert np.abs(alignment.matrices.mean(axis=0) - np.eye(2, 3)).max() < PIXEL
    assert (alignment.after > 0.99).all()


def test_state_makes_an_equal_step(fitted: Registration) -> None:
    images = np.stack([moved(chest(), matrix) for matrix in MOVES])
    state = {name: np.asarray(value.tolist()) for name, value in fitted.state().items()}
    again = PREPROCESSING["registration"].from_state(state)
    assert isinstance(again, Registration)
    assert again.limits == fitted.limits
    np.testing.assert_array_equal(again.transform(images), fitted.transform(images))


@pytest.mark.parametrize(
    "change",
    [
        {"template": np.zeros((GRID, GRID + 1))}, {"template": np.full((GRID, GRID), np.nan)},
        {"template": np.full((GRID, GRID), "a")}, {"limits": np.zeros(3)}, {"frame": np.zeros(4)},
        {"other": np.zeros(1)},
    ],
)  # fmt: skip
def test_foreign_state_is_refused(fitted: Registration, change: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="registration expected"):
        Registration.from_state(fitted.state() | change)


def test_needs_contrast_and_a_template() -> None:
    blank = np.zeros((2, SIDE, SIDE), np.uint8)
    with pytest.raises(ValueError, match="2 training images without contrast"):
        Registration().fit(blank)
    with pytest.raises(ValueError, match="Call fit"):
        Registration().align(blank)
