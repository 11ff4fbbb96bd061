from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.extraction import store_rows
from benchmarks.extraction.store import FeatureStore, StoreError, default_folder
from benchmarks.extraction.store_file import FILE, VERSION, identity, open_file, set_aside
from benchmarks.extraction.store_keys import FamilyKey
from benchmarks.extraction.store_rows import FamilyInfo

ROOT = Path(__file__).parents[2]
HOG, LBP = FamilyKey(b"h" * 16, "hog 64×64"), FamilyKey(b"l" * 16, "lbp 64×64")
MIB = 2**20


def some(n: int, width: int = 8, start: int = 0) -> tuple[list[bytes], NDArray[np.float32]]:
    """Names and rows; a row is identified by its number only."""
    numbers = np.arange(start, start + n)
    rows = (numbers[:, None] * 1000 + np.arange(width)).astype(np.float32)
    return [int(k).to_bytes(16, "little") for k in numbers], rows


def change(folder: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(folder / FILE) as db:
        assert db.execute(statement, values).rowcount != 0
    db.close()


def assert_sound(folder: Path) -> None:
    db = sqlite3.connect(folder / FILE)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    query = "SELECT count(*) FROM contents WHERE id NOT IN (SELECT content FROM entries)"
    assert db.execute(query).fetchone() == (0,)
    db.close()


def test_rows_are_read_bit_by_bit_in_the_requested_order(tmp_path: Path) -> None:
    images, rows = some(1203)
    rows[0] = np.float32([-0.0, 1e-45, 3.4e38, 1 / 3, -1.5, 0, 2**24 + 1, 7])
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
        store.write(LBP, images[:2], rows[:2, :3] + 1)
    with FeatureStore(tmp_path) as store:
        read, found = store.read(HOG, [*images[::-1], b"unknown", images[0]])
        assert read.dtype == np.float32
        assert found.tolist() == [True] * 1203 + [False, True]
        assert read[found].tobytes() == np.concatenate([rows[::-1], rows[:1]]).tobytes()
        assert not read[~found].any()
        np.testing.assert_array_equal(store.read(LBP, images[:2])[0], rows[:2, :3] + 1)
    assert_sound(tmp_path)


def test_missing_rows_have_the_requested_width(tmp_path: Path) -> None:
    with FeatureStore(tmp_path / "made" / "here") as store:
        assert store.read(HOG, [b"a"])[0].shape == (1, 0)
        assert store.read(HOG, [b"a", b"b"], width=5)[0].shape == (2, 5)
        assert store.read(HOG, [])[0].shape == (0, 0)


def test_repeated_images_are_stored_once(tmp_path: Path) -> None:
    images, rows = some(3)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images + images, np.concatenate([rows, rows]))
        store.write(HOG, images, rows)
        assert store.info().rows == 3
        np.testing.assert_array_equal(store.read(HOG, images)[0], rows)


def test_info_and_clear(tmp_path: Path) -> None:
    images, rows = some(5)
    (tmp_path / f"{FILE}.damaged-1").write_bytes(b"old")
    (tmp_path / "pneumoniamnist.npz").write_bytes(b"another's")
    with FeatureStore(tmp_path) as store, FeatureStore(tmp_path) as other:
        store.write(HOG, images, rows)
        store.write(LBP, images[:2], rows[:2, :4])
        info = store.info()
        assert info.path == tmp_path / FILE
        assert (info.rows, info.bytes) == (7, 5 * 32 + 2 * 16)
        assert info.families == (
            FamilyInfo("hog 64×64", 5, 5 * 32),
            FamilyInfo("lbp 64×64", 2, 2 * 16),
        )
        assert info.file_bytes > 3 + 7 * 32
        assert store.clear() == info
        assert store.info().rows == other.info().rows == 0
        other.write(HOG, images, rows)
        assert store.read(HOG, images)[1].all()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "features.lock", FILE, "pneumoniamnist.npz",
    ]  # fmt: skip


