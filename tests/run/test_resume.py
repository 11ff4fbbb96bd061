"""An interrupted run is resumed and ends with the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from joblib.externals.loky import process_executor

from benchmarks.io.workers import Interrupted, check_interrupted, interruptible, stop_workers
from benchmarks.run import stages
from benchmarks.run.state import SCRATCH
from run_benchmark import main
from tests.conftest import QUICK as ON_PHANTOMS
from tests.conftest import MakeOnce
from tests.helpers import write_radiographs

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]
TIMED = ["fit_seconds", "predict_seconds"]
QUICK = ["--features", "intensity,lbp", "--models", "logistic,xgboost", "--image-size", "48",
         "--study", "none"]  # fmt: skip


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def quick(make_once: MakeOnce) -> list[str]:
    """Options of a run on files: other processes read them faster than they draw phantoms."""

    def make(folder: Path) -> None:
        write_radiographs(folder)

    return [*QUICK, "--data", str(make_once("files_to_resume", make))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, quick: list[str]) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert invoke(*quick, "--jobs", 1, "--out", out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, quick: list[str]) -> Path:
    """A run that Ctrl-C ended after two of its four cells."""
    out = tmp_path_factory.mktemp("runs") / "half"
    keep = stages.keep_result

    def two(state: Any, tables: Any, result: Any) -> None:
        keep(state, tables, result)
        if len(tables.results) == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "keep_result", two)
        done = invoke(*quick, "--jobs", 1, "--out", out)
    assert done.exit_code == 130
    assert f"2 cells are finished and kept. To resume: python run_benchmark.py --resume {out}" in (
        done.output
    )
    return out


@pytest.fixture
def half(interrupted: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(interrupted, tmp_path / "half"))


def assert_same(folder: Path, whole: Path) -> None:
    """Equal to the byte, but for times."""
    for name in ("predictions.csv", "manifest.csv", "intensity.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    got, expected = (pd.read_csv(f / "scores.csv").drop(columns=TIMED) for f in (folder, whole))
    pd.testing.assert_frame_equal(got, expected, check_exact=True)
    got, expected = (json.loads((f / "run.json").read_text()) for f in (folder, whole))
    assert got["status"] == "finished"
    assert got["cells"] == expected["cells"]
    assert got["features"] == expected["features"]
    names = [sorted(p.name for p in (f / "models").iterdir()) for f in (folder, whole)]
    assert names[0] == names[1]
    assert not (folder / SCRATCH).exists()
    assert (folder / "report.html").exists()


def seconds(folder: Path) -> dict[str, float]:
    table = pd.read_csv(folder / "scores.csv")
    return dict(zip(table["cell"], table["fit_seconds"], strict=True))


def lengthen_first_leg(folder: Path) -> dict[str, Any]:
    """Let the record tell of a first leg of 5,000 s, and return its times."""
    record = json.loads((folder / "run.json").read_text())
    record["times"]["seconds"] = 5000.0
    record["times"]["stages"]["data"] += 1000
    (folder / "run.json").write_text(json.dumps(record))
    times: dict[str, Any] = record["times"]
    return times


def test_finished_cells_are_kept_and_the_rest_computed(half: Path, whole: Path) -> None:
    before = seconds(half)
    assert len(before) == 2
    assert json.loads((half / "run.json").read_text())["status"] == "interrupted"
    assert invoke("report", half).exit_code == 0
    first = lengthen_first_leg(half)
    start = time.monotonic()
    assert invoke("--resume", half, "--jobs", 2).exit_code == 0
    last = time.monotonic() - start
    assert_same(half, whole)
    assert before.items() <= seconds(half).items()
    times = json.loads((half / "run.json").read_text())["times"]
    assert len(times["resumed"]) == 1
    assert first["seconds"] < times["seconds"] <= first["seconds"] + last + 0.1
    assert all(times["stages"][name] >= stage for name, stage in first["stages"].items())
    added = sum(times["stages"].values()) - sum(first["stages"].values())
    assert 0 < added <= last + 0.1


@pytest.mark.usefixtures("empty_report")
def test_a_finished_run_computes_nothing(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(whole, tmp_path / "copy")
    monkeypatch.setattr("benchmarks.fitting.fit_each.fit_on_features", None)
    assert invoke("--resume", folder, "--jobs", 1).exit_code == 0
    assert_same(folder, whole)


@pytest.mark.usefixtures("empty_report")
def test_a_cell_cut_short_in_a_table_is_computed_again(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "copy")
    lines = (folder / "predictions.csv").read_text().splitlines(keepends=True)
    last = max(k for k, line in enumerate(lines) if ",test,0," in line)
    (folder / "predictions.csv").write_text("".join(lines[:last] + lines[last + 1 :]))
    done = invoke("--resume", folder, "--jobs", 1)
    assert "3 of 4 cells are kept" in done.output
    assert_same(folder, whole)


@pytest.mark.usefixtures("empty_report")
def test_a_fold_cut_short_is_computed_again(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "copy")
    lines = (folder / "predictions.csv").read_text().splitlines(keepends=True)
    assert ",cv,5," in lines[-1]
    (folder / "predictions.csv").write_text("".join(lines[:-1]))
    done = invoke("--resume", folder, "--jobs", 1)
    assert "4 of 4 cells are kept" in done.output
    assert_same(folder, whole)


@pytest.mark.usefixtures("empty_report")
def test_failed_cells_are_tried_again(
    quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("features.intensity.Intensity.transform", None)
        assert invoke(*quick, "--jobs", 1, "--no-cache", "--out", out).exit_code == 1
    assert invoke("--resume", out, "--jobs", 1).exit_code == 0
    assert (pd.read_csv(out / "scores.csv")["status"] == "ok").all()
    assert pd.read_csv(out / "features.csv")["family"].tolist() == ["lbp", "intensity"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "svm"], "--resume with --models, but a resumed run keeps its settings"),
        (["--no-models"], "--resume with --save-models"),
        (["--out", "x"], "--resume with --out"),
        (["--config", "x.toml"], "--config: a resumed run keeps its settings"),
    ],
)
def test_settings_stay(half: Path, arguments: list[str], message: str) -> None:
    done = invoke("--resume", half, *arguments)
    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda r: r["versions"].update(numpy="1.0"), "made with numpy 1.0, but now it is"),
        (lambda r: r["program"].update(commit="other"), "made with commit other, but now"),
        (lambda r: r["data"].update(fingerprint="0"), "the data are not those of the run"),
        (lambda r: r.pop("data"), "expected the settings and data of a run"),
    ],
)
def test_other_data_or_versions_are_refused(half: Path, edit: Any, message: str) -> None:
    record = json.loads((half / "run.json").read_text())
    edit(record)
    (half / "run.json").write_text(json.dumps(record))
    before = {path: path.read_bytes() for path in half.iterdir() if path.is_file()}
    done = invoke("--resume", half)
    assert done.exit_code == 2
    assert message in done.output
    assert {path: path.read_bytes() for path in before} == before


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    done = invoke("--resume", tmp_path)
    assert done.exit_code == 2
    assert "found no run.json, but expected a run folder" in done.output


def start(cache: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "run_benchmark.py", *arguments]
    return subprocess.Popen(
        [*command, "--cache", str(cache)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


def test_a_signal_in_a_callback_is_not_lost_and_prints_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Thing:
        pass

    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    with interruptible():
        thing = Thing()
        reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
        del thing  # Python swallows what a callback raises
        assert reference() is None
        with pytest.raises(Interrupted):
            check_interrupted()
    assert "Traceback" not in capsys.readouterr().err
    assert sys.unraisablehook is sys.__unraisablehook__


def test_a_signal_while_worker_processes_start_ends_the_run_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = process_executor._ExecutorManagerThread.start

    def interrupted_start(manager: Any) -> None:
        signal.raise_signal(signal.SIGINT)  # the thread object exists, but does not run
        start(manager)

    stop_workers()
    monkeypatch.setattr(process_executor._ExecutorManagerThread, "start", interrupted_start)
    done = invoke(*ON_PHANTOMS, "--jobs", 2, "--no-cache", "--out", tmp_path / "run")
    assert done.exit_code == 130
    assert "To resume" in done.output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_signals_end_the_run_and_its_workers(
    quick: list[str], tmp_path: Path, number: int, code: int
) -> None:
    with start(tmp_path / "cache", *quick, "--out", str(tmp_path / "run")) as run:
        assert run.stderr is not None
        for line in run.stderr:
            if "classifiers" in line:
                break
        children = worker_processes(run.pid)
        run.send_signal(number)
        rest = run.stderr.read()
        assert run.wait(60) == code
    assert "Traceback" not in rest
    assert "To resume" in rest
    assert_gone(children)
    assert not (tmp_path / "run" / SCRATCH).exists()


def worker_processes(parent: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True)
    return [int(pid) for pid in found.stdout.split()]


def assert_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10  # joblib's watcher of shared memory ends when its pipe does
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in pids if alive(pid)] == []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_killed_at_random_moments(
    quick: list[str], whole: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """After SIGKILL, the folder is resumed to the same bytes; ``--kills N`` for more of them."""
    rng = np.random.default_rng(0)
    for kill in range(pytestconfig.getoption("--kills")):
        out, cache = tmp_path / f"run{kill}", tmp_path / f"cache{kill}"
        run = start(cache, *quick, "--out", str(out))
        assert run.stderr is not None
        for _ in range(rng.integers(1, 12)):
            run.stderr.readline()
        workers = worker_processes(run.pid)
        run.kill()
        run.communicate()
        assert_gone(workers)
        if (out / "run.json").exists():
            again = start(cache, "--resume", str(out))
        else:  # killed before the data were read
            shutil.rmtree(out, ignore_errors=True)
            again = start(cache, *quick, "--out", str(out))
        errors = again.communicate()[1]
        assert again.returncode == 0, errors
        assert_same(out, whole)


@pytest.mark.usefixtures("empty_report")
def test_the_cnn_goes_on_from_its_last_epoch(
    quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("timm")
    from models import cnn

    arguments = ["--models", "cnn", "--backbone", "test_resnet", "--epochs", 3,
                 "--image-size", 32, "--batch-size", 8, "--study", "none", "--jobs", 1,
                 *quick[-2:]]  # fmt: skip
    whole, half = tmp_path / "whole", tmp_path / "half"
    with monkeypatch.context() as patch:
        patch.setattr("models.cnn.CnnClassifier._start", _from_random(cnn.CnnClassifier._start))
        assert invoke(*arguments, "--out", whole).exit_code == 0
        with monkeypatch.context() as inner:
            inner.setattr(cnn, "save", _then_stop(cnn.save))
            assert invoke(*arguments, "--out", half).exit_code == 130
        epochs: list[int] = []
        one_epoch = cnn.one_epoch
        patch.setattr(cnn, "one_epoch", lambda *a: (epochs.append(1), one_epoch(*a)))
        assert invoke("--resume", half).exit_code == 0
    assert len(epochs) == 2
    assert (half / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()
    got, expected = (pd.read_csv(f / "training.csv").drop(columns="seconds") for f in (half, whole))
    pd.testing.assert_frame_equal(got, expected, check_exact=True)
    assert not (half / "checkpoints").exists()


def _from_random(start: Any) -> Any:
    """Without asking the hub for weights."""

    def begin(self: Any, images: Any) -> Any:
        self.pretrained = False
        return start(self, images)

    return begin


def _then_stop(save: Any) -> Any:
    def saved(*arguments: Any) -> None:
        save(*arguments)
        signal.raise_signal(signal.SIGINT)

    return saved
