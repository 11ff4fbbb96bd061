from __future__ import annotations

import hashlib
from itertools import pairwise

import cv2
import numpy as np
import pytest
from skimage.feature import hog
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.config import RunConfig
from benchmarks.datasets import phantoms
from benchmarks.datasets.dataset import CLASSES, DataError, Dataset
from benchmarks.datasets.phantom.anatomy import LANDMARKS
from benchmarks.datasets.phantom.exposure import TRAIN, draw_pose, place
from benchmarks.io.columns import MANIFEST_COLUMNS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small() -> Dataset:
    return phantoms.generate(n_images=400, size=64, seed=3)


def test_record(small: Dataset) -> None:
    table = small.manifest
    assert (small.name, small.synthetic) == ("phantoms", True)
    assert small.images.shape == (400, 64, 64)
    assert small.images.dtype == np.uint8
    assert small.masks is not None
    assert small.masks.shape == small.images.shape
    assert small.masks.dtype == np.bool_
    assert table.columns.tolist() == MANIFEST_COLUMNS
    assert table["image"].is_unique
    assert table["image"].is_monotonic_increasing
    assert (np.asarray(CLASSES)[table["label"]] == table["class"]).all()
    assert (table[["width", "height"]] == 64).all(axis=None)
    assert (table["frames"] == 1).all()


def test_names_contain_split_class_patient_and_subtype(small: Dataset) -> None:
    sick = r"(train|test)/PNEUMONIA/patient(\d{3})_(bacteria|virus)_([1-4])\.png"
    healthy = r"(train|test)/NORMAL/patient(\d{3})_([1-4])\.png"
    table = small.manifest
    for label, pattern in ((1, sick), (0, healthy)):
        part = table[table["label"] == label]
        found = part["image"].str.extract(f"^{pattern}$")
        assert (found[0] == part["split"]).all()
        kind = found[2] if label else "normal"
        assert (kind + "/" + found[1] == part["group"]).all()
        assert (part["subtype"] == (kind if label else "")).all()


def test_sha256_is_of_the_pixels(small: Dataset) -> None:
    expected = [hashlib.sha256(image.tobytes()).hexdigest() for image in small.images]
    assert small.manifest["sha256"].tolist() == expected
    assert small.manifest["sha256"].is_unique


def test_a_patient_has_one_split_one_subtype_and_up_to_four_images(small: Dataset) -> None:
    patients = small.manifest.groupby("group")
    assert (patients[["split", "subtype", "label"]].nunique() == 1).all(axis=None)
    assert set(patients.size()) == {1, 2, 3, 4}
    assert small.manifest["group"].str.split("/").str[1].nunique() == patients.ngroups


def test_proportions() -> None:
    patients = phantoms.enrol(3000, seed=0)
    kinds = np.repeat([p.kind for p in patients], [p.n_images for p in patients])
    splits = np.repeat([p.split for p in patients], [p.n_images for p in patients])
    assert len(kinds) == 3000
    assert (kinds != "normal").mean() == pytest.approx(2 / 3, abs=0.03)
    assert (kinds == "bacteria").sum() / (kinds == "virus").sum() == pytest.approx(1.5, abs=0.15)
    assert (splits == "train").mean() == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("seed", range(20))
def test_the_smallest_set_has_both_classes_in_both_splits(seed: int) -> None:
    patients = phantoms.enrol(phantoms.FEWEST, seed)
    assert sum(p.n_images for p in patients) == phantoms.FEWEST
    assert len({(p.split, p.kind == "normal") for p in patients}) == 4


def test_masks_mark_exactly_the_pneumonias(small: Dataset) -> None:
    assert small.masks is not None
    area = small.masks.mean(axis=(1, 2))
    assert ((area > 0) == (small.manifest["label"] == 1)).all()
    assert area.max() < 0.5
    area_of = {
        kind: area[small.manifest["subtype"] == kind].mean() for kind in ("bacteria", "virus")
    }
    assert area_of["bacteria"] < area_of["virus"]


@pytest.mark.parametrize("kind", ["bacteria", "virus"])
def test_lesions_are_in_the_lungs(kind: str) -> None:
    for number in range(8):
        patient = phantoms.Patient(number, kind, "train", 1)
        (shot,) = phantoms.radiograph(patient, 96, seed=1)
        assert shot.mask.any()
        assert not (shot.mask & ~shot.fields).any()
        right, left = (shot.mask[:, :48].any(), shot.mask[:, 48:].any())
        assert (right and left) == (kind == "virus")


def test_landmarks_are_where_the_lungs_are() -> None:
    distances = []
    for number in range(12):
        (shot,) = phantoms.radiograph(phantoms.Patient(number, "normal", "train", 1), 128, seed=2)
        named = dict(zip(LANDMARKS, (shot.landmarks + 1) * 64 - 0.5, strict=True))
        for side, columns in (("right", slice(0, 64)), ("left", slice(64, 128))):
            x, y = named[f"{side} wall, upper"]
            own = np.flatnonzero(shot.fields[round(y), columns]) + columns.start
            distances.append(np.abs(own[0 if side == "right" else -1] - x))
        x, y = named["right dome"]  # the heart may hide the left one
        distances.append(np.abs(np.flatnonzero(shot.fields[:, round(x)])[-1] - y))
    assert np.max(distances) < 4
    assert np.median(distances) < 1.5


