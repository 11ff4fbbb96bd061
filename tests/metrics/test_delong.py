"""DeLong's test against published examples and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.metrics.delong import AucCovariance, auc_difference, clustered_delong, delong

# Outcome of 113 patients after a subarachnoid haemorrhage (1 = poor), their WFNS grade and
# S100 beta in hundredths: Turck et al., Intensive Care Med 2010;36:107-115
# (doi:10.1007/s00134-009-1641-y), as in the data set aSAH of R's pROC.
POOR = (
    "00001101001011001011101000000000100110110000000001100010001010011101101111"
    "000110100000010000000000001111110001000"
)

WFNS = (
    "1111325412525512522521111212113421454142551124112552125122215112521452441"
    "412142123242145115422111312522555244511"
    "1"
)

S100B = [
    13, 14, 10, 4, 13, 10, 47, 16, 18, 10, 12, 10, 44, 71, 4, 8, 49, 4, 7, 33, 9, 9, 7, 11, 7, 17,
    7, 11, 13, 19, 5, 16, 41, 14, 34, 35, 48, 9, 96, 25, 50, 46, 16, 7, 43, 45, 11, 8, 9, 86, 52, 8,
    6, 13, 207, 10, 14, 15, 7, 6, 77, 5, 9, 30, 3, 9, 4, 23, 70, 9, 27, 71, 8, 26, 8, 16, 9, 13, 10,
    8, 11, 33, 11, 28, 7, 10, 32, 22, 7, 5, 24, 38, 10, 15, 8, 14, 10, 7, 4, 19, 56, 14, 58, 32, 82,
    74, 15, 47, 17, 44, 15, 50, 48,
]  # fmt: skip

# Two readers' confidence in a stenosis of 65 carotid arteries of 36 patients, one line per patient:
# (stenosis, reader 1, reader 2) of each artery; the worked example
# of Obuchowski, Biometrics 1997;53:567-578 (doi:10.2307/2533958).
CAROTIDS = """
1 87 87 1 79 83
1 88 94 1 95 93
1 100 100 1 68 79
1 65 61 1 89 91
1 97 97 1 100 100
1 100 99 1 89 88
1 77 77
1 94 89 0 45 44
1 89 92 0 -11 -17
1 95 91 0 30 14
1 95 95 0 10 -122
1 100 100 0 19 -3
1 75 75
0 70 73 1 70 81
0 26 27 1 86 93
0 0 8 1 65 70
0 6 23 1 100 100
0 76 79 1 96 95
0 44 55 1 100 100
0 73 67 1 97 94
1 85 86
0 58 60 1 100 99
0 -2 -2 1 100 100
0 -3 -14 0 0 -11
0 47 -3 0 -94 -90
0 -16 17 0 75 85
0 5 -22 0 -1 -14
0 -6 -52
0 37 38 0 47 35
0 42 40 0 4 6
0 55 23 0 55 45
0 4 -87 0 -13 -65
0 49 24 0 35 9
0 53 66
0 2 -15
0 -48 -78
"""


def carotids() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    patients = [np.array(line.split(), int).reshape(-1, 3) for line in CAROTIDS.split("\n") if line]
    rows = np.concatenate(patients)
    return (
        rows[:, 0],
        rows[:, 1:].T.astype(float),
        np.repeat(np.arange(36), [len(rows) for rows in patients]),
    )


def test_delong_equals_proc() -> None:
    """Expected: pROC's own tests (test-var.R, test-cov.R, test-roc.test.R), and its manual."""
    label = np.array(list(POOR), int)
    result = delong(label, np.array([list(WFNS), S100B], float))
    assert result.auc == pytest.approx([0.823678861788618, 0.731368563685637], rel=1e-13)
    assert result.covariance == pytest.approx(
        np.array([[0.00146991470882363, 0.00119615567376754],
                  [0.00119615567376754, 0.00266868245717244]]), rel=1e-12,
    )  # fmt: skip
    assert result.interval(1) == pytest.approx((0.6301, 0.8326), abs=5e-5)
    assert auc_difference(result, 0, 1) == pytest.approx(
        (0.092310298102981, 0.0104061769564846, 0.174214419249478, 0.0271757822291882), rel=1e-12
    )


