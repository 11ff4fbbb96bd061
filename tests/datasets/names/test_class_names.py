from __future__ import annotations

import pytest

from benchmarks.datasets.dataset import DataError
from benchmarks.datasets.names.class_names import binary_classes, is_known_negative


@pytest.mark.parametrize(
    ("found", "positive", "negative", "classes"),
    [
        (["normal", "pneumonia"], [], [], ("normal", "pneumonia")),
        (["COVID", "Normal"], [], [], ("Normal", "COVID")),  # the positive one sorts first
        (["No Finding", "A"], [], [], ("No Finding", "A")),
        (["a", "b"], ["a"], [], ("b", "a")),
        (["a", "b"], [], ["b"], ("b", "a")),
        (["Healthy", "sick"], ["healthy"], [], ("sick", "Healthy")),  # the user's word counts
        (["0", "1", "x"], ["1"], ["0"], ("0", "1")),
        (["Normal", "COVID", "other"], ["COVID"], [], ("Normal", "COVID")),
        (["Normal", "healthy", "a"], ["a"], [], ("Normal or healthy", "a")),
        (["N", "a", "b"], ["a", "b"], ["N"], ("N", "a or b")),
        (["no_finding", "Viral P"], ["viral-p"], [], ("no_finding", "Viral P")),
    ],
)  # fmt: skip
def test_classes_follow_words_not_order(
    found: list[str], positive: list[str], negative: list[str], classes: tuple[str, str]
) -> None:
    for names in (found, found[::-1]):
        got, values = binary_classes(names, positive, negative, "here")
        assert got == classes
        assert all(name in got[value].split(" or ") for name, value in values.items())


def test_names_in_neither_class_have_no_value() -> None:
    _, values = binary_classes(["Normal", "COVID", "Lung_Opacity"], ["COVID"], [], "here")
    assert values == {"Normal": 0, "COVID": 1}


@pytest.mark.parametrize(
    ("found", "positive", "negative", "message"),
    [
        (["0", "1"], [], [], "found the classes 0, 1, but expected one that is positive"),
        (["Normal", "a", "b"], [], [], "Give --positive"),
        (["Normal", "healthy", "sick"], [], [], "Give --positive"),
        (["a", "b", "c"], ["a"], [], "Give --negative NAME"),
        (["a", "b"], ["z"], [], "--positive: got 'z', but expected one of a, b"),
        (["a", "A"], ["a", "A"], [], "Give --negative"),
        (["N 1", "N_1", "Normal"], ["n-1"], [], "expected only one of"),
        (["a", "b"], ["a"], ["a"], "as --positive and as --negative"),
        ([], [], [], "found the classes none"),
    ],
)
def test_what_names_do_not_tell_stops(
    found: list[str], positive: list[str], negative: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        binary_classes(found, positive, negative, "here")


def test_known_negative_names_ignore_case_and_separators() -> None:
    for name in ("NORMAL", "Normal", "healthy", "No Finding", "no_finding", "Non-Pneumonia"):
        assert is_known_negative(name)
    assert not is_known_negative("Abnormal")


def test_a_single_class_is_named() -> None:
    with pytest.raises(DataError, match="found one class only, NORMAL, but expected two"):
        binary_classes(["NORMAL"], (), (), "the example")
