from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import pytest

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets import pneumoniamnist
from benchmarks.datasets.dataset import DataError
from tests.datasets.test_npz import arrays


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the network by files in a folder, and the cache by another folder."""
    store, cache = tmp_path / "store", tmp_path / "cache"
    store.mkdir()
    np.savez(store / "pneumoniamnist_64.npz", **arrays(64))

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
    monkeypatch.setitem(pneumoniamnist.MD5, 64, md5)
    assert load(48).images.shape == (22, 48, 48)
    file.unlink()
    assert load(48).name == "pneumoniamnist"


def test_wrong_md5_is_rejected(server: Path) -> None:
    with pytest.raises(DataError, match="could not be downloaded intact.*8f4eceb4ccffa70c"):
        load(64)


def test_no_network_names_the_remedy(server: Path) -> None:
    with pytest.raises(DataError, match=r"--data pneumoniamnist_128.npz"):
        load(100)