def test_clustered_delong_equals_obuchowskis_program() -> None:
    """Expected: the components that the author's R program prints for the worked example."""
    label, scores, group = carotids()
    result = clustered_delong(label, scores, group)
    positives, negatives = 29, 36
    s10 = np.array([[0.0013151307, 0.0008484357], [0.0008484357, 0.0009284122]])
    s01 = np.array([[0.0022375873, 0.0019241250], [0.0019241250, 0.0022598583]])
    s11 = np.array([[0.0051785478, 0.0028648340], [-0.0015136931, -0.0005015760]])
    expected = s10 / positives + s01 / negatives + (s11 + s11.T) / (positives * negatives)
    assert result.auc == pytest.approx([0.9837, 0.9852], abs=5e-5)
    assert result.covariance == pytest.approx(expected, abs=1e-11)
    difference, low, high, p = auc_difference(result, 1, 0)
    assert (difference, low, high, p) == pytest.approx((0.0014, -0.0115, 0.0143, 0.8271), abs=5e-5)


def test_order_of_images_and_names_of_patients_do_not_matter() -> None:
    label, scores, group = carotids()
    order = np.random.default_rng(0).permutation(len(label))
    names = np.array([f"person{997 * k % 36}" for k in group], dtype=object)
    shuffled = clustered_delong(label[order], scores[:, order], names[order])
    assert shuffled.covariance == pytest.approx(
        clustered_delong(label, scores, group).covariance, rel=1e-12
    )


def test_duplicated_images_do_not_reduce_the_clustered_variance() -> None:
    """If all images are duplicated, the clustered variance is unchanged and DeLong's is halved."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 400)
    score = (label + rng.normal(size=400))[None]
    once = delong(label, score)
    twice = clustered_delong(label.repeat(2), score.repeat(2, axis=1), np.arange(400).repeat(2))
    assert twice.auc == pytest.approx(once.auc)
    assert twice.covariance == pytest.approx(once.covariance)
    plain = delong(label.repeat(2), score.repeat(2, axis=1))
    assert plain.covariance == pytest.approx(once.covariance / 2, rel=0.01)


def test_delong_by_hand_with_a_tie() -> None:
    """Positives .9 .4 against .4 .3 .1: components 1, 5/6 and 3/4, 1, 1; AUC 11/12.

    Variance: (2 / 144) / 1 / 2 + (1 / 36 + 2 / 144) / 2 / 3 = 1 / 144 + 1 / 144.
    """
    result = delong(np.array([1, 1, 0, 0, 0]), np.array([[0.9, 0.4, 0.4, 0.3, 0.1]]))
    assert result.auc == pytest.approx([11 / 12])
    assert result.covariance == pytest.approx(np.array([[1 / 72]]))


def test_many_methods_at_once() -> None:
    rng = np.random.default_rng(2)
    label, group = rng.integers(0, 2, 120), rng.integers(0, 50, 120)
    scores = np.round(rng.random((5, 120)) + 0.3 * label, 1)
    together = clustered_delong(label, scores, group)
    assert together.auc == pytest.approx([roc_auc_score(label, score) for score in scores])
    pair = clustered_delong(label, scores[[3, 1]], group)
    assert together.covariance[np.ix_([3, 1], [3, 1])] == pytest.approx(pair.covariance, rel=1e-12)


def test_difference_without_variance() -> None:
    label, group = np.array([1, 1, 1, 0, 0, 0]), np.array([0, 1, 2, 3, 4, 5])
    perfect, constant = np.array([3.0, 2, 3, 1, 1, 0]), np.zeros(6)
    ordinary = np.array([0.9, 0.3, 0.8, 0.5, 0.2, 0.1])
    scores = np.array([perfect, perfect + 1, constant, ordinary, np.exp(ordinary)])
    result = clustered_delong(label, scores, group)
    assert auc_difference(result, 0, 1) == (0, 0, 0, 1)
    assert auc_difference(result, 3, 4) == (0, 0, 0, 1)
    difference, *unknown = auc_difference(result, 0, 2)
    assert difference == 0.5
    assert np.isnan(unknown).all()


def test_covariance_is_nan_with_one_patient_in_a_class() -> None:
    """With one positive patient the AUC is known, but not the variance between patients."""
    label, score = np.array([1, 1, 0, 0]), np.array([[0.9, 0.2, 0.4, 0.1]] * 2)
    result = clustered_delong(label, score, np.array(["a", "a", "b", "c"]))
    assert result.auc.tolist() == [0.75, 0.75]
    assert np.isnan(result.covariance).all()
    assert np.isnan(auc_difference(result, 0, 1)[1:]).all()
    with pytest.raises(ValueError, match="0 positive and 2 negative"):
        delong(np.array([0, 0]), np.array([[0.9, 0.2]]))


def test_difference_is_antisymmetric() -> None:
    areas = AucCovariance(np.array([0.9, 0.8]), np.array([[2e-3, 1e-3], [1e-3, 4e-3]]))
    one, other = auc_difference(areas, 0, 1), auc_difference(areas, 1, 0)
    assert (one.difference, one.lo, one.hi, one.p) == pytest.approx(
        (-other.difference, -other.hi, -other.lo, other.p)
    )
