from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.datasets import splits
from benchmarks.datasets.dataset import DataError
from benchmarks.metrics.operating_points import threshold_at_recall


def manifest(
    patients: int = 60, images: int = 3, split: str = "train", prefix: str = ""
) -> pd.DataFrame:
    """Two of three patients have pneumonia, half of these viral; `images` images each."""
    rows = []
    for patient in range(patients):
        label = patient % 3 > 0
        subtype = ("bacteria" if patient % 2 else "virus") if label else ""
        name = "PNEUMONIA" if label else "NORMAL"
        for image in range(images):
            path = f"{split}/{name}/{prefix}{patient:03d}_{image}"
            rows.append((path, int(label), name, subtype, f"{prefix}{patient}", split))
    columns = ["image", "label", "class", "subtype", "group", "split"]
    return pd.DataFrame(rows, columns=columns)


def whole(**test: object) -> pd.DataFrame:
    return pd.concat([manifest(), manifest(30, split="test", prefix="t")], ignore_index=True)


def test_validation_is_drawn_by_patient_and_stratified() -> None:
    table = whole()
    split, notes = splits.assign(table, seed=0)
    groups = {name: set(table["group"][split == name]) for name in ("train", "validation", "test")}
    assert not groups["train"] & groups["validation"]
    assert not groups["test"] & (groups["train"] | groups["validation"])
    n_train = (table["split"] == "train").sum()
    assert (split == "validation").sum() == pytest.approx(0.15 * n_train, abs=5)
    prevalence = table["label"].groupby(split).mean()
    assert prevalence["validation"] == pytest.approx(prevalence["train"], abs=0.06)
    assert set(table["subtype"][split == "validation"]) == {"", "bacteria", "virus"}
    assert "drawn" in notes[-1]


def test_seed_changes_validation_but_never_test() -> None:
    table = whole()
    first, second = splits.assign(table, 0)[0], splits.assign(table, 1)[0]
    assert (first != second).any()
    assert ((first == "test") == (second == "test")).all()
    pd.testing.assert_series_equal(first, splits.assign(table, 0)[0])


def test_small_validation_is_merged_with_a_note() -> None:
    table = pd.concat([whole(), manifest(16, 1, split="validation", prefix="v")], ignore_index=True)
    split, notes = splits.assign(table, 0)
    came = table["split"] == "validation"
    assert (split[came] == "train").any()
    assert "16 images" in notes[0]
    assert "merged into train" in notes[0]


def test_large_validation_is_used_unchanged() -> None:
    table = pd.concat(
        [whole(), manifest(120, 1, split="validation", prefix="v")], ignore_index=True
    )
    split, notes = splits.assign(table, 0)
    assert ((split == "validation") == (table["split"] == "validation")).all()
    assert len(notes) == 1


def test_validation_that_shares_patients_with_train_is_merged() -> None:
    table = pd.concat([whole(), manifest(120, 1, split="validation")], ignore_index=True)
    _, notes = splits.assign(table, 0)
    assert "patients are in train too" in notes[0]


def test_patient_in_test_and_train_stops() -> None:
    table = whole()
    table.loc[table.index[-1], "group"] = "7"
    with pytest.raises(DataError, match=r"1 patients are in two splits, for example 7 in test and"):
        splits.assign(table, 0)
    split, _ = splits.assign(table, 0, allow_leakage=True)
    assert ((split == "test") == (table["split"] == "test")).all()


def test_a_patient_of_both_classes_stays_in_one_split() -> None:
    table = whole()
    mixed = table["group"].isin(["0", "3", "6", "9", "12", "15"])
    table.loc[mixed & table["image"].str.endswith("_2"), ["label", "class", "subtype"]] = [
        1, "PNEUMONIA", "virus",
    ]  # fmt: skip
    for seed in range(5):
        split, _ = splits.assign(table, seed)
        assert len(set(zip(table["group"], split, strict=True))) == table["group"].nunique()
        kept = table.iloc[splits.limit(table, 100, seed)]
        assert (kept.groupby("group").size() == 3).all()


def test_the_only_patient_of_a_subtype_stays_in_train() -> None:
    table = whole()
    train = table["split"] == "train"
    virus = train & (table["subtype"] == "virus")
    table = table[~virus | (table["group"] == "2")].reset_index(drop=True)
    split, _ = splits.assign(table, 0)
    assert set(split[table["group"] == "2"]) == {"train"}


def test_missing_class_in_a_split_stops() -> None:
    table = whole()
    table = table[(table["split"] == "train") | (table["label"] == 1)].reset_index(drop=True)
    with pytest.raises(DataError, match="Split test has .*expected images of both"):
        splits.assign(table, 0)


