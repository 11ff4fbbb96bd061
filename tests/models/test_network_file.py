"""Fitted networks in files: the same probabilities again, and refusals of everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("timm")

import torch
from sklearn.exceptions import NotFittedError

from models.cnn import CnnClassifier
from models.network.tensor_file import read_tensors, write_tensors
from models.network_file import NetworkFileError, load_network, save_network
from tests.helpers import textured

SMALL = "test_resnet"
WORDS = np.array(["clear", "opaque"])


@pytest.fixture(scope="module")
def fitted() -> CnnClassifier:
    images, label = textured(36, 32)
    model = CnnClassifier(SMALL, pretrained=False, epochs=1, n_jobs=1, patience=np.int64(2))
    return model.fit(images, WORDS[label], validation=(images[:12], WORDS[label[:12]]))


@pytest.fixture
def path(fitted: CnnClassifier, tmp_path: Path) -> Path:
    save_network(fitted, tmp_path / "cnn.safetensors")
    return tmp_path / "cnn.safetensors"


def changed(path: Path, change: Any) -> Path:
    """Write the file again with changed tensors and facts, and the hash that goes with them."""
    tensors, text = read_tensors(path)
    facts = json.loads(text)
    change(tensors, facts)
    write_tensors(path, tensors, json.dumps(facts))
    return path


def test_the_same_to_the_last_bit(fitted: CnnClassifier, path: Path) -> None:
    again = load_network(path)
    images = textured(40, 32, seed=5)[0]
    assert again.predict_proba(images).tobytes() == fitted.predict_proba(images).tobytes()
    np.testing.assert_array_equal(again.predict(images), fitted.predict(images))
    assert again.classes_.dtype == fitted.classes_.dtype
    assert again.history_ == fitted.history_
    assert again.record() == fitted.record()
    assert again.get_params() == {**fitted.get_params(), "weights": None}
    assert again.network_.prepare(torch.ones(1, 32, 32)).stride()[1] == 1


def test_saved_twice_is_one_file(fitted: CnnClassifier, path: Path) -> None:
    first = path.read_bytes()
    save_network(load_network(path), path)
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("label", [np.int8(1), np.True_, np.float32(1.5), np.str_("ä")])
def test_classes_keep_their_type(fitted: CnnClassifier, tmp_path: Path, label: Any) -> None:
    save_network(fitted, tmp_path / "n")
    classes = np.array([type(label)(), label])

    def change(_: Any, facts: dict[str, Any]) -> None:
        facts["classes"], facts["classes_dtype"] = classes.tolist(), classes.dtype.str

    loaded = load_network(changed(tmp_path / "n", change)).classes_
    np.testing.assert_array_equal(loaded, classes)
    assert loaded.dtype == classes.dtype


def test_images_of_another_size_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match=r"\(40, 40\) pixels, but expected \(32, 32\)"):
        load_network(path).predict_proba(textured(2, 40)[0])


def test_every_damaged_byte_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    for place in np.linspace(0, len(content) - 1, 60).astype(int):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(NetworkFileError, match="cnn.safetensors"):
            load_network(path)


@pytest.mark.parametrize("kept", [0, 5, 400, -1])
def test_a_part_of_a_file_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(NetworkFileError, match="expected a complete safetensors file"):
        load_network(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NetworkFileError, match="but there is none"):
        load_network(tmp_path / "none")


def test_any_safetensors_file_is_no_network(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"fc.weight": torch.zeros(2)}, tmp_path / "w")
    with pytest.raises(NetworkFileError, match="did not write the file"):
        load_network(tmp_path / "w")


CHANGES = {
    "unknown key": (lambda t, f: f.update(more=1), "more: Extra inputs"),
    "unknown parameter": (lambda t, f: f["parameters"].update(more=1), "parameters.more: Extra"),
    "missing key": (lambda t, f: f.pop("mean"), "mean: Field required"),
    "other type": (lambda t, f: f.update(note=3), "note: Input should be a valid string"),
    "other format": (lambda t, f: f.update(format="cnn-classifier-9"), "format: Input should be"),
    "a third class": (lambda t, f: f.update(classes=[0, 1, 2]), r"shape .first: fc.weight"),
    "one class": (lambda t, f: f.update(classes=[0]), "classes"),
    "object dtype": (lambda t, f: f.update(classes_dtype="|O"), "classes_dtype"),
    "other network": (lambda t, f: f["parameters"].update(backbone="test_vit"), "don't fit"),
    "no network": (lambda t, f: f["parameters"].update(backbone="hf-hub:a/b"), "no such network"),
    "other shape": (lambda t, f: t.update({"fc.bias": torch.zeros(3)}), r"shape .first: fc.bias"),
    "other format of numbers": (
        lambda t, f: t.update({"fc.bias": torch.zeros(2).half()}), "another number format"
    ),
    "missing tensor": (lambda t, f: t.pop("fc.bias"), "1 missing .first: fc.bias"),
    "unknown tensor": (lambda t, f: t.update(odd=torch.zeros(1)), "1 unknown .first: odd"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
def test_files_that_do_not_fit(path: Path, kind: str) -> None:
    change, message = CHANGES[kind]
    with pytest.raises(NetworkFileError, match=message) as caught:
        load_network(changed(path, change))
    assert str(path) in str(caught.value)


def test_an_unfitted_network_has_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        save_network(CnnClassifier(SMALL), tmp_path / "n")
