from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.audit.findings import stop_or_mark
from benchmarks.config import RunConfig
from benchmarks.datasets.names.patient_names import patient_key
from benchmarks.errors import DataError


def table_of(folder: Path) -> pd.DataFrame:
    """What a folder in the Kermany layout says of each image, as a table."""
    rows = []
    for file in sorted(folder.glob("*/*/*.*")):
        key = patient_key(file.name)
        image = file.relative_to(folder).as_posix()
        rows.append((image, file.parent.name, *(key or ("", "")), file.parent.parent.name))
    return pd.DataFrame(rows, columns=["image", "label", "patient", "subtype", "split"])


def write_images(root: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20), number, np.uint8)).save(root / name)


def load(table: Path | str, **options: object) -> datasets.Dataset:
    return datasets.load(RunConfig(data=str(table), quiet=True, jobs=1, **options), 32)


def written(folder: Path, rows: list[dict[str, object]]) -> Path:
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Twelve images of six patients, in two sub-folders; the table has names only."""
    names = [f"part_{k % 2}/images/{k:02d}.png" for k in range(12)]
    write_images(tmp_path, names)
    return written(tmp_path, [
        {
            "image": f"{k:02d}.png", "label": ["No Finding", "Pneumonia"][k % 2],
            "patient": k // 2, "split": ["train", "test"][k // 8], "view": "PA", "age": 20 + k,
        }
        for k in range(12)
    ])  # fmt: skip


def changed(table: Path, row: int | None = None, **values: object) -> Path:
    frame = pd.read_csv(table, dtype=str, keep_default_na=False)
    for name, value in values.items():
        if row is None:
            frame[name] = value
        else:
            frame.loc[row, name] = value
    frame.to_csv(table, index=False)
    return table


def test_a_folder_and_its_table_give_the_same_images(radiograph_folder: Path) -> None:
    table = table_of(radiograph_folder)
    table.sample(frac=1, random_state=1).to_csv(radiograph_folder / "labels.csv", index=False)
    for options in ({}, {"limit": 50}):
        by_table = load(radiograph_folder / "labels.csv", **options)
        by_folder = load(radiograph_folder, **options)
        pd.testing.assert_frame_equal(by_table.manifest, by_folder.manifest)
        np.testing.assert_array_equal(by_table.images[:], by_folder.images[:])
    assert by_table.classes == by_folder.classes
    assert by_table.patients_known


def test_names_are_found_in_sub_folders(plain: Path) -> None:
    dataset = load(plain)
    assert dataset.manifest["image"][0] == "part_0/images/00.png"
    assert dataset.classes == ("No Finding", "Pneumonia")
    assert dataset.manifest["group"].value_counts().tolist() == [2] * 6
    assert dataset.manifest["age"].sum() == sum(range(20, 32))
    assert set(dataset.manifest["view"]) == {"PA"}
    assert "Names of images matched to files: 12 in a sub-folder." in dataset.notes
    dark = dataset.manifest.set_index("image").index.get_loc("part_1/images/03.png")
    assert dataset.images[dark].mean() == 3


def test_columns_of_other_names(plain: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(plain).set_axis(["Path", "Dx", "Patient ID", "Set", "V", "A"], axis=1)
    (tmp_path / "elsewhere").mkdir()
    frame.to_csv(tmp_path / "elsewhere" / "t.tsv", sep="\t", index=False, encoding="utf-8-sig")
    columns = 'image=Path,label=Dx,patient="Patient ID",split=Set,age=A'
    dataset = load(tmp_path / "elsewhere" / "t.tsv", images=tmp_path, columns=columns)
    assert len(dataset.manifest) == 12
    with pytest.raises(DataError, match=r"no column 'image', .*'Path'.*--columns image=NAME"):
        load(tmp_path / "elsewhere" / "t.tsv", images=tmp_path)
    with pytest.raises(DataError, match=r"no column 'Patient', .*Did you mean Patient ID"):
        load(tmp_path / "elsewhere" / "t.tsv", columns="image=Path", label="Patient")


def test_a_patient_of_the_table_in_train_and_test_stops_the_run(
    radiograph_folder: Path, tmp_path: Path
) -> None:
    """Files without a patient in their names; the table has only image and patient."""
    table = table_of(radiograph_folder)
    for number, image in enumerate(table["image"]):
        file = radiograph_folder / image
        file.rename(file.with_name(f"a{number:04d}.png"))
    table["image"] = [f"a{number:04d}.png" for number in range(len(table))]
    own = tmp_path / "patients.csv"
    table[["image", "patient"]].to_csv(own, index=False)
    dataset = load(own, images=radiograph_folder)
    assert "The table has no column split and label: read from the folders" in dataset.notes[0]
    assert dataset.manifest["group"].nunique() == table["patient"].nunique()
    assert stop_or_mark(audit(dataset)) == []
    in_test = table.index[table["split"] == "test"][0]
    table.loc[in_test, "patient"] = table.loc[table["split"] == "train", "patient"].iloc[0]
    table[["image", "patient"]].to_csv(own, index=False)
    with pytest.raises(DataError, match="patient_leak: in test and train: "):
        stop_or_mark(audit(load(own, images=radiograph_folder)))


@pytest.fixture
def findings(tmp_path: Path) -> Path:
    """A table of one finding in 1, 0, -1 and blank; images in several folders."""
    names = [f"images_00{1 + k % 2}/images/{k}.png" for k in range(16)]
    write_images(tmp_path, names)
    value = ["1", "0", "-1", ""]
    return written(tmp_path, [
        {"Path": name, "Patient": f"P{k // 4}", "Split": ["train", "TEST"][k // 8],
         "Pneumonia": value[k % 4]}
        for k, name in enumerate(names)
    ])  # fmt: skip


COLUMNS = "image=Path,patient=Patient,split=Split,label=Pneumonia"


def test_one_finding_in_ones_zeros_and_uncertain(findings: Path) -> None:
    dataset = load(findings, columns=COLUMNS)
    assert dataset.classes == ("no Pneumonia", "Pneumonia")
    assert dataset.manifest["label"].value_counts().to_dict() == {0: 4, 1: 4}
    assert dataset.manifest["split"].value_counts().to_dict() == {"train": 4, "test": 4}
    assert dataset.excluded.to_numpy().tolist() == [
        ["uncertain", "", 4], ["uncertain", "-1", 4],
    ]  # fmt: skip
    assert "Left out for an uncertain label: 8 rows (blank: 4, -1: 4)." in dataset.notes
    for words in ({"positive": "1"}, {"negative": "0"}, {"positive": "1.0", "negative": "0.0"}):
        assert load(findings, columns=COLUMNS, **words).classes == dataset.classes
    assert load(findings, columns=COLUMNS, positive="0").classes == ("1", "0")
    positive = load(findings, columns=COLUMNS, uncertain="positive")
    assert positive.manifest["label"].value_counts().to_dict() == {0: 4, 1: 12}
    negative = load(findings, columns=COLUMNS, uncertain="negative")
    assert negative.manifest["label"].value_counts().to_dict() == {0: 12, 1: 4}
    assert any("8 rows with a blank label or −1 count as negative" in n for n in negative.notes)


def test_two_rows_of_one_image_that_disagree_stop_the_run(findings: Path) -> None:
    frame = pd.read_csv(findings, dtype=str, keep_default_na=False)
    again = pd.concat([frame, frame.iloc[[0, 5]]])
    again.to_csv(findings, index=False)
    dataset = load(findings, columns=COLUMNS)
    assert len(dataset.manifest) == 8
    assert any(n.startswith("2 rows repeat an image with equal values") for n in dataset.notes)
    pd.concat([frame, frame.iloc[[0]].assign(Pneumonia="0")]).to_csv(findings, index=False)
    with pytest.raises(DataError, match=r"rows for 1 images that disagree, .*label '1' and '0'"):
        load(findings, columns=COLUMNS)
    other = frame.iloc[[0]].assign(Path=frame["Path"][0].replace("/", "\\"), Patient="Q")
    pd.concat([frame, other]).to_csv(findings, index=False)
    with pytest.raises(DataError, match="patient 'P0' and 'Q'"):
        load(findings, columns=COLUMNS)


def test_where_chooses_among_rows(findings: Path) -> None:
    frame = pd.read_csv(findings, dtype=str, keep_default_na=False).assign(reader="A")
    both = pd.concat([frame, frame.iloc[[0]].assign(Pneumonia="0", reader="B")])
    both.to_csv(findings, index=False)
    dataset = load(findings, columns=COLUMNS, where="reader == 'A'")
    assert dataset.notes[0] == "Kept 16 of 17 rows of the table: reader == 'A'."
    with pytest.raises(DataError, match="expected at least one with --where"):
        load(findings, columns=COLUMNS, where="reader == 'C'")


def test_where_knows_the_meaning_and_the_name_of_a_column(plain: Path) -> None:
    changed(plain, 0, age="020Y")
    frame = pd.read_csv(plain).rename(columns={"view": "View Position"})
    frame.to_csv(plain, index=False)
    columns = "view=View Position"
    for view in ("view", "`View Position`"):
        kept = load(plain, columns=columns, where=f"{view} == 'PA' and age < 22 or age > 30")
        assert kept.manifest["age"].tolist() == [20, 21, 31]


@pytest.mark.parametrize(
    ("labels", "positive", "negative", "count"),
    [
        (["A|B", "A", "B", "No Finding"], "A", None, (2, 1)),  # (positive, negative)
        (["A|B", "A", "B", "No Finding"], "A", "B", (2, 1)),
        (["A|B", "A", "B", "No Finding"], "A", "B,No Finding", (2, 2)),
        (["A|B", "A", "B", "No Finding"], "A|B", None, (1, 1)),
        (["A|B", "A", "B", "No Finding"], "A,B", None, (3, 1)),
        (["1.0", "0.0", "1", "0"], "1", "0", (2, 2)),
        (["1.0", "0.0", "1", "2"], "1", "0.00", (2, 1)),
        (["True", "False", "False", "False"], "True", None, (1, 3)),
        (["Viral A", "A", "Normal", "normal"], "A", None, (1, 2)),  # no part of a word
    ],
)
def test_values_of_the_label(
    tmp_path: Path, labels: list[str], positive: str, negative: str | None, count: tuple[int, int]
) -> None:
    write_images(tmp_path, [f"{k}.png" for k in range(4)])
    rows = [{"image": f"{k}.png", "label": v, "split": "test"} for k, v in enumerate(labels)]
    given = {"negative": negative} if negative else {}
    dataset = load(written(tmp_path, rows), positive=positive, **given)
    label = dataset.manifest["label"]
    assert ((label == 1).sum(), (label == 0).sum()) == count
    assert dataset.excluded["images"].sum() == 4 - sum(count)
    if sum(count) < 4:
        assert any(n.startswith("Left out for a label in neither class") for n in dataset.notes)


@pytest.mark.parametrize(
    ("values", "column", "message"),
    [
        (["1", "0"], "label", "found the classes 0, 1, but expected one that is positive"),
        (["1", "0"], "No Finding", "Give --positive"),  # here, 1 means healthy
        (["benign", "malignant"], "label", "Give --positive"),
        (["1", ""], "Pneumonia", "give --uncertain negative"),
        (["A|B", "B"], "label", "found the classes A, B"),
    ],
)
def test_a_class_that_can_not_be_told_stops(
    tmp_path: Path, values: list[str], column: str, message: str
) -> None:
    write_images(tmp_path, ["0.png", "1.png"])
    rows = [{"image": f"{k}.png", column: v, "split": "test"} for k, v in enumerate(values)]
    with pytest.raises(DataError, match=message):
        load(written(tmp_path, rows), label=column)


def test_missing_images_count_as_unreadable(plain: Path, tmp_path: Path) -> None:
    changed(plain, 3, image="lost.png")
    shutil.copy(tmp_path / "part_0/images/02.png", tmp_path / "02.png")
    shutil.copy(tmp_path / "part_0/images/04.png", tmp_path / "part_1/images/04.png")
    with pytest.raises(DataError, match="2 of 12 images are unreadable, more than the 1.0%"):
        load(plain)
    dataset = load(plain, max_unreadable=0.2)
    assert len(dataset.manifest) == 10
    reasons = dataset.left_out.set_index("image")["reason"]
    assert "lost.png: found no such file below" in reasons["lost.png"]
    assert "found several files of this name" in reasons["04.png"]
    assert any("4 image files below the folder of images are in no row" in n
               for n in dataset.notes)  # fmt: skip
    with pytest.raises(DataError, match="found none of its 12 images, such as 'x.png'"):
        load(changed(plain, image=[f"{'x' * (k + 1)}.png" for k in range(12)]))


def test_files_of_earlier_runs_are_no_images(plain: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "runs" / "one", ["images/00.png"])
    for name in ("run.json", "manifest.csv"):
        (tmp_path / "runs" / "one" / name).write_text("")
    assert len(load(plain).manifest) == 12


def test_patients_by_pattern_or_none(plain: Path) -> None:
    frame = pd.read_csv(plain, dtype=str).drop(columns="patient")
    frame.to_csv(plain, index=False)
    alone = load(plain)
    assert not alone.patients_known
    assert any("12 of 12 rows do not identify a patient" in n for n in alone.notes)
    by_name = load(plain, patient_pattern=r"(\d)\d\.png")
    assert by_name.patients_known
    assert by_name.manifest["group"].value_counts().to_dict() == {"0": 10, "1": 2}
    some = load(plain, patient_pattern=r"(1)\d\.png")
    assert any("10 of 12 rows do not identify a patient" in n for n in some.notes)
    with pytest.raises(DataError, match="finds no patient in the 12 paths"):
        load(plain, patient_pattern="zzz")
    changed(plain, patient=["1", "nan", ""] * 4)
    with pytest.raises(DataError, match="a column of patients, but expected none"):
        load(plain, patient_pattern=r"\d")
    assert load(plain).manifest["group"].nunique() == 1 + 8


@pytest.mark.parametrize(
    ("text", "tested"),
    [
        ("02.png\n03.png\n", [2, 3]),
        ("part_0/images/02.png\n", [2]),
        ("image\n02.png\n03.png\nelsewhere.png\n", [2, 3]),
        ("patient\n1\n", [2, 3]),
        ("1\n5\n", [2, 3, 10, 11]),
        ("patient,split\n0,Train\n1,test\n2,val\n", [2, 3]),
        ("image,patient,split\n02.png,x,test\n00.png,y,training\n", [2]),
    ],
)
def test_a_published_split(plain: Path, tmp_path: Path, text: str, tested: list[int]) -> None:
    (tmp_path / "list.txt").write_text(text)
    dataset = load(plain, split=tmp_path / "list.txt")
    table = dataset.manifest.set_index("image")["split"]
    assert sorted(int(i[-6:-4]) for i in table.index[table == "test"]) == tested
    if "split\n" in text:
        assert len(table) == (6 if "val" in text else 2)
        assert any("images are not in list.txt and were left out" in n for n in dataset.notes)
    else:
        assert len(table) == 12
        assert set(table) == {"train", "test"}
    assert any(n.startswith("Split from list.txt: ") for n in dataset.notes)


def test_patients_of_a_split_are_written_as_those_of_the_table(plain: Path, tmp_path: Path) -> None:
    changed(plain, patient=["1.0", "2.0", "3.0", "4.0", "5.0", ""] * 2)
    for text in (
        "1.0\n 2\n",
        "patient,split\n1,test\n2.0,test\n3,train\n4,train\n5,train\n,train\n",
    ):
        (tmp_path / "list.txt").write_text(text)
        table = load(plain, split=tmp_path / "list.txt").manifest
        tested = set(table["group"][table["split"] == "test"])
        assert tested == {"1", "2"}
        assert (~table["group"].isin(list("12345"))).sum() == (0 if "split" in text else 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zzz.png\n", "such as 'zzz.png', but expected images"),
        ("image,split\n02.png,test\n02.png,train\n", "'02.png' in two splits"),
        ("image,split\n02.png,test\n02,train\n", "02.png and 02 in test and train, but both are"),
        ("image,split\n02.png,later\n", "found the splits 'later'"),
        ("image,set\n02.png,test\n", "found the columns image, set"),
        ("", "found no line"),
    ],
)
def test_a_split_that_can_not_be_used(plain: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        load(plain, split=tmp_path / "list.txt")


def test_without_a_test_split_one_is_asked_for(plain: Path) -> None:
    with pytest.raises(DataError, match="the data have a test split, and expected none"):
        load(plain, test_fraction=0.2)
    changed(plain, split="train")
    with pytest.raises(DataError, match=r"found no test split.*--test-fraction 0\.2"):
        load(plain)
    assert load(plain, test_fraction=0.2).test_fraction == 0.2
    changed(plain, split="fold1")
    with pytest.raises(DataError, match="found the splits 'fold1'"):
        load(plain)


def test_more_than_two_classes(plain: Path) -> None:
    changed(plain, label=["b", "a", "c", "a|b"] * 3)
    dataset = load(plain, task="subtype")
    assert dataset.classes == ("a", "b", "c")
    assert dataset.excluded.to_numpy().tolist() == [["label", "a|b", 3]]
    assert dataset.manifest["class"].value_counts().to_dict() == {"a": 3, "b": 3, "c": 3}
    changed(plain, label=["Normal", "sick"] * 6, subtype=["", "x", "", "y"] * 3)
    assert load(plain, task="subtype").classes == ("Normal", "x", "y")


def test_lateral_views_are_left_out_unless_asked_for(plain: Path) -> None:
    changed(plain, 2, view="Lateral")
    dataset = load(plain)
    assert len(dataset.manifest) == 11
    assert any(note.startswith("1 images of lateral views were left out") for note in dataset.notes)
    assert len(load(plain, keep_laterals=True).manifest) == 12
    assert len(load(plain, where="view != 'AP'").manifest) == 12
    assert len(load(plain, where="label != 'view'").manifest) == 11


@pytest.mark.parametrize(
    ("name", "given", "where"),
    [
        ("Projection", "view=Projection", "Projection == 'LATERAL'"),
        ("Projection", "view=projection", "Projection == 'LATERAL'"),
        ("Projection", "view=Projection", "view == 'LATERAL'"),
        ("View Position", "view=View Position", "`View Position` == 'LATERAL'"),
        ("View", "", "View == 'LATERAL'"),
    ],
)
def test_a_condition_on_the_column_of_views_keeps_laterals(
    plain: Path, name: str, given: str, where: str
) -> None:
    changed(plain, view=["LATERAL"] * 3 + ["PA"] * 6 + ["LATERAL"] * 3)
    pd.read_csv(plain).rename(columns={"view": name}).to_csv(plain, index=False)
    kept = load(plain, columns=given, where=where) if given else load(plain, where=where)
    assert kept.manifest["view"].tolist() == ["LATERAL"] * 6


def test_ages_are_compared_as_texts_too(plain: Path) -> None:
    changed(plain, 9, age="024Y")
    changed(plain, 0, age="unknown")
    assert load(plain, where="age == '24'").manifest["age"].tolist() == [24, 24]
    assert load(plain, where="age != ''").manifest["age"].notna().all()
    assert len(load(plain, where="age == '' or age > 30").manifest) == 2


def test_classes_can_be_named(findings: Path) -> None:
    assert load(findings, columns=COLUMNS, class_names="no,yes").classes == ("no", "yes")
    with pytest.raises(DataError, match="got 3 names, but expected 2, of no Pneumonia, Pneumonia"):
        load(findings, columns=COLUMNS, class_names="a,b,c")


def test_names_of_more_than_two_classes_are_checked_once_they_are_final(plain: Path) -> None:
    changed(plain, label=["b", "a.1", "c"] * 4)
    with pytest.raises(DataError, match=r"column label: found the class 'a\.1'"):
        load(plain, task="subtype")
    assert load(plain, task="subtype", class_names="a,b,c").classes == ("a", "b", "c")
    for name in ("macro", "x.y"):
        with pytest.raises(DataError, match=f"--class-names: found the class '{name}'"):
            load(plain, task="subtype", class_names=f"{name},b,c")


@pytest.mark.real
def test_nih_labels(real_data: Path, tmp_path: Path) -> None:
    from benchmarks.datasets.table import list_images_of
    from benchmarks.datasets.tables.table_file import read_table_file

    path = real_data.parent / "nih" / "Data_Entry_2017_v2020.csv.gz"
    table, notes = read_table_file(path)
    assert (len(table), notes) == (112_120, [])
    table = table.sample(2000, random_state=0)
    for name in table["Image Index"]:
        (tmp_path / name).touch()
    config = RunConfig(
        data=str(path), positive="Pneumonia", test_fraction=0.2,
        columns="image=Image Index,label=Finding Labels,patient=Patient ID,view=View Position,"
        "age=Patient Age,sex=Patient Gender",
    )  # fmt: skip
    listed = list_images_of(table, tmp_path, config, "NIH")
    labels = table["Finding Labels"]
    wanted = labels.str.contains("Pneumonia").sum(), (labels == "No Finding").sum()
    assert listed.manifest["label"].value_counts().reindex([1, 0]).tolist() == list(wanted)
    assert listed.excluded["images"].sum() == 2000 - sum(wanted)
    assert listed.draw_test
