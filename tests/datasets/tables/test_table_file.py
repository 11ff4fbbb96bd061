from __future__ import annotations

import gzip
import io
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.datasets.tables import table_file
from benchmarks.datasets.tables.table_file import is_table, read_table_file
from benchmarks.errors import DataError

ROWS = [["image", "label"], ["Müller, A.png", "Pneumonia|Effusion"], ["b;2.png", ""]]


def written(separator: str = ",", end: str = "\n", quote: str = '"') -> str:
    def field(value: str) -> str:
        return f"{quote}{value}{quote}" if any(c in value for c in ",;\t|") else value

    return end.join(separator.join(map(field, row)) for row in ROWS) + end


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_encoding_separator_and_line_end(
    tmp_path: Path, encoding: str, separator: str, end: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(written(separator, end).encode(encoding))
    table, notes = read_table_file(path)
    assert [table.columns.tolist(), *table.to_numpy().tolist()] == ROWS
    assert (notes != []) == (encoding == "latin-1")


def test_what_pandas_and_excel_write_is_read(tmp_path: Path) -> None:
    wanted = pd.DataFrame(ROWS[1:], columns=ROWS[0])
    path = tmp_path / "t.csv.gz"
    wanted.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read_table_file(path)[0], wanted, check_dtype=False)
    (tmp_path / "t.tsv").write_text("sep=;\r\n" + written(";", "\r\n"), newline="")
    pd.testing.assert_frame_equal(read_table_file(tmp_path / "t.tsv")[0], wanted, check_dtype=False)


def test_single_quotes_and_spaces_around_fields(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("'image','label'\n'a, b.png','x'\n")
    assert read_table_file(path)[0].to_numpy().tolist() == [["a, b.png", "x"]]
    path.write_text('image, label\na.png , "x, y"\n\n  ,\n')
    assert read_table_file(path)[0].to_numpy().tolist() == [["a.png", "x, y"]]


def test_one_column_needs_no_separator(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image\na b.png\nc.png\n")
    assert read_table_file(path)[0].to_numpy().tolist() == [["a b.png"], ["c.png"]]


def test_separators_inside_some_values_do_not_split_the_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"  # as NIH has it: | in labels, a comma in two names of columns
    path.write_text("Image,Labels,Size[W,H]\na.png,A|B,1,2\nb.png,A|B|C,1,2\nc.png,No,1,2\n")
    table, _ = read_table_file(path)
    assert table.columns.tolist() == ["Image", "Labels", "Size[W", "H]"]
    assert table["Labels"].tolist() == ["A|B", "A|B|C", "No"]


def test_blank_fields_behind_the_last_column_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image,label\na.png,1,\nb.png,0,\n")
    assert read_table_file(path)[0].to_numpy().tolist() == [["a.png", "1"], ["b.png", "0"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image,label\na.png,1\nb.png,1,2\n", "line 3: found 3 fields, but expected 2"),
        (b"image,label\na.png,1\nb.png\n", "line 3: found 1 fields, but expected 2"),
        (b'image,label\n"a.png,1\n', "line 2: .* quotes"),
        (b"image,label\n", "found 1 rows"),
        (b"", "found 0 rows"),
        (b"PK\x03\x04", "found an Excel file or archive"),
        (b"a\0b,c\n", "found binary data"),
        (b"\x1f\x8b broken", "expected a readable table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table_file(path)


def test_a_table_that_grows_when_unpacked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_file, "MAX_BYTES", 1000)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a" * 2000))
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        read_table_file(path)


def test_parquet_is_read_as_text_or_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = pd.DataFrame(
        {"image": ["a", "b"], "label": [1.0, float("nan")], "flag": [True, False]},
        index=pd.Index([3, 4], name="patient"),
    )
    monkeypatch.setattr(pd, "read_parquet", lambda _: stored)
    table, _ = read_table_file(tmp_path / "t.parquet")
    assert table.to_dict("list") == {
        "patient": ["3", "4"], "image": ["a", "b"], "label": ["1.0", ""],
        "flag": ["True", "False"],
    }  # fmt: skip

    def without(_: object) -> pd.DataFrame:
        raise ImportError

    monkeypatch.setattr(pd, "read_parquet", without)
    with pytest.raises(DataError, match="pip install pyarrow"):
        read_table_file(tmp_path / "t.parquet")


def test_real_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pd.DataFrame({"image": ["a"], "label": [1]}).to_parquet(tmp_path / "t.pq")
    assert read_table_file(tmp_path / "t.pq")[0].to_numpy().tolist() == [["a", "1"]]
    (tmp_path / "t.pq").write_bytes(io.BytesIO(b"PAR1").getvalue())
    with pytest.raises(DataError, match="readable Parquet"):
        read_table_file(tmp_path / "t.pq")


def test_tables_are_known_by_their_names() -> None:
    assert [is_table(Path(f"x{s}")) for s in (".CSV", ".tsv.gz", ".parquet", ".npz", "")] == [
        True, True, True, False, False,
    ]  # fmt: skip
