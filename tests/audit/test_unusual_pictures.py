"""Pictures unlike the training images are listed, with what they seem to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.audit.checks import audit
from benchmarks.audit.drawn_test import with_drawn_test
from benchmarks.audit.evidence import gather
from benchmarks.audit.findings import IMAGES_SHOWN, Audit, shown
from benchmarks.checks.pictures import blank, drawn_lateral, page, photographs
from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.phantoms import generate
from features.preprocessing.typical_images import (
    FEWEST,
    TypicalImages,
    centre_less_border,
    thumbnails,
)

KINDS = {"reversed_polarity", "turned", "unlike"}


@pytest.fixture(scope="module")
def phantoms() -> Dataset:
    return replace(generate(n_images=240, size=64), masks=None)


def planted(dataset: Dataset, rows: list[int], pictures: list[np.ndarray]) -> Dataset:
    images = np.array(dataset.images)
    images[rows] = pictures
    manifest = dataset.manifest.copy()
    manifest.loc[rows, "sha256"] = [f"planted {row}" for row in rows]
    return replace(dataset, images=images, manifest=manifest)


def where(dataset: Dataset, split: str, label: str | None = None) -> list[int]:
    manifest = dataset.manifest
    own = manifest["split"] == split
    return np.flatnonzero(own & ((manifest["class"] == label) if label else True)).tolist()


def listed(found: Audit, check: str) -> set[str]:
    numbers = np.flatnonzero(found.findings["check"] == check)
    return set(found.images.loc[found.images["finding"].isin(numbers), "image"])


def of(found: Audit, check: str) -> pd.DataFrame:
    return found.findings[found.findings["check"] == check]


def test_sound_phantoms_have_no_unusual_picture(phantoms: Dataset) -> None:
    assert not KINDS & set(audit(phantoms).findings["check"])


def test_pages_laterals_photographs_and_turned_pictures_in_one_class_are_listed(
    phantoms: Dataset,
) -> None:
    rng = np.random.default_rng(0)
    rows = where(phantoms, "train", "NORMAL")[:8]
    images = np.asarray(phantoms.images)
    pictures = [
        blank(0, 64), blank(255, 64), page(rng, 64), np.rot90(images[rows[3]]),
        drawn_lateral(rng, 64), photographs(64)["camera"], np.rot90(images[rows[6]], 2),
        np.rot90(images[rows[7]], 3),
    ]  # fmt: skip
    found = audit(planted(phantoms, rows, pictures))
    names = phantoms.manifest["image"]
    assert listed(found, "empty_image") == set(names[rows[:2]])
    assert listed(found, "unlike") == set(names[[rows[2], rows[4], rows[5]]])
    assert listed(found, "turned") == set(names[[rows[3], rows[6], rows[7]]])
    assert not listed(found, "reversed_polarity")
    turns = " ".join(of(found, "turned")["detail"])
    assert f"by 90° to the left: {names[rows[3]]}" in turns
    assert f"by 90° to the right: {names[rows[7]]}" in turns
    assert f"by 180°, or upside down: {names[rows[6]]}" in turns
    few = of(found, "unlike")["detail"]
    assert any(f"few grey levels as a page or a drawing: {names[rows[2]]}" in one for one in few)
    assert set(names[rows]) <= set(shown(found)["image"])


@pytest.mark.parametrize("label", ["NORMAL", None])
def test_a_tenth_of_a_class_or_of_all_images_inverted_is_listed(
    phantoms: Dataset, label: str | None
) -> None:
    everywhere = list(range(0, len(phantoms.images), 10))
    rows = where(phantoms, "train", label)[::10] if label else everywhere
    images = np.asarray(phantoms.images)
    found = audit(planted(phantoms, rows, [255 - images[row] for row in rows]))
    (one,) = of(found, "reversed_polarity").to_dict("records")
    assert listed(found, "reversed_polarity") == set(phantoms.manifest["image"][rows])
    if label:
        assert one["severity"] == "warn"
        assert "more often in NORMAL" in one["detail"]
    else:
        assert one["severity"] == "note"


def test_an_inverted_test_split_is_a_warning(phantoms: Dataset) -> None:
    rows = where(phantoms, "test")
    images = np.asarray(phantoms.images)
    found = audit(planted(phantoms, rows, [255 - images[row] for row in rows]))
    (one,) = of(found, "reversed_polarity").to_dict("records")
    assert (one["severity"], one["images"]) == ("warn", len(rows))
    assert "more often in test" in one["detail"]
    number = found.findings.index[found.findings["check"] == "reversed_polarity"][0]
    assert IMAGES_SHOWN < (shown(found)["finding"] == number).sum() == 12


def test_data_that_are_all_inverted_are_found_by_their_border(phantoms: Dataset) -> None:
    rows = where(phantoms, "test")[:3]  # of which three are not inverted
    images = 255 - np.asarray(phantoms.images)
    images[rows] = 255 - images[rows]
    found = audit(replace(phantoms, images=images))
    (one,) = of(found, "reversed_polarity").to_dict("records")
    assert (one["severity"], one["images"]) == ("warn", len(images) - 3)
    assert "most training images have a darker centre than border" in one["detail"]


def test_model_of_typical_images_resists_a_tenth_of_other_pictures(phantoms: Dataset) -> None:
    small = thumbnails(np.asarray(phantoms.images))
    spoilt = small.copy()
    spoilt[::10] = np.rot90(1 - small[::10], 1, axes=(1, 2))
    sound, other = TypicalImages.fit(small), TypicalImages.fit(spoilt)
    np.testing.assert_allclose(other.cuts, sound.cuts, rtol=0.25)
    assert other.nearest(spoilt).listed.tolist() == [k % 10 == 0 for k in range(len(small))]
    assert np.corrcoef(sound.nearest(small).distance, other.nearest(small).distance)[0, 1] > 0.9


def test_model_is_read_back_and_has_a_least_number_of_images(phantoms: Dataset) -> None:
    small = thumbnails(np.asarray(phantoms.images))
    model = TypicalImages.fit(small)
    again = TypicalImages.from_state(model.state())
    np.testing.assert_array_equal(again.nearest(small).distance, model.nearest(small).distance)
    assert (model.mostly_inverted, TypicalImages.fit(1 - small).mostly_inverted) == (False, True)
    assert (centre_less_border(small) > 0.2).all()
    with pytest.raises(ValueError, match="at least 40"):
        TypicalImages.fit(small[: FEWEST - 1])
    with pytest.raises(ValueError, match="other arrays"):
        TypicalImages.from_state(model.state() | {"axes": model.axes[:, 1:]})
    images = np.asarray(phantoms.images)[:6].copy()
    images[2] = 255 - images[2]
    np.testing.assert_array_equal(model.corrected(images), np.asarray(phantoms.images)[:6])


def test_a_page_among_inverted_images_is_unlike_and_has_no_polarity(phantoms: Dataset) -> None:
    inverted = replace(phantoms, images=255 - np.array(phantoms.images))
    row = where(phantoms, "test")[0]
    found = audit(planted(inverted, [row], [page(np.random.default_rng(0), 64)]))
    name = phantoms.manifest["image"][row]
    assert name in listed(found, "unlike")
    assert name not in listed(found, "reversed_polarity")


def test_an_external_set_is_compared_with_the_training_images_of_the_run(
    phantoms: Dataset,
) -> None:
    train = where(phantoms, "train")
    other = replace(phantoms, manifest=phantoms.manifest.assign(split="test"))
    row = where(phantoms, "test")[0]
    images = np.array(phantoms.images)
    found = audit(planted(other, [row], [255 - images[row]]), thumbnails(images[train]))
    assert listed(found, "reversed_polarity") == {phantoms.manifest["image"][row]}
    assert not KINDS & set(audit(other).findings["check"])  # nothing to compare with


def test_images_of_a_drawn_test_split_are_no_training_images(phantoms: Dataset) -> None:
    manifest = phantoms.manifest.assign(split="train")
    evidence = with_drawn_test(gather(replace(phantoms, manifest=manifest, test_fraction=0.3)))
    train = (evidence.manifest["split"] == "train").to_numpy()
    assert 0 < train.sum() < len(train)
    expected = TypicalImages.fit(evidence.small[train & ~evidence.empty])
    assert evidence.typical is not None
    np.testing.assert_array_equal(evidence.typical.centre, expected.centre)
