"""Recognition of the radiographs of Kermany et al. and of PneumoniaMNIST."""

from __future__ import annotations

import pandas as pd

from benchmarks.datasets.kermany import (
    KERMANY,
    MEDMNIST,
    MEDMNIST_IMAGES,
    TEST_IMAGES,
    is_kermany,
    is_pneumoniamnist,
)


def folder() -> pd.DataFrame:
    lines = [("test", name != "NORMAL") for name, n in TEST_IMAGES.items() for _ in range(n)]
    table = pd.DataFrame([*lines, ("train", True), ("train", False)], columns=["split", "label"])
    subtype = table["label"].map({True: "virus", False: ""})
    return table.assign(label=table["label"].astype(int), subtype=subtype, named=True)


def test_a_folder_needs_the_names_and_the_complete_test_split() -> None:
    table = folder()
    assert is_kermany(table)
    assert not is_kermany(table.iloc[1:])
    assert not is_kermany(table.assign(named=False))
    assert not is_kermany(table.assign(subtype="virus"))


def test_an_npz_file_needs_the_images_of_every_split_and_class() -> None:
    lines = [key for key, n in MEDMNIST_IMAGES.items() for _ in range(n)]
    table = pd.DataFrame(lines, columns=["split", "class"])
    assert len(table) == 5856
    assert is_pneumoniamnist(table)
    assert not is_pneumoniamnist(table.iloc[1:])


def test_both_state_their_population() -> None:
    for source in (KERMANY, MEDMNIST):
        assert "one to five years" in source.limitations[0]
        assert "Guangzhou" in source.facts["setting"]
        assert source.licence == "CC BY 4.0"
