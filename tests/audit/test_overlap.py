from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.audit.near_duplicates import near_copies, near_duplicates
from benchmarks.audit.overlap import find_copies, judge
from benchmarks.datasets.dataset import Dataset, take
from benchmarks.datasets.phantoms import generate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run() -> Dataset:
    """One image per patient."""
    dataset = generate(n_images=60, size=128)
    return take(dataset, np.flatnonzero(~dataset.manifest.duplicated("group")))


@pytest.fixture(scope="module")
def external(run: Dataset) -> Dataset:
    """Another hospital with a file of the run's, and a brighter copy of another of its images."""
    other = generate(n_images=16, size=128, hospital="other")
    images = np.asarray(other.images).copy()
    images[3] = run.images[1] // 2 + 90
    manifest = other.manifest.copy()
    images[5], manifest.loc[5, "sha256"] = run.images[2], run.manifest["sha256"][2]
    return replace(other, images=images, manifest=manifest)


def with_split(run: Dataset, split: str) -> pd.DataFrame:
    return run.manifest.assign(split=split)


def test_copies_are_found_once(run: Dataset, external: Dataset) -> None:
    found = find_copies(external, with_split(run, "train"), run.images)
    name, copied = external.manifest["image"], run.manifest["image"]
    pairs = found[["image", "copy_of", "kind"]].to_numpy().tolist()
    assert sorted(pairs) == sorted([[name[3], copied[1], "near"], [name[5], copied[2], "exact"]])
    exact = find_copies(external, with_split(run, "train"), None)
    assert exact["kind"].tolist() == ["exact"]


def test_copies_of_fitted_images_stop_and_those_of_test_images_warn(
    run: Dataset, external: Dataset
) -> None:
    for split, severity in (("train", "stop"), ("validation", "stop"), ("test", "warn")):
        manifest = with_split(run, split)
        found = judge(external, manifest, find_copies(external, manifest, run.images))
        assert dict(zip(found["check"], found["severity"], strict=True)) == {
            "overlap_exact": severity, "overlap_near": severity,
        }  # fmt: skip
        assert split in found["detail"][0]


def test_equal_patient_identifiers_are_a_warning(run: Dataset, external: Dataset) -> None:
    none = find_copies(external, with_split(run, "train"), None).head(0)
    same = external.manifest.assign(group=run.manifest["group"][0])
    found = judge(replace(external, manifest=same), with_split(run, "train"), none)
    assert found[["check", "severity", "patients"]].to_numpy().tolist() == [
        ["overlap_patient", "warn", 1]
    ]
    assert judge(replace(external, manifest=same), with_split(run, "test"), none).empty


def test_two_sets_are_compared_as_one(run: Dataset) -> None:
    """The pairs across two sets are those of the joined set."""
    images = np.asarray(run.images)
    copies = np.stack([images[4] // 2 + 60, images[9]])
    joined = near_duplicates(np.concatenate([images, copies]))
    across = joined[(joined["first"] < len(images)) & (joined["second"] >= len(images))]
    found = near_copies(images, copies)
    assert found["first"].tolist() == across["first"].tolist() == [4, 9]
    assert (found["second"] + len(images)).tolist() == across["second"].tolist()
    np.testing.assert_allclose(found["correlation"], across["correlation"])
