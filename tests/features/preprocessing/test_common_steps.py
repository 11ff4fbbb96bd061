"""What every preprocessing step must do."""

from __future__ import annotations

import json

import numpy as np
import pytest

from features.preprocessing import PREPROCESSING, PreprocessingStep
from tests.helpers import textured

IMAGES = textured(8, 96)[0]


@pytest.fixture(scope="module", params=PREPROCESSING)
def step(request: pytest.FixtureRequest) -> PreprocessingStep:
    return PREPROCESSING[request.param]().fit(IMAGES)


def test_shape_and_type_stay_and_the_input_is_not_changed(step: PreprocessingStep) -> None:
    before = IMAGES.copy()
    made = step.transform(IMAGES)
    assert made.shape == IMAGES.shape
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(IMAGES, before)
    assert step.transform(IMAGES[:0]).shape == (0, 96, 96)


def test_an_image_does_not_depend_on_the_others(step: PreprocessingStep) -> None:
    whole, order = step.transform(IMAGES), [5, 0, 3]
    np.testing.assert_array_equal(step.transform(IMAGES[order]), whole[order])


def test_state_is_read_back_through_json(step: PreprocessingStep) -> None:
    stored = json.loads(json.dumps({key: one.tolist() for key, one in step.state().items()}))
    again = type(step).from_state({key: np.asarray(one) for key, one in stored.items()})
    np.testing.assert_array_equal(again.transform(IMAGES), step.transform(IMAGES))


def test_a_foreign_state_is_refused(step: PreprocessingStep) -> None:
    with pytest.raises((ValueError, KeyError)):
        type(step).from_state({"other": np.array([1.0])})
    broken = {key: np.full_like(one, np.nan, dtype=float) for key, one in step.state().items()}
    if broken:
        with pytest.raises((ValueError, KeyError)):
            type(step).from_state(broken)


@pytest.mark.parametrize("grey", [0, 130, 255])
def test_constant_images_pass(step: PreprocessingStep, grey: int) -> None:
    made = step.transform(np.full((2, 96, 96), grey, np.uint8))
    assert made.shape == (2, 96, 96)
    assert np.ptp(made.astype(int)) <= 1


def test_the_description_names_its_references(step: PreprocessingStep) -> None:
    text = step.description.format_map({key: f"<{key}>" for key in step.references})
    assert text
    assert all(f"<{key}>" in text for key in step.references)
    assert (type(step).__doc__ or "").strip().splitlines()[0].endswith(".")
