"""Checkpoints: an interrupted training ends with the numbers of an uninterrupted one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("timm")

import torch

from models.cnn import CnnClassifier
from models.network import checkpoint, training
from models.network.tensor_file import read_tensors, write_tensors
from tests.conftest import ROOT
from tests.helpers import textured

pytestmark = pytest.mark.slow

SMALL = "test_efficientnet"
IMAGES, LABEL = textured(60, 32, seed=3)
SEEN, UNSEEN = (IMAGES[:40], LABEL[:40]), (IMAGES[40:], LABEL[40:])


def network(**params: Any) -> CnnClassifier:
    fixed = {"backbone": SMALL, "pretrained": False, "epochs": 3, "n_jobs": 1, "batch_size": 8}
    return CnnClassifier(**{**fixed, **params})


def fit(path: Path | None = None, **params: Any) -> CnnClassifier:
    return network(**params).fit(*SEEN, validation=UNSEEN, checkpoint=path)


def outcome(model: CnnClassifier) -> tuple[Any, ...]:
    """All of a fit but the time it took, to the last bit."""
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in model.history_]
    state = {k: v.numpy().tobytes() for k, v in model.network_.model.state_dict().items()}
    return history, model.best_epoch_, state, model.predict_proba(IMAGES).tobytes()


@pytest.fixture(scope="module")
def whole() -> tuple[Any, ...]:
    return outcome(fit())


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Epochs that are trained."""
    trained: list[int] = []
    original = training._train

    def train(state: Any, *rest: Any) -> float:
        trained.append(len(state.history) + 1)
        return original(state, *rest)

    monkeypatch.setattr(training, "_train", train)
    return trained


