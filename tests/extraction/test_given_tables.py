"""Feature tables from elsewhere: what is read, how images are found, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.config import ConfigError, RunConfig, load_config
from benchmarks.extraction.extract import extract
from benchmarks.extraction.given_features import family_class, is_given
from benchmarks.extraction.given_tables import read_given, read_table
from benchmarks.extraction.variants import Variants
from benchmarks.fitting.cell import Cell, families_of, plan
from benchmarks.fitting.fit import fit_on_features
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io.image_stack import ImageStack
from features import DEFAULT_FEATURE_SETS

IMAGES = ["test/NORMAL/a.png", "test/PNEUMONIA/b.png", "train/NORMAL/c.png", "train/NORMAL/d.png"]
MANIFEST = pd.DataFrame({"image": IMAGES, "label": [0, 1, 0, 1]})
X = np.arange(12, dtype=np.float64).reshape(4, 3) ** 2


def frame(**more: Any) -> pd.DataFrame:
    columns = {"image": IMAGES, **{name: X[:, k] for k, name in enumerate(("p", "q", "r"))}}
    return pd.DataFrame(columns | more)


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **{"image": np.array(IMAGES), "features": X, **arrays})
    return path


def csv(path: Path, table: pd.DataFrame, **options: Any) -> Path:
    table.to_csv(path, index=False, **options)
    return path


def given(path: Path, manifest: pd.DataFrame = MANIFEST) -> Any:
    return read_given(RunConfig(features_from=[("net", path)]), manifest)["net"]


@pytest.mark.parametrize("kind", ["csv", "npz", "npz with names", "bytes"])
def test_rows_follow_the_images_and_extra_rows_are_counted(kind: str, tmp_path: Path) -> None:
    order = [2, 0, 3, 1]
    names = [*(IMAGES[k] for k in order), "more.png"]
    values = np.vstack([X[order], [[7, 8, 9]]])
    if kind == "csv":
        table = pd.DataFrame({"image": names, **dict(zip("pqr", values.T, strict=True))})
        path = csv(tmp_path / "t.csv", table)
    else:
        text = np.array(names, dtype="S" if kind == "bytes" else str)
        more = {"names": np.array(list("pqr"))} if kind == "npz with names" else {}
        path = npz(tmp_path / "t.npz", image=text, features=values.astype(np.float16), **more)
    found = given(path)
    np.testing.assert_array_equal(found.matrix, X)
    assert found.matrix.dtype == np.float32
    assert found.columns == (
        ("0000", "0001", "0002") if kind in ("npz", "bytes") else ("p", "q", "r")
    )
    assert found.source.startswith(f"file {path.name} (sha256 ")
    [note] = found.notes
    assert "1 of 5 rows" in note
    assert str(tmp_path) not in note


def test_names_without_folders_are_found_if_they_are_unique(tmp_path: Path) -> None:
    short = [r"C:\new\a.png", "b.png", "c.png", "x/d.png"]
    found = given(csv(tmp_path / "t.csv", frame(image=short)))
    np.testing.assert_array_equal(found.matrix, X)
    twins = MANIFEST.assign(image=["p/a.png", "q/a.png", "c.png.x", "d.png.x"])
    with pytest.raises(ConfigError, match=r"several images have one file name \(p/a.png, q/a.png"):
        given(tmp_path / "t.csv", twins)


REFUSED = {
    "missing": (frame()[:3], r"no row for 1 of the 4 images \(train/NORMAL/d.png\)"),
    "twice": (pd.concat([frame(), frame()[1:2]]), "b.png in more than one row .again in row 5"),
    "blank": (frame(q=[1.0, np.nan, 3, 4]), "got nan for test/PNEUMONIA/b.png in the column q"),
    "infinite": (frame(q=[1.0, 2, np.inf, 4]), "got inf for train/NORMAL/c.png in the column q"),
    "too large": (frame(q=[1.0, 2, 3, 1e39]), "inf for .*d.png in the column q.*32 bits"),
    "text": (frame(q=["1", "2", "n/a", "4"]), "got 'n/a' for train/NORMAL/c.png in the column q"),
    "logical": (frame(q=[True, False, True, True]), "column q, expected numbers only"),
    "label": (frame(Label=[0, 1, 0, 1]), "got the column Label, expected numbers computed"),
    "copy": (frame(q=[3.0, 7, 3, 7]), "column q, which has one value for each class"),
    "constant": (frame(p=1.0, q=2.0, r=3.0), "the same numbers for all 4 images"),
    "no image": (frame().rename(columns={"image": "path"}), "Name the column image"),
    "no numbers": (frame()[["image"]], "no column of numbers"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_tables_that_are_refused(kind: str, tmp_path: Path) -> None:
    table, message = REFUSED[kind]
    path = csv(tmp_path / "t.csv", table)
    with pytest.raises(ConfigError, match=message) as caught:
        given(path)
    assert f"--features-from net={path}" in str(caught.value)


def test_row_numbers_of_pandas_are_refused(tmp_path: Path) -> None:
    """In a table sorted by class, the row number is the label."""
    frame().to_csv(tmp_path / "t.csv")
    with pytest.raises(ConfigError, match=r"a column without a name.*index=False"):
        given(tmp_path / "t.csv")


def test_other_files_are_refused(tmp_path: Path) -> None:
    semicolons = csv(tmp_path / "s.csv", frame(), sep=";")
    repeated = tmp_path / "r.csv"
    repeated.write_text("image,p,p\na,1,2\n", encoding="utf-8")
    broken = tmp_path / "b.npz"
    broken.write_bytes(b"PK\x03\x04 not an archive")
    objects = npz(tmp_path / "o.npz", image=np.array(IMAGES, dtype=object))
    cases = {
        semicolons: "separated by semicolons", repeated: "2 columns named p",
        broken: r"expected a readable \.npz", objects: "Python objects, which are never loaded",
        npz(tmp_path / "f.npz", features=X[:2]): r"features of shape \(2, 3\)",
        npz(tmp_path / "n.npz", names=np.array(["p"])): "1 names for 3 columns",
        npz(tmp_path / "c.npz", features=X.astype(complex)): "expected real numbers",
        tmp_path / "t.xlsx": r"ends in \.xlsx",
    }  # fmt: skip
    for path, message in cases.items():
        with pytest.raises(ConfigError, match=message):
            read_table("net", path)


def test_columns_of_one_value_are_named(tmp_path: Path) -> None:
    found = given(csv(tmp_path / "t.csv", frame(q=5.0)))
    assert "1 of 3 (q)" in found.notes[0]
    assert found.matrix.shape == (4, 3)


def test_new_tables_are_brought_into_the_order_of_the_run(tmp_path: Path) -> None:
    table = read_table("net", csv(tmp_path / "t.csv", frame()[["image", "r", "p", "q"]]))
    np.testing.assert_array_equal(table.ordered(["p", "q", "r"]).rows_of(IMAGES), X)
    with pytest.raises(ConfigError, match=r"1 missing \(z\) and 1 unknown \(r\)"):
        table.ordered(["p", "q", "z"])


def test_parts_of_a_data_set_are_found_as_the_whole(tmp_path: Path) -> None:
    """Names without folders are unique among all images, not only among those of a part."""
    short = read_table("net", csv(tmp_path / "t.csv", frame(image=["a", "b", "c", "d"])))
    whole = ["x/a", "x/b", "y/c", "y/d"]
    named = short.named_as(whole)
    for part in ([0, 1], [3, 2]):
        np.testing.assert_array_equal(named.rows_of([whole[k] for k in part]), X[part])
    with pytest.raises(ConfigError, match=r"no row for 1 of the 1 images \(z/a\)"):
        named.rows_of(["z/a"])
    with pytest.raises(ConfigError, match=r"several images have one file name \(x/a, z/a\)"):
        short.named_as([*whole, "z/a"])


def test_a_table_is_a_feature_set_beside_the_others(tmp_path: Path) -> None:
    path = npz(tmp_path / "t.npz")
    config = load_config({"features_from": (f"net={path}",), "models": "svm,logistic"})
    assert config.features == (*DEFAULT_FEATURE_SETS, "net")
    cells = [cell for cell in plan(config) if cell.features == "net"]
    assert [cell.name for cell in cells] == ["net/svm/seed0", "net/logistic/seed0"]
    assert all(cell.given and cell.on_features and cell.families == ("net",) for cell in cells)
    assert families_of("combined") == ()
    assert load_config({"features": "net,hog", "features_from": f"net={path}"}).features[0] == "net"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features_from": "HOG=t.npz"}, "got the name 'HOG'"),
        ({"features_from": "pixels=t.npz"}, "got the name 'pixels'"),
        ({"features_from": "a b=t.npz"}, "got the name 'a b'"),
        ({"features_from": ("net=t.npz", "Net=t.npz")}, "got the name 'Net'"),
        ({"features_from": "t.npz"}, "expected name=file"),
        ({"features_from": "net=none.npz"}, "found none"),
        ({"features": "hog", "features_from": "net=t.npz"}, "Add it to --features"),
        ({"features": "net"}, "unknown 'net'"),
    ],
)
def test_names_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(options)


def test_columns_are_parts_or_hundreds() -> None:
    assert is_given("net")
    few = family_class("net")(("glcm/Contrast", "mean"))
    names = few.fit(np.zeros((1, 16, 16), np.uint8)).get_feature_names_out()
    assert [few.part(name) for name in names] == ["glcm/Contrast", "mean"]
    assert few.in_words(names[1]) == "net: column mean of the table"
    assert few.region(names[0]) is None
    many = family_class("net")(tuple(f"c{k}" for k in range(250)))
    assert [many.part(f"net/c{k}") for k in (0, 99, 100, 249)] == ["00xx", "00xx", "01xx", "02xx"]


def test_cells_on_a_table_ignore_copies_and_views(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, train = 40, np.arange(30)
    features = rng.normal(size=(n, 5))
    names = [f"{k}.png" for k in range(n)]
    manifest = pd.DataFrame({
        "image": names, "label": np.arange(n) % 2, "group": names,
        "split": ["train"] * 30 + ["validation"] * 4 + ["test"] * 6,
    })  # fmt: skip
    path = npz(tmp_path / "t.npz", image=np.array(names), features=features)
    config = RunConfig(features_from=[("net", path)], features="net", quiet=True)
    rows = read_given(config, manifest)
    images = ImageStack.of(np.zeros((n, 16, 16), np.uint8))
    made = extract(images, config, ["net"], tmp_path, None, rows)
    assert made.table["dimension"].tolist() == [5]
    assert made.matrices["net"].shape == (n, 5)
    plain = SplitIndices.of_manifest(manifest)
    several = SplitIndices.of_manifest(manifest, augment=2, views=3)
    assert isinstance(several.variants, Variants)
    cell = Cell("net", "logistic", "none", 0)
    one, other = (fit_on_features(cell, made.matrices, each) for each in (plain, several))
    assert (one.status, one.reason) == ("ok", "")
    for split in ("validation", "test"):
        np.testing.assert_array_equal(one.scores[split], other.scores[split])
    assert len(train) == len(several.train)
