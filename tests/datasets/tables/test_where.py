from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.datasets.tables.where import rows_where
from benchmarks.errors import DataError

TABLE = pd.DataFrame(
    {
        "view": ["PA", "AP", "PA", ""],
        "age": ["40", "9", "058Y", "12.5"],
        "View Position": ["x", "y", "x", "O'Neil"],
        "low": ["1", "2", "3", "4"],
        "high": ["10", "1", "3", ""],
        "date": ["2019-12-31", "2020-01-01", "2020-06-01", ""],
    }
)


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("view == 'PA'", [0, 2]),
        ("view != 'PA'", [1, 3]),
        ("view == 'PA' and age >= 18", [0]),  # no number is no match
        ("not age < 18", [0]),  # nor does a row without a number match the opposite
        ("not (view == 'AP' or age < 18)", [0]),
        ("not (view == 'PA' and age >= 18)", [1, 3]),
        ("not 9 <= age < 20", [0]),
        ("age not in (9, 40)", [3]),
        ("not age in (9, 40)", [3]),
        ("not not age < 18", [1, 3]),
        ("not 'P' in view", [3]),
        ("age < 18 or view == ''", [1, 3]),
        ("9 <= age < 20", [1, 3]),
        ("`View Position` == 'x'", [0, 2]),
        ('`View Position` == "O\'Neil"', [3]),
        ("view in ('PA', '')", [0, 2, 3]),
        ("view not in ['PA']", [1, 3]),
        ("low in (2, 3)", [1, 2]),
        ("'Nei' in `View Position`", [3]),
        ("'P' not in view", [3]),
        ("high > low", [0]),  # as numbers: "10" > "1"
        ("date >= '2020-01-01'", [1, 2]),
        ("low > -1 and low != +2", [0, 2, 3]),
        ("view == '`age`'", []),  # backticks inside a text are text
        ("  (low == 1)\n", [0]),
    ],
)
def test_rows_for_which_a_condition_holds(condition: str, rows: list[int]) -> None:
    assert np.flatnonzero(rows_where(condition, TABLE)).tolist() == rows


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("__import__('os').system('x') == 0", "where a column, a number or a text is expected"),
        ("view.str.len() > 1", "where a column"),
        ("view.__class__ == 'x'", "where a column"),
        ("view[0] == 'x'", "where a column"),
        ("[x for x in view]", "where a comparison is expected"),
        ("(lambda: 1)() == view", "where a column"),
        ("f'{view}' == view", "where a column"),
        ("low + 1 == 2", "where a column"),
        ("view", "where a comparison"),
        ("True", "where a comparison"),
        ("low == True", "where a column"),
        ("size > 1", "no column 'size'; columns: view, age"),
        ("`no such` > 1", "no column 'no such'"),
        ("view = 'PA'", "expected a condition"),
        ("view == 'PA' &", "invalid syntax"),
        ("view is 'PA'", "write == and !="),
        ("1 == 1", "are no columns"),
        ("'a' < 1", "are no columns"),
        ("view in ()", "empty"),
        ("view in age", "in needs a list"),
        ("view == -'PA'", "where a column"),
        ("(" * 900 + "view == 'PA'" + ")" * 900, "expected a condition"),
        ("not " * 200 + "view == 'PA'" + " and", "expected a condition"),
    ],
)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_everything_else_is_refused(condition: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rows_where(condition, TABLE)
