"""Every string that is written into a table is read back."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.io.tables import read_csv, to_csv, write_csv

ROOT = Path(__file__).parents[2]
CONTROLS = [chr(code) for code in (*range(32), 127, 0x85, 0x2028, 0x2029)]
NAMES = [*CONTROLS, "\r\n", "\n\r", '"', '""', "'", ",", ";", "\\", " a ", "\ufeffa", "NA", "nan",
         "=1+1", "+1", "-1", "@a", "=HYPERLINK(\"x\",\"y\")", 'a"\r\n",b']  # fmt: skip
text = st.text(
    st.one_of(st.sampled_from('\r\n",;\t\0 =a'), st.characters(exclude_categories=["Cs"])),
    max_size=12,
)


def read_back(table: pd.DataFrame) -> pd.DataFrame:
    return read_csv(io.BytesIO(to_csv(table).encode()), {"image", "group"})


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_read_back(name: str) -> None:
    table = pd.DataFrame(
        {"image": [name, f"a{name}b"], "group": [f"{name}{name}", ""], "n": [1, 2]}
    )
    pd.testing.assert_frame_equal(read_back(table), table, check_dtype=False)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(text, text, st.floats(0, 1)), min_size=1, max_size=5))
def test_tables_are_read_back(rows: list[tuple[str, str, float]]) -> None:
    table = pd.DataFrame(rows, columns=["image", "group", "score"])
    read = read_back(table)
    assert read[["image", "group"]].to_numpy().tolist() == [list(row[:2]) for row in rows]
    assert read["score"].to_numpy() == pytest.approx([row[2] for row in rows], rel=1e-15)


@settings(deadline=None)
@given(st.lists(text, min_size=1, max_size=5))
def test_rows_can_be_joined(names: list[str]) -> None:
    """A table in progress is made of a header and the lines of each cell."""
    table = pd.DataFrame({"image": names, "group": "p1"})
    parts = [to_csv(table.iloc[:0]), *(to_csv(table.iloc[[k]], header=False)
                                       for k in range(len(table)))]  # fmt: skip
    assert "".join(parts) == to_csv(table)


def test_ordinary_tables_have_the_bytes_of_pandas() -> None:
    table = pd.DataFrame({"image": ["a.png", 'b,"c".png', "d\n.png"], "score": [0.1, None, 1 / 3]})
    assert to_csv(table) == table.to_csv(index=False, lineterminator="\n")


def test_a_line_with_too_many_fields_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,group\na,b,c\nd,e,f\n")
    with pytest.raises(ValueError, match="more fields"):
        read_csv(tmp_path / "a.csv", {"image"})


def test_a_table_is_written_atomically(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("kept")
    (tmp_path / "a.csv").symlink_to(other)
    write_csv(tmp_path / "a.csv", pd.DataFrame({"image": ["a\rb"]}))
    assert (tmp_path / "a.csv").read_bytes() == b'image\n"a\rb"\n'
    assert other.read_text() == "kept"


def test_there_is_one_reader_and_one_writer() -> None:
    files = [ROOT / "run_benchmark.py", *(ROOT / "benchmarks").rglob("*.py")]
    found = [
        str(file.relative_to(ROOT)) for file in files
        if re.search(r"\.to_csv\(|pd\.read_csv\(|csv\.writer", file.read_text("utf-8"))
    ]  # fmt: skip
    assert found == ["benchmarks/io/tables.py"]