def test_default_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder().name == "cxr-classical-baseline"


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((2, 3)),
        np.zeros((1, 3), np.float32),
        np.zeros((2, 0), np.float32),
        np.zeros(2, np.float32),
        np.float32([[0, 1], [np.nan, 2]]),
        np.float32([[0, 1], [np.inf, 2]]),
    ],
)
def test_invalid_rows_are_rejected(tmp_path: Path, rows: NDArray[np.float32]) -> None:
    with FeatureStore(tmp_path) as store, pytest.raises(ValueError, match="but expected"):
        store.write(HOG, [b"a", b"b"], rows)


def test_too_small_maximum_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1048576"):
        FeatureStore(tmp_path, max_bytes=1000)


# Damaged rows


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(("column", "length"), [("row", 12), ("checksum", 16)])
def test_every_flipped_byte_of_a_row_is_detected(tmp_path: Path, column: str, length: int) -> None:
    images, rows = some(length, width=3)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
    db = sqlite3.connect(tmp_path / FILE)
    for place, image in enumerate(images):
        where = "id = (SELECT content FROM entries WHERE image = ?)"
        query = f"SELECT {column} FROM contents WHERE {where}"
        (data,) = db.execute(query, (image,)).fetchone()
        assert len(data) == length
        update = f"UPDATE contents SET {column} = ? WHERE {where}"
        db.execute(update, (flipped(data, place), image))
    db.commit()
    db.close()
    with FeatureStore(tmp_path) as store:
        message = rf"features.sqlite: {length} of {length} rows of hog 64×64 are damaged"
        with pytest.warns(UserWarning, match=message) as caught:
            found = store.read(HOG, images)[1]
        assert len(caught) == 1
        assert caught[0].filename == __file__
        assert not found.any()
        store.write(HOG, images, rows)
        np.testing.assert_array_equal(store.read(HOG, images)[0], rows)


def test_damaged_rows_leave_the_others(tmp_path: Path) -> None:
    images, rows = some(4)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
        change(tmp_path, "UPDATE contents SET row = zeroblob(32) WHERE id = 3")
        with pytest.warns(UserWarning, match=r"1 of 4 rows .*\(table contents, id 3\)"):
            read, found = store.read(HOG, images)
    assert found.tolist() == [True, True, False, True]
    np.testing.assert_array_equal(read[found], rows[[0, 1, 3]])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET content = 2 WHERE content = 1",
        "UPDATE entries SET content = 99 WHERE content = 1",
        "UPDATE entries SET content = 'text' WHERE content = 1",
        "UPDATE contents SET (checksum, row) = (SELECT checksum, row FROM contents WHERE id = 2) "
        "WHERE id = 1",
        "UPDATE contents SET row = 1.5 WHERE id = 1",
        "UPDATE contents SET row = 'text' WHERE id = 1",
        "UPDATE contents SET row = x'' WHERE id = 1",
        "UPDATE contents SET row = x'00' WHERE id = 1",
        "UPDATE contents SET row = substr(row, 1, 28) WHERE id = 1",
        "UPDATE contents SET row = row || x'00000000' WHERE id = 1",
        "UPDATE contents SET checksum = 5 WHERE id = 1",
        "DELETE FROM contents WHERE id = 1",
    ],
)
def test_misplaced_and_misshapen_rows_are_missing(tmp_path: Path, statement: str) -> None:
    images, rows = some(2)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
        change(tmp_path, statement)
        with pytest.warns(UserWarning, match="1 of 2 rows"):
            read, found = store.read(HOG, images)
        assert found.tolist() == [False, True]
        np.testing.assert_array_equal(read[1], rows[1])
        store.write(HOG, images, rows)
        np.testing.assert_array_equal(store.read(HOG, images)[0], rows)


