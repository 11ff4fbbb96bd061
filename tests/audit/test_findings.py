"""The audit: each kind of fault is planted in sound data and found, with its severity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.audit.checks import CHECKS, audit
from benchmarks.audit.findings import Audit, shown, stop_or_mark, summary
from benchmarks.audit.patient_groups import joined_notes, keep_together
from benchmarks.commands.audit import audit_data
from benchmarks.config import RunConfig
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.datasets.phantoms import generate
from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.report.blocks import Pictures, Table
from benchmarks.report.sections import audit as section
from benchmarks.run.exploration import save_thumbnails

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sound() -> Dataset:
    """One image per patient."""
    dataset = generate(n_images=160, size=64)
    first = ~dataset.manifest.duplicated("group").to_numpy()
    assert isinstance(dataset.images, np.ndarray)
    manifest = dataset.manifest[first].reset_index(drop=True)
    return replace(dataset, images=dataset.images[first], manifest=manifest, masks=None)


def rows(dataset: Dataset, split: str, label: str, n: int = 2) -> list[int]:
    manifest = dataset.manifest
    return np.flatnonzero((manifest["split"] == split) & (manifest["class"] == label))[:n].tolist()


def copied(dataset: Dataset, source: int, target: int, **changes: object) -> Dataset:
    """Give row `target` the content of row `source`."""
    images = np.array(dataset.images)
    images[target] = images[source]
    manifest = dataset.manifest.copy()
    manifest.loc[target, "sha256"] = manifest.loc[source, "sha256"]
    return replace(dataset, images=images, manifest=manifest, **changes)


def severities(found: Audit, check: str) -> list[str]:
    return found.findings.loc[found.findings["check"] == check, "severity"].tolist()


def test_sound_phantoms_have_only_counts(sound: Dataset) -> None:
    found = audit(sound)
    assert set(found.findings["check"]) <= {"counts", "small_split"}
    assert found.findings.columns.tolist() == MORE_TABLES["audit"]
    assert found.images.columns.tolist() == MORE_TABLES["audit_images"]
    assert stop_or_mark(found) == []
    test = sound.manifest[sound.manifest["split"] == "test"]
    normal = (test["class"] == "NORMAL").sum()
    detail = found.findings.loc[found.findings["check"] == "counts", "detail"]
    assert any(f"test: {normal} NORMAL of {normal} patients" in one for one in detail)


def test_default_phantoms_have_no_duplicate_across_patients() -> None:
    findings = audit(generate(n_images=120, size=128)).findings
    copies = findings[findings["check"].str.endswith("duplicate")]
    assert (copies["severity"] == "note").all()
    assert (copies["patients"] == 1).all()


def test_copy_within_train_is_a_note_and_joins_the_patients(sound: Dataset) -> None:
    first, second = rows(sound, "train", "PNEUMONIA")
    data = copied(sound, first, second)
    found = audit(data)
    assert severities(found, "exact_duplicate") == ["note"]
    assert severities(found, "near_duplicate") == []
    groups = keep_together(data.manifest, found.duplicates)
    assert groups[first] == groups[second] == min(data.manifest["group"][[first, second]])
    assert (groups != data.manifest["group"]).sum() == 1
    before, after = data.manifest["group"].nunique(), groups.nunique()
    assert after == before - 1
    assert joined_notes(data.manifest["group"], groups) == [
        f"2 patients share a copied image and count as 1 in all numbers: {after} patients instead "
        f"of {before}."
    ]
    table = found.findings[found.findings["check"] == "counts"]
    train = data.manifest["split"] == "train"
    counted = table[table["detail"].str.startswith("train:")]
    assert counted["patients"].tolist() == [groups[train].nunique()]
    assert (
        f"PNEUMONIA of {groups[train & (data.manifest['class'] == 'PNEUMONIA')].nunique()} "
        in (counted["detail"].iloc[0])
    )


def test_copy_in_test_and_train_stops(sound: Dataset) -> None:
    (train, _), (test, _) = rows(sound, "train", "NORMAL"), rows(sound, "test", "NORMAL")
    found = audit(copied(sound, train, test))
    assert severities(found, "exact_duplicate") == ["stop"]
    names = sound.manifest["image"]
    with pytest.raises(DataError, match="1 reason to stop.*expected no image") as error:
        stop_or_mark(found)
    assert all(word in str(error.value) for word in (names[train], names[test], "--allow-leakage"))
    (mark,) = stop_or_mark(found, allow_leakage=True)
    assert "can't be trusted" in mark
    assert "1 × exact duplicate" in mark
    groups = keep_together(sound.manifest, found.duplicates)
    assert groups.tolist() == sound.manifest["group"].tolist()


def test_copy_in_train_and_validation_warns_and_joins(sound: Dataset) -> None:
    first, second = rows(sound, "train", "NORMAL")
    data = copied(sound, first, second)
    data.manifest.loc[second, "split"] = "validation"
    found = audit(data)
    assert severities(found, "exact_duplicate") == ["warn"]
    groups = keep_together(data.manifest, found.duplicates)
    assert groups[first] == groups[second]
    split, _ = splits.assign(data.manifest.assign(group=groups))
    assert split[first] == split[second]


def test_identical_content_with_two_classes_stops_within_a_split(sound: Dataset) -> None:
    (normal, _), (sick, _) = rows(sound, "train", "NORMAL"), rows(sound, "train", "PNEUMONIA")
    found = audit(copied(sound, normal, sick))
    assert severities(found, "label_conflict") == ["stop"]
    assert severities(found, "exact_duplicate") == ["warn"]
    assert found.findings["severity"].tolist()[0] == "stop"


def test_near_duplicate_severity_depends_on_split_and_class(sound: Dataset) -> None:
    images = np.array(sound.images)
    (normal, other), (sick, _) = rows(sound, "train", "NORMAL"), rows(sound, "train", "PNEUMONIA")
    test, _ = rows(sound, "test", "PNEUMONIA")
    for target, source in ((other, normal), (test, sick)):
        images[target] = images[source] // 2 + 40
    found = audit(replace(sound, images=images))
    assert sorted(severities(found, "near_duplicate")) == ["note", "stop"]
    images[sick] = images[normal] // 2 + 60
    found = audit(replace(sound, images=images))
    assert severities(found, "near_duplicate") == ["warn"]  # one group of three, two classes


def test_patients_in_two_splits(sound: Dataset) -> None:
    manifest = sound.manifest.copy()
    (train, other), (test, _) = rows(sound, "train", "NORMAL"), rows(sound, "test", "NORMAL")
    manifest.loc[test, "group"] = manifest.loc[train, "group"]
    manifest.loc[other, ["group", "split"]] = [manifest["group"].iloc[-1], "validation"]
    findings = audit(replace(sound, manifest=manifest)).findings
    leaks = findings[findings["check"] == "patient_leak"]
    assert leaks[["severity", "images", "patients"]].to_numpy().tolist() == [
        ["stop", 2, 1], ["warn", 2, 1],
    ]  # fmt: skip
    unknown = audit(replace(sound, manifest=manifest, patients_known=False))
    assert severities(unknown, "patient_leak") == ["warn"]
    assert stop_or_mark(unknown) == []


def test_empty_and_unreadable_images_and_small_splits(sound: Dataset) -> None:
    images = np.array(sound.images)
    images[3] = 90
    images[3, :6, :6] = 255  # 36 of 4,096 pixels
    left_out = pd.DataFrame({"image": ["a.png", "b.png"], "reason": ["truncated", "empty"]})
    manifest = sound.manifest.copy()
    row = rows(sound, "train", "NORMAL")[1]
    manifest.loc[row, "split"] = "validation"
    found = audit(replace(sound, images=images, manifest=manifest, left_out=left_out))
    table = found.findings.drop_duplicates("check").set_index("check")
    assert table.loc["empty_image", ["severity", "images"]].tolist() == ["warn", 1]
    assert table.loc["unreadable", ["severity", "images"]].tolist() == ["warn", 2]
    assert "a.png" in table.loc["unreadable", "detail"]
    small = found.findings[found.findings["check"] == "small_split"]
    note = small[small["severity"] == "note"]["detail"].tolist()
    assert note == ["validation has 1 NORMAL, 0 PNEUMONIA, fewer than 30 of a class: "
                    "it is merged into train"]  # fmt: skip


def test_joined_patients_do_not_depend_on_order() -> None:
    table = pd.DataFrame({"group": list("dbcaef"), "split": ["train"] * 5 + ["test"]})
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 4, 2]):
        moved = table.iloc[order].reset_index(drop=True)
        place = {name: k for k, name in enumerate(moved["group"])}
        copies = [("d", "b"), ("b", "c"), ("e", "f")]
        groups = keep_together(moved, [tuple(place[name] for name in pair) for pair in copies])
        after = dict(zip(moved["group"], groups, strict=True))
        assert after == {"a": "a", "b": "b", "c": "b", "d": "b", "e": "e", "f": "f"}


def results(folder: Path, found: Audit) -> Results:
    none = pd.DataFrame()
    tables = {"audit": found.findings, "audit_images": found.images}
    unknown = pd.DataFrame(columns=["label", "class"])
    manifest = unknown if found.dataset is None else found.dataset.manifest
    return Results(folder, {}, manifest, none, none, none, none, none, tables)


def test_section_shows_the_most_severe_first_with_images(sound: Dataset, tmp_path: Path) -> None:
    (train, _), (test, _) = rows(sound, "train", "NORMAL"), rows(sound, "test", "NORMAL")
    data = copied(sound, train, test)
    found = audit(data)
    save_thumbnails(data, shown(found)["image"].tolist(), tmp_path)
    rendered = section.render(results(tmp_path, found))
    text, table, pictures = rendered.blocks
    assert "1 finding that stops a run" in text.parts[0]
    assert "1 of them have images both in the test split and outside it" in text.parts[0]
    assert isinstance(table, Table)
    assert [cell.text for cell in table.rows[0][:2]] == ["Exact duplicate", "stop"]
    assert isinstance(pictures, Pictures)
    assert [item.detail for item in pictures.items] == ["test, NORMAL", "train, NORMAL"]


def test_section_without_audit_and_with_many_findings(tmp_path: Path) -> None:
    none = Audit(pd.DataFrame(columns=MORE_TABLES["audit"]), pd.DataFrame())
    assert "no data audit" in section.render(results(tmp_path, none)).blocks[0].parts[0]
    many = pd.DataFrame([("exact_duplicate", "note", 2, 1, "a, b")] * 50,
                        columns=MORE_TABLES["audit"])  # fmt: skip
    rendered = section.render(results(tmp_path, Audit(many, pd.DataFrame(
        columns=MORE_TABLES["audit_images"]))))  # fmt: skip
    table = rendered.blocks[1]
    assert len(table.rows) == 40
    assert table.note == "Not shown: 10 × exact duplicate (note); audit.csv lists all findings."
    assert (
        "none of them has images both in the test split and outside it"
        in rendered.blocks[0].parts[0]
    )


def test_every_check_has_a_name_in_the_report() -> None:
    assert set(section._NAMES) == set(CHECKS)


def test_command_writes_tables_and_sets_its_exit_code(
    radiograph_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    config = RunConfig(data=str(radiograph_folder), image_size=48, jobs=1, quiet=True, out=out)
    code = audit_data(config)
    table = pd.read_csv(out / "audit.csv")
    assert sorted(path.name for path in out.iterdir()) == ["audit.csv", "audit_images.csv"]
    assert code == int((table["severity"] == "stop").any())
    files = sorted((radiograph_folder / "train" / "NORMAL").iterdir())
    (radiograph_folder / "test" / "NORMAL" / "IM-0900-0001.jpeg").write_bytes(files[0].read_bytes())
    again = config.model_copy(update={"out": tmp_path / "again"})
    assert audit_data(again) == 1


@pytest.mark.slow
@pytest.mark.real
def test_real_radiographs_have_their_known_duplicates_and_no_leak(real_data: Path) -> None:
    from benchmarks import datasets

    found = audit(datasets.load(RunConfig(data=str(real_data), quiet=True), 224))
    assert set(found.findings["severity"]) == {"note"}
    exact = found.findings[found.findings["check"] == "exact_duplicate"]
    assert (len(exact), exact["images"].sum()) == (30, 62)
    assert severities(found, "near_duplicate") == []
    unusual = found.findings[
        found.findings["check"].isin(["reversed_polarity", "turned", "unlike"])
    ]
    assert dict(zip(unusual["check"], unusual["images"], strict=True)) == {"turned": 1, "unlike": 6}
    (mark,) = found.findings.loc[found.findings["check"] == "class_mark", "detail"]
    assert "upper edge, rows 0–16, columns 96–112: brightest pixel alone, lower in PNEUM" in mark
    assert summary(found).startswith("Audit: 0 findings that stop a run, 0 warnings, 35 notes")
