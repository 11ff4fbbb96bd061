from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.config import RunConfig
from benchmarks.datasets import image_size, load, other_phantoms, phantoms
from benchmarks.datasets.dataset import Dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def other() -> Dataset:
    return phantoms.generate(150, 64, hospital="other")


def test_no_image_or_patient_is_of_the_first_hospital(other: Dataset) -> None:
    first = phantoms.generate(150, 64)
    for column in ("image", "group", "sha256"):
        assert not set(other.manifest[column]) & set(first.manifest[column])
    assert other.name == "phantoms:other"


def test_patients_are_drawn_anew_with_the_same_equipment(monkeypatch: pytest.MonkeyPatch) -> None:
    hospitals = dict(phantoms.HOSPITALS)
    hospitals["other"] = hospitals["other"]._replace(train=phantoms.TEST, test=phantoms.TEST)
    monkeypatch.setattr(phantoms, "HOSPITALS", hospitals)
    shots = [
        next(phantoms.radiograph(phantoms.Patient(3, "normal", "test", 1, hospital), 64, 0))
        for hospital in ("phantoms", "other")
    ]
    assert np.abs(shots[0].landmarks - shots[1].landmarks).max() > 0.02


def test_a_letter_is_in_a_corner_of_every_image(
    other: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = dataclasses.replace(phantoms.OTHER, marked=False)
    hospital = phantoms.HOSPITALS["other"]._replace(train=plain, test=plain)
    monkeypatch.setitem(phantoms.HOSPITALS, "other", hospital)
    drawn = phantoms.generate(16, 64, hospital="other")
    rows = np.searchsorted(other.manifest["image"], drawn.manifest["image"])
    added = other.images[rows].astype(int) - drawn.images
    assert (added[:, :16, :16] > 15).any(axis=(1, 2)).all()
    added[:, :16, :16] = 0
    assert not added.any()


def test_exposure_framing_and_prevalence_differ(other: Dataset) -> None:
    first = phantoms.generate(150, 64)
    assert other.manifest["label"].mean() < 0.5 < first.manifest["label"].mean()

    def lungs(split: str, hospital: str) -> float:
        patients = [phantoms.Patient(k, "normal", split, 1, hospital) for k in range(20)]
        shots = [next(phantoms.radiograph(one, 64, 0)) for one in patients]
        return float(np.mean([shot.fields.mean() for shot in shots]))

    assert lungs("test", "other") < 0.9 * lungs("train", "phantoms")


def test_the_smallest_set_has_both_classes() -> None:
    patients = phantoms.enrol(phantoms.FEWEST, 0, "other")
    assert len({patient.kind == "normal" for patient in patients}) == 2


def test_it_is_a_data_set_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_phantoms, "N_IMAGES", 16)
    config = RunConfig(data="phantoms:other", quiet=True)
    dataset = load(config, 32)
    assert dataset.manifest.equals(phantoms.generate(16, 32, hospital="other").manifest)
    assert image_size(config) == image_size(RunConfig(data="phantoms"))
