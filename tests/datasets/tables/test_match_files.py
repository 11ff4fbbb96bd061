from __future__ import annotations

import unicodedata

import pytest

from benchmarks.datasets.tables.match_files import NONE, SEVERAL, match_files

CAFE = unicodedata.normalize("NFC", "café.png")


@pytest.mark.parametrize(
    ("names", "paths", "position", "how"),
    [
        (["a.png", "b.png"], ["b.png", "a.png"], [1, 0], {"as written": 2}),
        (["a.png"], ["images_001/images/a.png"], [0], {"in a sub-folder": 1}),
        (["p1/v.png"], ["p1/v.png", "p2/v.png"], [0], {"as written": 1}),
        (["p1/v.png", "p2/v.png"], ["x/p2/v.png", "x/p1/v.png"], [1, 0], {"in a sub-folder": 2}),
        (["p1\\v.png"], ["x/p1/v.png"], [0], {"with other slashes": 1}),
        (["./a.png ", "/b.png"], ["a.png", "b.png"], [0, 1], {"with other slashes": 2}),
        (["C:\\d\\a.png", "C:\\d\\b.png"], ["a.png", "b.png"], [0, 1],
         {"with other slashes": 2}),
        ([unicodedata.normalize("NFD", CAFE)], [CAFE], [0],
         {"in another Unicode normalisation": 1}),
        ([CAFE], [unicodedata.normalize("NFD", CAFE)], [0],
         {"in another Unicode normalisation": 1}),
        (["A.PNG"], ["a.png"], [0], {"in another case": 1}),
        (["a", "b.jpg"], ["a.png", "b.png"], [0, 1], {"by the name without extension": 2}),
        (["1.2.840.4"], ["1.2.840.4.dcm", "1.2.840.5.dcm"], [0],
         {"by the name without extension": 1}),
        (["set/train/a.png", "set/test/b.png"], ["train/a.png", "test/b.png"], [0, 1],
         {"in a sub-folder": 2}),
        (["a.png", "A.png"], ["a.png", "A.png"], [0, 1], {"as written": 2}),
    ],
)  # fmt: skip
def test_names_and_files(
    names: list[str], paths: list[str], position: list[int], how: dict[str, int]
) -> None:
    found = match_files(names, paths)
    assert found.position.tolist() == position
    assert found.how == how


@pytest.mark.parametrize(
    ("names", "paths", "position"),
    [
        (["a.png"], ["1/a.png", "2/a.png"], SEVERAL),
        (["A.png"], ["a.png", "1/a.PNG"], SEVERAL),
        (["a"], ["a.png", "a.jpg"], SEVERAL),
        (["a.png"], ["xa.png", "b.png"], NONE),  # an end of a name is no name
        (["p1/v.png"], ["p2/v.png"], NONE),  # never another patient's image of this name
        (["p1/v.png", "p1/w.png", "p2/x.png"], ["p3/v.png", "p2/x.png"], NONE),
        (["1.2.3"], ["1.2.4"], NONE),
        ([""], ["a.png"], NONE),
    ],
)
def test_a_match_that_is_not_unique_is_none(
    names: list[str], paths: list[str], position: int
) -> None:
    assert match_files(names, paths).position[0] == position


def test_how_names_were_matched_is_said() -> None:
    assert match_files(["a.png"], ["a.png"]).note() == []
    note = match_files(["a.png", "B.png"], ["a.png", "b.png"]).note()
    assert note == ["Names of images matched to files: 1 as written, 1 in another case."]