def test_row_under_another_key_is_never_returned(tmp_path: Path) -> None:
    images, rows = some(2)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images[:1], rows[:1])
        change(tmp_path, "UPDATE entries SET image = ?", images[1])
        with pytest.warns(UserWarning, match="1 of 2 rows"):
            assert not store.read(HOG, images)[1].any()
        change(tmp_path, "UPDATE entries SET image = ?, family = ?", images[0], LBP.key)
        assert not store.read(HOG, images)[1].any()
        with pytest.warns(UserWarning, match="1 of 2 rows"):
            assert not store.read(LBP, images)[1].any()


def test_values_that_are_not_finite_are_missing_even_with_a_valid_checksum(tmp_path: Path) -> None:
    images, rows = some(2)
    rows[0, 3] = np.nan
    with FeatureStore(tmp_path) as store:
        store_rows.write_rows(store._db, HOG, images, rows)
        with pytest.warns(UserWarning, match="1 of 2 rows"):
            assert store.read(HOG, images)[1].tolist() == [False, True]


def test_rows_of_another_width_are_missing(tmp_path: Path) -> None:
    images, rows = some(3)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images[:1], rows[:1])
        store.write(HOG, images[1:], rows[1:, :5])
        with pytest.warns(UserWarning, match="2 of 3 rows"):
            assert store.read(HOG, images, width=8)[1].tolist() == [True, False, False]
        with pytest.warns(UserWarning, match="1 of 3 rows"):
            assert store.read(HOG, images, width=5)[1].tolist() == [False, True, True]


# Damaged files


def assert_usable(folder: Path, images: list[bytes], rows: NDArray[np.float32]) -> None:
    """Whatever is in the folder: a row is correct or missing, and can be written again."""
    with FeatureStore(folder) as store:
        read, found = store.read(HOG, images, rows.shape[1])
        np.testing.assert_array_equal(read[found], rows[found])
        store.info()
        store.write(HOG, images, rows)
        read, found = store.read(HOG, images)
        assert found.all()
        np.testing.assert_array_equal(read, rows)


def test_store_survives_changed_bytes_anywhere_in_the_file(tmp_path: Path) -> None:
    images, rows = some(30, width=700)
    with FeatureStore(tmp_path / "sound") as store:
        store.write(HOG, images[:10], rows[:10])
        store.write(LBP, images, rows[:, :30])
        store.write(HOG, images[10:], rows[10:])
    sound = (tmp_path / "sound" / FILE).read_bytes()
    rng = np.random.default_rng(0)
    heads = [page + k for page in range(0, len(sound), 8192) for k in range(50)]
    structure = [page + k for page in range(0, len(sound), 8192) for k in (0, 6)]
    places = [*range(0, 100, 6), *structure, *rng.integers(0, len(sound), 20).tolist()]
    harms = [[place] for place in places] + [rng.choice(heads, 20).tolist() for _ in range(15)]
    lost = 0
    for number, harm in enumerate(harms):
        folder = tmp_path / str(number)
        folder.mkdir()
        data = bytearray(sound)
        for place in harm:
            data[place] ^= int(rng.integers(1, 256))
        (folder / FILE).write_bytes(data)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert_usable(folder, images, rows)
        lost += len(caught) > 0
    assert lost > len(harms) // 3


def test_an_unordered_index_hides_no_row_permanently(tmp_path: Path) -> None:
    images, rows = some(30)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'entries'"
        start = 8192 * (store._db.execute(query).fetchone()[0] - 1)
    data = bytearray((tmp_path / FILE).read_bytes())
    cells = np.frombuffer(data, ">u2", 30, offset=start + 8)  # after the head of a leaf
    data[start + 8 : start + 68] = cells[::-1].tobytes()
    (tmp_path / FILE).write_bytes(data)
    with FeatureStore(tmp_path) as store:
        assert store.read(HOG, images)[1].sum() < 15
        with pytest.warns(UserWarning, match=r"UNIQUE constraint failed.*damaged-1"):
            store.write(HOG, images, rows)
        np.testing.assert_array_equal(store.read(HOG, images)[0], rows)