@pytest.mark.parametrize("n", [60, 120, 200])
def test_limit_keeps_whole_patients_in_proportion(n: int) -> None:
    table = whole()
    kept = table.iloc[splits.limit(table, n, seed=0)]
    assert len(kept) == pytest.approx(n, abs=8)
    sizes = table.groupby("group")["image"].size()
    kept_sizes = kept.groupby("group")["image"].size()
    assert (kept_sizes == sizes[kept_sizes.index]).all()
    assert (kept["split"] == "test").mean() == pytest.approx(1 / 3, abs=0.05)
    assert kept["label"].mean() == pytest.approx(table["label"].mean(), abs=0.05)


def test_limit_beyond_the_data_keeps_all() -> None:
    table = whole()
    assert len(splits.limit(table, 10_000, seed=0)) == len(table)


def test_few_validation_positives_are_warned_of() -> None:
    """Exactly where the threshold for the recall is the lowest score of a positive."""
    for recall in (0.9, 0.95, 0.98):
        for n in range(1, 61):
            score = np.arange(n, dtype=float)
            lowest = threshold_at_recall(np.ones(n, dtype=int), score, recall) == 0
            assert bool(splits.threshold_notes(n, recall)) == lowest, (n, recall)
    (note,) = splits.threshold_notes(19, 0.95)
    assert note.startswith("Warning: the validation set has 19 positive images.")
    assert "needs at least 20" in note


def patients_of_two_classes(n: int = 100) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    count = rng.integers(1, 5, n)
    group = np.repeat([f"p{k}" for k in range(n)], count)
    name = np.where(np.repeat(np.arange(n), count) % 4, "sick", "well")
    table = pd.DataFrame({"image": [f"{k:04d}" for k in range(len(group))], "group": group})
    return table.assign(**{"class": name, "subtype": "", "split": "train"})


def test_test_is_drawn_by_patient_and_class() -> None:
    table = patients_of_two_classes()
    split, notes = splits.draw_test(table, 0.2)
    assert (split.groupby(table["group"]).nunique() == 1).all()
    for name in ("sick", "well"):
        own = split[table["class"] == name]
        assert abs((own == "test").mean() - 0.2) < 0.03
    assert notes[0].startswith(f"Test drawn by patient: {(split == 'test').sum()} of {len(table)}")
    again, _ = splits.draw_test(table, 0.2)
    pd.testing.assert_series_equal(split, again)
    other, _ = splits.draw_test(table, 0.2, seed=1)
    assert (other != split).any()


def test_all_images_of_a_drawn_patient_are_in_test() -> None:
    table = patients_of_two_classes()
    table.loc[::3, "split"] = "validation"
    split, _ = splits.draw_test(table, 0.3)
    tested = table["group"].isin(table.loc[split == "test", "group"])
    assert set(split[tested]) == {"test"}
    assert (split[~tested] == table.loc[~tested, "split"]).all()


def test_no_second_test_split_is_drawn() -> None:
    table = patients_of_two_classes()
    table.loc[0, "split"] = "test"
    with pytest.raises(DataError, match="got 0.2, but the data have a test split"):
        splits.draw_test(table, 0.2)


def test_a_class_of_one_patient_gives_no_test_split() -> None:
    table = patients_of_two_classes()
    table = table[(table["class"] == "sick") | (table["group"] == "p0")]
    with pytest.raises(DataError, match="Got 1 patients of class well"):
        splits.draw_test(table, 0.2)


def test_a_test_split_for_several_labels_has_the_fraction_of_each_stratum() -> None:
    """Strata by the numbers of positive labels, of 90 patients with 2 images each."""
    table = manifest(90, 2)
    number = table["group"].astype(int) % 3
    table["class"] = number.astype(str)
    split, notes = splits.draw_common_test(table, 0.3)
    is_test = split == "test"
    assert is_test.groupby(number).mean().tolist() == pytest.approx([0.3] * 3, abs=1 / 30)
    assert (is_test.groupby(table["group"]).nunique() == 1).all()
    assert set(split) == {"train", "test"}
    assert f"{is_test.sum()} of 180 images" in notes[0]
    with pytest.raises(DataError, match="the data have a test split"):
        splits.draw_common_test(table.assign(split=split), 0.3)


def test_a_rare_number_of_labels_is_in_a_test_split_for_several_labels() -> None:
    table = manifest(62, 1)
    table["class"] = ["0"] * 58 + ["1"] * 4
    split, _ = splits.draw_common_test(table, 0.25)
    assert (split[table["class"] == "1"] == "test").sum() == 1
    alone = table.iloc[:2].assign(**{"class": ["0", "1"]})
    with pytest.raises(DataError, match="got 2 patients, but expected at least two"):
        splits.draw_common_test(alone, 0.25)
