"""Conditions on the columns of a table, such as ``view == 'PA' and age >= 18``.

The condition is parsed, never run: only comparisons of columns and constants, ``and``, ``or``,
``not`` and ``in`` are known, so that no call, attribute or index can be reached. (``pandas.eval``
allows attributes and methods of its operands.)
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.errors import DataError

_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|`([^`]+)`""")
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt,
    ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip
_EXAMPLE = "view == 'PA' and age >= 18"


class _UnknownPartError(Exception):
    """Part of a condition is not known; the message says which."""


_PROBLEMS = (SyntaxError, ValueError, RecursionError, MemoryError, _UnknownPartError)


def rows_where(condition: str, columns: Mapping[str, pd.Series]) -> NDArray[np.bool_]:
    """Find the rows of a table for which a condition holds.

    Parameters
    ----------
    condition : str
        Comparisons (``== != < <= > >= in``, ``not in``) joined by ``and``, ``or``, ``not`` and
        parentheses. A name is a column; one with spaces is put in backticks. Texts are in quotes.
        ``in`` takes a list of constants; with a text before a column, ``'a' in column``, it finds
        rows that contain the text.
    columns : mapping of str to Series of str
        All of the same length.

    Returns
    -------
    ndarray of shape (n,), bool

    Raises
    ------
    DataError
        If the condition is no such expression, or names no column.

    Notes
    -----
    Compared with a number, a column counts as numbers; rows in which it has none fulfil neither
    the comparison nor its opposite: ``not age < 18`` means ``age >= 18``. Otherwise values are
    compared as text.

    Examples
    --------
    >>> table = {"view": pd.Series(["PA", "AP", "PA"]), "age": pd.Series(["40", "50", "7"])}
    >>> rows_where("view == 'PA' and age >= 18", table)
    array([ True, False, False])
    """
    try:
        body, names = _parsed(condition)
        known = {**columns, **{hidden: _column(columns, name) for name, hidden in names.items()}}
        return np.asarray(_holds(body, known), dtype=bool)
    except _PROBLEMS as error:
        raise _no_condition(condition, error) from error


def columns_in(condition: str) -> set[str]:
    """Find the names of the columns that a condition uses.

    Parameters
    ----------
    condition : str
        As for :func:`rows_where`.

    Returns
    -------
    set of str

    Raises
    ------
    DataError
        If the condition can't be parsed.

    Examples
    --------
    >>> sorted(columns_in("`View Position` == 'view' and age >= 18"))
    ['View Position', 'age']
    """
    try:
        body, names = _parsed(condition)
        used = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
    except _PROBLEMS as error:
        raise _no_condition(condition, error) from error
    return used - set(names.values()) | set(names)


def _parsed(condition: str) -> tuple[ast.expr, dict[str, str]]:
    """Parse a condition; also return what stands in it for each name in backticks."""
    names: dict[str, str] = {}

    def _hide(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        return names.setdefault(match[2], f"column_{len(names)}_in_backticks")

    return ast.parse(_QUOTED.sub(_hide, condition).strip(), mode="eval").body, names


def _no_condition(condition: str, error: Exception) -> DataError:
    problem = error.msg if isinstance(error, SyntaxError) else str(error) or "it is too deep"
    return DataError(
        f"--where: got {condition!r} ({problem}), but expected a condition on columns such as "
        f"{_EXAMPLE!r}, with column names that contain spaces in backticks."
    )


def _holds(
    node: ast.expr, columns: Mapping[str, pd.Series], negated: bool = False
) -> NDArray[np.bool_]:
    """Find the rows for which a condition, or its negation, holds.

    A negation goes down to the comparisons, so that rows without a number fulfil neither.
    """
    if isinstance(node, ast.BoolOp):
        parts = [_holds(part, columns, negated) for part in node.values]  # noqa: PD011
        return _joined(parts, isinstance(node.op, ast.And) != negated)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _holds(node.operand, columns, not negated)
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        parts = [
            _compared(left, kind, right, columns, negated)
            for left, kind, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return _joined(parts, not negated)
    raise _UnknownPartError(f"found {ast.unparse(node)!r} where a comparison is expected")


def _joined(parts: list[NDArray[np.bool_]], all_of_them: bool) -> NDArray[np.bool_]:
    return (np.logical_and if all_of_them else np.logical_or).reduce(parts)


def _compared(
    left: ast.expr,
    kind: ast.cmpop,
    right: ast.expr,
    columns: Mapping[str, pd.Series],
    negated: bool,
) -> NDArray[np.bool_]:
    if isinstance(kind, (ast.In, ast.NotIn)):
        return _is_in(left, right, columns, isinstance(kind, ast.NotIn) != negated)
    if type(kind) not in _COMPARE:
        raise _UnknownPartError("is and is not are unknown; write == and !=")
    compare = _COMPARE[_OPPOSITE[type(kind)] if negated else type(kind)]
    one, other = _value(left, columns), _value(right, columns)
    if not isinstance(one, pd.Series) and not isinstance(other, pd.Series):
        raise _UnknownPartError(f"{ast.unparse(left)} and {ast.unparse(right)} are no columns")
    if isinstance(one, float) or isinstance(other, float) or _both_numbers(one, other):
        one, other = _numbers(one), _numbers(other)
        present = ~(pd.isna(one) | pd.isna(other))
        return np.asarray(compare(one, other) & present, dtype=bool)
    return np.asarray(compare(one, other), dtype=bool)


def _is_in(
    left: ast.expr, right: ast.expr, columns: Mapping[str, pd.Series], negated: bool
) -> NDArray[np.bool_]:
    if isinstance(right, (ast.List, ast.Tuple, ast.Set)):
        parts = [_compared(left, ast.Eq(), one, columns, negated) for one in right.elts]
        if not parts:
            raise _UnknownPartError("the list after in is empty")
        return _joined(parts, negated)
    text, column = _value(left, columns), _value(right, columns)
    if not (isinstance(text, str) and isinstance(column, pd.Series)):
        raise _UnknownPartError("in needs a list of values, or a text and a column")
    return column.str.contains(text, regex=False).to_numpy(dtype=bool) != negated


def _value(node: ast.expr, columns: Mapping[str, pd.Series]) -> pd.Series | float | str:
    if isinstance(node, ast.Name):
        return _column(columns, node.id)
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign = -1 if isinstance(node.op, ast.USub) else 1
        node = node.operand
    if isinstance(node, ast.Constant):
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            return sign * float(node.value)
        if isinstance(node.value, str) and sign == 1:
            return node.value
    raise _UnknownPartError(
        f"found {ast.unparse(node)!r} where a column, a number or a text is expected"
    )


def _column(columns: Mapping[str, pd.Series], name: str) -> pd.Series:
    if name not in columns:
        raise _UnknownPartError(f"no column {name!r}; columns: {', '.join(columns)}")
    return columns[name]


def _numbers(value: pd.Series | float | str) -> pd.Series | float:
    if isinstance(value, pd.Series):
        return pd.to_numeric(value, errors="coerce")
    if isinstance(value, str):
        raise _UnknownPartError(f"{value!r} is compared with a number")
    return value


def _both_numbers(one: pd.Series | float | str, other: pd.Series | float | str) -> bool:
    return all(
        isinstance(side, pd.Series) and bool(pd.to_numeric(side, errors="coerce").notna().any())
        for side in (one, other)
    )
