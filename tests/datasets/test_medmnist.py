from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import pytest

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets import medmnist
from benchmarks.datasets.dataset import DataError
from tests.datasets.test_npz import arrays


def several_labels(binary: dict[str, Any]) -> dict[str, Any]:
    """As ChestMNIST: label 6 is pneumonia, and each image has some of the other 13."""
    rng = np.random.default_rng(0)
    for part in ("train", "val", "test"):
        own = binary[f"{part}_labels"].reshape(-1)
        columns = rng.integers(0, 2, (len(own), 14), dtype=np.uint8)
        columns[:, 6] = own
        binary[f"{part}_labels"] = columns
    return binary


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the network by files in a folder, and the cache by another folder."""
    store, cache = tmp_path / "store", tmp_path / "cache"
    store.mkdir()
    np.savez(store / "pneumoniamnist_64.npz", **arrays(64))
    np.savez(store / "chestmnist_64.npz", **several_labels(arrays(64)))

    class Downloader:
        def __init__(self, **options: Any) -> None:
            assert options["timeout"] <= 30

        def __call__(self, url: str, output: str, _pooch: object) -> None:
            name = url.removesuffix("?download=1").rsplit("/", 1)[1]
            Path(output).write_bytes((store / name).read_bytes())

    monkeypatch.setattr(pooch, "HTTPDownloader", Downloader)
    monkeypatch.setattr(pooch, "os_cache", lambda name: cache / name)
    return store


def load(size: int) -> datasets.Dataset:
    return datasets.load(RunConfig(data="pneumoniamnist", image_size=size, quiet=True), size)


def test_right_md5_is_read_from_the_cache_next_time(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = server / "pneumoniamnist_64.npz"
    md5 = hashlib.md5(file.read_bytes()).hexdigest()
    monkeypatch.setitem(medmnist.FLAGS["pneumoniamnist"].md5, 64, md5)
    assert load(48).images.shape == (22, 48, 48)
    file.unlink()
    assert load(48).name == "pneumoniamnist"


def test_wrong_md5_is_rejected(server: Path) -> None:
    with pytest.raises(DataError, match="could not be downloaded intact.*8f4eceb4ccffa70c"):
        load(64)


def test_no_network_names_the_remedy(server: Path) -> None:
    with pytest.raises(DataError, match=r"--data pneumoniamnist_128.npz"):
        load(100)


def test_a_flag_gives_the_meaning_of_several_labels(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5 = hashlib.md5((server / "chestmnist_64.npz").read_bytes()).hexdigest()
    monkeypatch.setitem(medmnist.FLAGS["chestmnist"].md5, 64, md5)
    config = RunConfig(data="chestmnist", image_size=64, quiet=True)
    dataset = datasets.load(config, 64)
    assert dataset.classes == ("no pneumonia", "pneumonia")
    assert (dataset.name, dataset.licence) == ("chestmnist", "CC BY 4.0")
    assert "10.1109/CVPR.2017.369" in dataset.citation
    assert "ermany" not in f"{dataset.citation}{dataset.limitations}{dataset.facts}"
    known = load_labels(server / "chestmnist_64.npz", 6)
    assert dataset.manifest["label"].tolist() == known
    effusion = datasets.load(config.model_copy(update={"label": ("Effusion",)}), 64)
    assert effusion.classes == ("no effusion", "effusion")
    assert effusion.manifest["label"].tolist() == load_labels(server / "chestmnist_64.npz", 2)


def load_labels(file: Path, column: int) -> list[int]:
    """Labels in the order of the names of images: test, train, val."""
    with np.load(file) as content:
        return [int(v) for part in ("test", "train", "val")
                for v in content[f"{part}_labels"][:, column]]  # fmt: skip


@pytest.mark.parametrize(("data", "label"), [("chestmnist", "cough"), ("pneumoniamnist", "mass")])
def test_unknown_labels_are_refused(data: str, label: str) -> None:
    config = RunConfig(data=data, label=label, image_size=64, quiet=True)
    with pytest.raises(DataError, match=f"--label: got {label}, but expected"):
        datasets.load(config, 64)