@pytest.mark.parametrize("kind", ["bacteria", "virus"])
def test_a_lesion_changes_the_image_where_its_mask_is(kind: str) -> None:
    for number in range(4):
        sick, healthy = (
            next(phantoms.radiograph(phantoms.Patient(number, k, "train", 1), 96, seed=1))
            for k in (kind, "normal")
        )
        change = np.abs(sick.image.astype(float) - healthy.image)
        assert change[sick.mask].mean() > 4 * change[~sick.fields].mean()
        assert not healthy.mask.any()


@pytest.mark.slow
def test_same_arguments_give_the_same_bytes(small: Dataset) -> None:
    again = phantoms.generate(n_images=400, size=64, seed=3)
    assert again.manifest.equals(small.manifest)
    np.testing.assert_array_equal(again.images, small.images)
    np.testing.assert_array_equal(again.masks, small.masks)


def test_images_do_not_depend_on_how_many_there_are(small: Dataset) -> None:
    few = phantoms.generate(n_images=20, size=64, seed=3).manifest
    hashes = small.manifest.set_index("image")["sha256"]
    assert (hashes[few["image"]].to_numpy() == few["sha256"].to_numpy()).all()


def test_another_seed_gives_other_images(small: Dataset) -> None:
    other = phantoms.generate(n_images=20, size=64, seed=4).manifest
    assert not set(other["sha256"]) & set(small.manifest["sha256"])


def test_global_random_state_is_unchanged() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    phantoms.generate(n_images=16, size=32)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_patient_keeps_the_anatomy_in_other_poses() -> None:
    def likeness(a: phantoms.Shot, b: phantoms.Shot) -> float:
        return float((a.fields & b.fields).sum() / (a.fields | b.fields).sum())

    pairs = [
        list(phantoms.radiograph(phantoms.Patient(k, "normal", "train", 2), 64, 0))
        for k in range(12)
    ]
    same = [likeness(*pair) for pair in pairs]
    others = [likeness(a[0], b[1]) for a, b in pairwise(pairs)]
    assert all((a.image != b.image).any() for a, b in pairs)
    assert np.mean(same) > np.mean(others)


@pytest.mark.parametrize("kind", ["normal", "bacteria", "virus"])
@pytest.mark.parametrize("size", [64, 256])
def test_size_changes_the_resolution_only(kind: str, size: int) -> None:
    patient = phantoms.Patient(5, kind, "train", 3)
    pairs = zip(
        phantoms.radiograph(patient, size, 0), phantoms.radiograph(patient, 128, 0), strict=True
    )
    for a, b in pairs:
        small, large = (cv2.resize(s.image, (64, 64), interpolation=cv2.INTER_AREA) for s in (a, b))
        assert np.abs(small.astype(float) - large).mean() < 4  # other patients: about 30
        assert abs(a.mask.mean() - b.mask.mean()) < 0.02


@pytest.mark.parametrize("size", [32, 1024])
def test_extreme_sizes(size: int) -> None:
    (shot,) = phantoms.radiograph(phantoms.Patient(2, "bacteria", "test", 1), size, 0)
    assert shot.image.shape == (size, size)
    assert 0 < shot.mask.mean() < 0.3
    assert np.ptp(shot.image) > 100


def test_pose_moves_a_point_as_its_matrix() -> None:
    pose = draw_pose(np.random.default_rng(0), TRAIN)
    frame = np.zeros((200, 200), np.float32)  # FRAME = 1.25: 80 pixels a unit
    frame[118:123, 138:143] = 1  # centred on pixel (140, 120)
    seen = place(frame, pose, 160)
    rows, columns = np.nonzero(seen > 0.5)
    centre = (np.array([columns.mean(), rows.mean()]) + 0.5) / 160 * 2 - 1
    expected = (np.array([140, 120]) + 0.5) / 80 - 1.25
    np.testing.assert_allclose(pose[:, :2] @ centre + pose[:, 2], expected, atol=0.01)


def test_test_split_is_mildly_shifted() -> None:
    def measure(split: str) -> tuple[list[float], list[float]]:
        shots = [
            next(phantoms.radiograph(phantoms.Patient(k, "normal", split, 1), 64, 0))
            for k in range(40)
        ]
        return [s.image.mean() for s in shots], [s.fields.mean() for s in shots]

    (train_grey, train_area), (test_grey, test_area) = measure("train"), measure("test")
    brighter = np.mean(test_grey) - np.mean(train_grey)
    assert 0 < brighter < np.std(train_grey)
    assert 0.85 < np.mean(test_area) / np.mean(train_area) < 0.97


def test_brightness_does_not_predict_the_class(small: Dataset) -> None:
    auc = roc_auc_score(small.manifest["label"], small.images.mean(axis=(1, 2)))
    assert 0.4 < auc < 0.6


def test_neither_trivial_nor_hopeless(small: Dataset) -> None:
    X = np.stack([hog(im, 9, (8, 8), (2, 2), feature_vector=True) for im in small.images])
    y = small.manifest["label"].to_numpy()
    train = (small.manifest["split"] == "train").to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=500))
    score = model.fit(X[train], y[train]).decision_function(X[~train])
    assert 0.65 < roc_auc_score(y[~train], score) < 0.99


def test_load_returns_the_default_phantoms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phantoms, "N_IMAGES", 16)
    dataset = phantoms.load(RunConfig(quiet=True, seeds=(7,)), 32)
    expected = phantoms.generate(16, 32, seed=0)
    assert dataset.manifest.equals(expected.manifest)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_images": 15}, "n_images=15, but expected at least 16"),
        ({"size": 31}, "size=31, but expected at least 32"),
        ({"seed": -1}, "seed=-1, but expected at least 0"),
    ],
)
def test_invalid_arguments_are_rejected(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        phantoms.generate(**arguments)