def interrupt(path: Path, monkeypatch: pytest.MonkeyPatch, at: int, **params: Any) -> None:
    """Stop a fit in the augmentation of batch ``at``, five an epoch, from 1."""
    from models.network import feeding

    count, augment = iter(range(1, 99)), feeding.augment

    def stop(*arguments: Any) -> torch.Tensor:
        if next(count) == at:
            raise KeyboardInterrupt
        return augment(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(feeding, "augment", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(path, **params)


def test_a_checkpoint_changes_no_number(whole: tuple[Any, ...], tmp_path: Path) -> None:
    assert outcome(fit(tmp_path / "c")) == whole
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize(("at", "left"), [(3, [1, 2, 3]), (8, [2, 3]), (15, [3])])
def test_interrupted_and_gone_on_with(
    at: int, left: list[int], whole: tuple[Any, ...], epochs: list[int], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "c"
    interrupt(path, monkeypatch, at)
    assert path.exists() == (at > 5)
    epochs.clear()
    model = fit(path)
    assert epochs == left
    assert outcome(model) == whole
    assert model.images_per_second_ > 0


def test_interrupted_twice(
    whole: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(tmp_path / "c", monkeypatch, 6)
    interrupt(tmp_path / "c", monkeypatch, 9)
    assert outcome(fit(tmp_path / "c")) == whole


def test_dropout_resumes_its_random_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the network draws itself is another generator than that of the batches."""
    original = training.begin

    def begin(built: Any, *rest: Any) -> Any:
        built.model.drop_rate = 0.5
        return original(built, *rest)

    monkeypatch.setattr("models.cnn.begin", begin)
    dropped = outcome(fit())
    monkeypatch.setattr("models.cnn.begin", original)
    assert outcome(fit())[0] != dropped[0]
    monkeypatch.setattr("models.cnn.begin", begin)
    interrupt(tmp_path / "c", monkeypatch, 8)
    assert outcome(fit(tmp_path / "c")) == dropped


def test_a_finished_fit_trains_no_more(
    whole: tuple[Any, ...], epochs: list[int], tmp_path: Path
) -> None:
    fit(tmp_path / "c")
    epochs.clear()
    assert outcome(fit(tmp_path / "c")) == whole
    assert epochs == []


def test_patience_counts_across_a_resume(
    epochs: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: best in epoch 1 of 9, so patience 2 ends it after epoch 3."""

    def validate(*_: Any) -> dict[str, float]:
        return {"validation_loss": len(epochs), "validation_average_precision": 0.5}

    monkeypatch.setattr(training, "validate", validate)
    interrupt(tmp_path / "c", monkeypatch, 13, epochs=9, patience=2)
    fit(tmp_path / "c", epochs=9, patience=2)
    assert epochs == [1, 2, 3, 3]


KILLED = """
import os, signal, sys
from pathlib import Path
from models.network import feeding
from tests.models.network.test_checkpoint import fit
count, augment = iter(range(1, 99)), feeding.augment
def stop(*arguments):
    if next(count) == 14:
        os.kill(os.getpid(), signal.SIGKILL)
    return augment(*arguments)
feeding.augment = stop
fit(Path(sys.argv[1]))
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_killed_and_gone_on_with(whole: tuple[Any, ...], epochs: list[int], tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "c")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert outcome(fit(tmp_path / "c")) == whole
    assert epochs == [3]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """The checkpoint of a finished fit of one epoch."""
    fit(tmp_path / "c", epochs=1)
    return tmp_path / "c"


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ({"seed": 1}, "seed"),
        ({"learning_rate": 0.01}, "learning_rate"),
        ({"balance": False}, "balance"),
        ({"epochs": 2}, "epochs"),
        ({"n_jobs": 2}, "threads"),
        ({"backbone": "test_resnet"}, "backbone"),
    ],
)
def test_checkpoints_of_other_parameters_are_refused(
    path: Path, params: dict[str, Any], key: str, epochs: list[int]
) -> None:
    with pytest.warns(
        RuntimeWarning, match=f"another fit; different: .*{key}.*starts from the beginning"
    ):
        model = fit(path, **{"epochs": 1, **params})
    assert epochs == list(range(1, params.get("epochs", 1) + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the refused one was replaced
        assert outcome(fit(path, **{"epochs": 1, **params})) == outcome(model)


@pytest.mark.parametrize("what", ["pixel", "label", "order", "validation"])
def test_checkpoints_of_other_images_are_refused(path: Path, what: str) -> None:
    X, y, unseen = IMAGES[:40].copy(), LABEL[:40].copy(), IMAGES[40:].copy()
    if what == "pixel":
        X[37, 5, 5] ^= 1
    elif what == "label":
        y[7] = 1 - y[7]
    elif what == "order":
        X[[0, 3]], y[[0, 3]] = X[[3, 0]], y[[3, 0]]
    else:
        unseen[0, 0, 0] ^= 1
    which = "validation" if what == "validation" else "training"
    with pytest.warns(RuntimeWarning, match=f"another fit; different: {which} images"):
        network(epochs=1).fit(X, y, validation=(unseen, LABEL[40:]), checkpoint=path)


@pytest.mark.parametrize("damage", ["part", "byte", "text", "empty"])
def test_damaged_checkpoints_are_refused(path: Path, damage: str) -> None:
    content, expected = path.read_bytes(), outcome(fit(epochs=1))
    middle = len(content) // 2
    path.write_bytes(
        {
            "part": content[:middle],
            "byte": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
            "text": b"not a checkpoint",
            "empty": b"",
        }[damage]
    )
    with pytest.warns(RuntimeWarning, match="The training starts from the beginning"):
        assert outcome(fit(path, epochs=1)) == expected


@pytest.mark.parametrize("change", ["key", "best", "random", "optimiser"])
def test_checkpoints_of_another_form_are_refused(path: Path, change: str) -> None:
    """With the right hash."""
    tensors, text = read_tensors(path)
    facts = json.loads(text)
    if change == "key":
        facts["more"] = 1
    else:
        name = next(name for name in tensors if name.startswith(change) and tensors[name].ndim)
        tensors[name] = torch.zeros(3, dtype=tensors[name].dtype)
    write_tensors(path, tensors, json.dumps(facts))
    with pytest.warns(RuntimeWarning, match="The training starts from the beginning"):
        fit(path, epochs=1)


def test_no_pickle_in_a_checkpoint(path: Path) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        assert file.metadata().keys() == {"facts and sha256"}
    assert checkpoint.ROWS > 1


@pytest.mark.filterwarnings("ignore:.*can't be written:UserWarning")
def test_training_continues_if_its_state_cannot_be_written(
    tmp_path: Path, whole: tuple[Any, ...]
) -> None:
    with pytest.warns(UserWarning, match="can't be written: .* can't be resumed after epoch"):
        model = fit(tmp_path / "missing" / "state.safetensors")
    assert outcome(model) == whole