def test_rows_that_a_damaged_index_loses_are_written_to_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, rows = some(3)
    counts = [2]  # of the damaged file; the new one is counted truly
    true = store_rows._count
    monkeypatch.setattr(
        store_rows, "_count", lambda *given: counts.pop() if counts else true(*given)
    )
    with FeatureStore(tmp_path) as store:
        with pytest.warns(UserWarning, match=r"rows just written are not found.*damaged-1"):
            store.write(HOG, images, rows)
        np.testing.assert_array_equal(store.read(HOG, images)[0], rows)


def test_a_new_file_is_not_moved_aside_for_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.touch()
    old = identity(path)
    path.rename(tmp_path / "old")
    path.touch()
    assert set_aside(path, old, "damaged", "it is damaged") == []
    assert path.exists()
    assert len(set_aside(path, identity(path), "damaged", "it is damaged")) == 1
    assert not path.exists()


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: b"not a database, sixteen bytes and more" + data[38:],
        lambda data: data[: len(data) // 2],
        lambda data: data[:1000],
        lambda data: data[:8192] + bytes(len(data) - 8192),
        lambda data: bytes(len(data)),
    ],
)
def test_a_damaged_file_is_moved_aside(tmp_path: Path, harm) -> None:  # type: ignore[no-untyped-def]
    images, rows = some(50, width=500)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
    damaged = harm((tmp_path / FILE).read_bytes())
    (tmp_path / FILE).write_bytes(damaged)
    (tmp_path / f"{FILE}.damaged-1").write_bytes(b"of another time")
    with pytest.warns(UserWarning, match=r"damaged \(.*moved aside to features.sqlite.damaged-2"):
        assert_usable(tmp_path, images, rows)
    assert (tmp_path / f"{FILE}.damaged-1").read_bytes() == b"of another time"
    assert len((tmp_path / f"{FILE}.damaged-2").read_bytes()) == len(damaged)
    assert_sound(tmp_path)


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert_usable(tmp_path, *some(3))


def test_a_file_damaged_while_it_is_open_is_moved_aside(tmp_path: Path) -> None:
    images, rows = some(50, width=500)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
    with FeatureStore(tmp_path) as store:
        data = (tmp_path / FILE).read_bytes()
        with (tmp_path / FILE).open("r+b") as file:
            file.seek(8192)
            file.write(b"\xff" * (len(data) - 8192))
        with pytest.warns(UserWarning, match="damaged-1"):
            assert not store.read(HOG, images)[1].any()
        store.write(HOG, images, rows)
        assert store.read(HOG, images)[1].all()


def test_a_file_of_another_version_is_moved_aside_completely(tmp_path: Path) -> None:
    images, rows = some(3)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
    change(tmp_path, f"PRAGMA user_version = {VERSION + 1}")
    data = (tmp_path / FILE).read_bytes()
    with pytest.warns(UserWarning, match=f"version {VERSION + 1}, but expected version {VERSION}"):
        assert_usable(tmp_path, images, rows)
    assert (tmp_path / f"{FILE}.version-1").read_bytes() == data


@pytest.mark.parametrize("statement", ["CREATE TABLE t (x)", "CREATE VIEW v AS SELECT 1"])
def test_a_foreign_database_is_moved_aside(tmp_path: Path, statement: str) -> None:
    change(tmp_path, statement)
    with pytest.warns(UserWarning, match="moved aside"):
        assert_usable(tmp_path, *some(3))


def test_a_trigger_is_not_executed(tmp_path: Path) -> None:
    FeatureStore(tmp_path).close()
    change(
        tmp_path,
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM families; END",
    )
    with pytest.warns(UserWarning, match="its tables are not those of a feature store"):
        assert_usable(tmp_path, *some(3))


# Processes


def fill(folder: Path, start: int) -> None:
    with FeatureStore(folder) as store:
        for first in range(start, start + 400, 20):
            images, rows = some(20, 300, first)
            missing = ~store.read(HOG, images)[1]
            store.write(HOG, [i for i, m in zip(images, missing, strict=True) if m], rows[missing])


def run_together(folder: Path, starts: list[int]) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=fill, args=(folder, start)) for start in starts]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * len(starts)


@pytest.mark.slow
def test_two_processes_share_a_store(tmp_path: Path) -> None:
    run_together(tmp_path, [0, 200])
    images, rows = some(600, 300)
    with FeatureStore(tmp_path) as store:
        read, found = store.read(HOG, images)
        assert found.all()
        np.testing.assert_array_equal(read, rows)
        assert store.info().rows == 600
    assert_sound(tmp_path)


@pytest.mark.slow
def test_two_processes_move_a_damaged_file_aside_once(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff" * 50_000)
    run_together(tmp_path, [0, 0])
    assert [file.name for file in tmp_path.glob(f"{FILE}.*")] == [f"{FILE}.damaged-1"]
    with FeatureStore(tmp_path) as store:
        assert store.read(HOG, some(400)[0])[1].all()


def test_a_process_continues_with_the_file_that_another_created(tmp_path: Path) -> None:
    images, rows = some(3)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
        (tmp_path / FILE).rename(tmp_path / "elsewhere")
        for end in ("-wal", "-shm"):
            (tmp_path / f"{FILE}{end}").unlink()
        assert not store.read(HOG, images)[1].any()
        store.write(HOG, images, rows)
    with FeatureStore(tmp_path) as store:
        assert store.read(HOG, images)[1].all()


WRITE_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from benchmarks.extraction.store import FeatureStore
from benchmarks.extraction.store_keys import FamilyKey
family = FamilyKey(b"h" * 16, "hog")
with FeatureStore(Path(sys.argv[1]), max_bytes=int(sys.argv[2])) as store:
    print("open", flush=True)
    for number in range(10**6):
        rows = np.full((10, 3000), number, np.float32)
        images = [(10 * number + k).to_bytes(16, "little") for k in range(10)]
        store.write(family, images, rows)
        print(number, flush=True)
"""


@pytest.mark.parametrize("bound", [2**30, 2 * MIB], ids=["writing", "evicting"])
@pytest.mark.slow
def test_a_killed_process_loses_only_its_current_call(tmp_path: Path, bound: int) -> None:
    command = [sys.executable, "-c", WRITE_FOR_EVER]
    for seconds in np.random.default_rng(1).uniform(0.0, 0.25, 4):
        folder = tmp_path / f"{seconds:.6f}"
        with subprocess.Popen(
            [*command, str(folder), str(bound)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            time.sleep(seconds)
            process.kill()
            said = process.stdout.read().split("\n")
        committed = len(said) - 1  # the last piece may be cut
        assert_sound_after_kill(folder, committed, everything=bound == 2**30)


def assert_sound_after_kill(folder: Path, committed: int, everything: bool) -> None:
    with FeatureStore(folder) as store:
        images = some(10 * (committed + 2))[0]
        read, found = store.read(HOG, images, width=3000)
        expected = np.repeat(np.arange(committed + 2, dtype=np.float32), 10)
        np.testing.assert_array_equal(read[found], np.tile(expected[found, None], 3000))
        newest = 0 if everything else max(0, committed - 5)
        assert found[10 * newest : 10 * committed].all()
        assert not found[10 * (committed + 1) :].any()
        assert found[10 * committed :].sum() in (0, 10)
    assert_sound(folder)


# Full disks, missing rights


def test_a_full_disk_is_reported_and_stored_rows_stay(tmp_path: Path) -> None:
    images, rows = some(40, width=3000)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images[:20], rows[:20])
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreError, match="disk is full .*--cache DIR.*--no-cache") as caught:
            store.write(HOG, images[20:], rows[20:])
        assert str(tmp_path) in str(caught.value)
        read, found = store.read(HOG, images)
        assert found.tolist() == [True] * 20 + [False] * 20
        np.testing.assert_array_equal(read[:20], rows[:20])
        store._db.execute("PRAGMA max_page_count = 1000000")
        store.write(HOG, images[20:], rows[20:])
        np.testing.assert_array_equal(store.read(HOG, images)[0], rows)
    assert_sound(tmp_path)


WRITE_UNTIL_REFUSED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, 2**21))
from benchmarks.extraction.store import StoreError
try:
    exec(sys.argv.pop(3))
except StoreError as error:
    print("refused", error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of a file")
def test_a_failed_write_leaves_a_valid_store(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_UNTIL_REFUSED, str(tmp_path), str(2**30), WRITE_FOR_EVER]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines[-1].startswith(f"refused Feature store in {tmp_path}: "), done.stderr
    assert "--no-cache" in lines[-1]
    assert len(lines) > 5
    assert_sound_after_kill(tmp_path, len(lines) - 2, everything=True)


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match="Choose another folder with --cache DIR"):
            FeatureStore(folder)


def test_a_folder_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreError, match="can't be read and written"):
        FeatureStore(tmp_path)


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    FeatureStore(tmp_path).close()
    (tmp_path / FILE).chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        (tmp_path / "probe").touch()
    except PermissionError:
        with pytest.raises(StoreError, match="can't be read and written"):
            FeatureStore(tmp_path)
    else:
        pytest.skip("this user may write everywhere")
    finally:
        tmp_path.chmod(0o755)


def test_a_locked_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, rows = some(3)
    with FeatureStore(tmp_path) as store:
        store.write(HOG, images, rows)
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        store._db.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(StoreError, match="another process has locked it"):
            store.write(HOG, images, rows)
        monkeypatch.setattr(store_rows, "USE_SECONDS", -10)
        np.testing.assert_array_equal(store.read(HOG, images)[0], rows)
        other.close()
        store.write(HOG, images, rows)


def test_a_closed_store_is_reported_and_unchanged(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.write(HOG, *some(3))
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.read(HOG, some(3)[0])
    assert [file.name for file in tmp_path.glob(f"{FILE}.*")] == []


# The bound


def test_least_recently_used_rows_are_removed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr(store_rows.time, "time", lambda: clock[0])
    images, rows = some(120, width=6000)  # 24 kB a row: 42 of them fill 1 MiB
    with FeatureStore(tmp_path, max_bytes=MIB) as store:
        for start in (0, 10, 20):
            store.write(HOG, images[start : start + 10], rows[start : start + 10])
            clock[0] += 100
        assert store.read(HOG, images[:10])[1].all()
        clock[0] += 100
        store.write(HOG, images[30:50], rows[30:50])
        found = store.read(HOG, images)[1]
    assert found[:10].all()  # read last
    assert not found[10:20].any()
    assert found[30:50].all()
    assert_sound(tmp_path)


def test_file_stays_within_its_maximum_size(tmp_path: Path) -> None:
    for bound in (2 * MIB, MIB):
        with FeatureStore(tmp_path, max_bytes=bound) as store:
            for start in range(0, 400, 40):
                images, rows = some(40, 3000, start)
                store.write(HOG, images, rows)
                if start:  # the first write may still lie in the log
                    assert (tmp_path / FILE).stat().st_size <= bound
                assert store.read(HOG, images)[1].all()
        assert bound / 2 < (tmp_path / FILE).stat().st_size <= bound
    assert_sound(tmp_path)


def test_one_write_larger_than_the_maximum_keeps_its_end(tmp_path: Path) -> None:
    images, rows = some(300, 3000)
    with FeatureStore(tmp_path, max_bytes=MIB) as store:
        store.write(HOG, images, rows)
        found = store.read(HOG, images)[1]
    assert 50 < found.sum() < 100
    assert found[-50:].all()


def test_opening_a_new_store_sets_it_up(tmp_path: Path) -> None:
    db, identity, notes = open_file(tmp_path)
    assert notes == []
    assert identity is not None
    asked = {"journal_mode": "wal", "synchronous": 1, "auto_vacuum": 2, "page_size": 8192,
             "user_version": VERSION, "trusted_schema": 0}  # fmt: skip
    got = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in asked}
    db.close()
    assert got == asked
