"""Files are written whole or not at all: killed writers, modes, links, long names, and places that are refused."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

import tinygrad_dl as td
from tinygrad_dl.writing import PREFIX, SUFFIX, destination, replacing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes, links and signals of POSIX")

SAVE = """
import os, signal, sys
import tinygrad_dl as td
def end(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
{patch}
td.save({{"a": td.zeros(100_000)}}, sys.argv[1])
"""
MOMENTS = {
    "at the first bytes": "import numpy; numpy.lib.format.write_array = end",
    "before the fsync": "os.fsync = end",
    "before the rename": "os.replace = end",
    "after the rename": "import tinygrad_dl.writing; tinygrad_dl.writing._sync_folder = end",
}


def killed(path, moment):
    """Saves in a process that is killed at that moment."""
    program = SAVE.format(patch=MOMENTS[moment])
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=120)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_writer_that_is_killed_leaves_a_whole_file_and_the_next_one_clears_up(tmp_path, moment):
    path = tmp_path / "run.npz"
    td.save({"a": td.ones(3)}, path)
    killed(path, moment)
    left = [name for name in os.listdir(tmp_path) if name != "run.npz"]
    assert len(left) == (0 if moment == "after the rename" else 1)
    assert td.load(path)["a"].shape == ((100_000,) if moment == "after the rename" else (3,))
    td.save({"b": td.ones(1)}, tmp_path / "other.npz")
    assert sorted(os.listdir(tmp_path)) == ["other.npz", "run.npz"]


def test_leftovers_are_removed_when_a_training_resumes(tmp_path):
    path = tmp_path / "run.npz"
    killed(path, "before the rename")
    model = td.nn.Linear(1, 1)
    seen = []

    class Look(td.train.Callback):
        order = 2

        def on_epoch_start(self, training):
            seen.append(os.listdir(tmp_path))

    callbacks = [td.train.Checkpoint(path, resume=True), Look()]
    optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    td.train.fit(model, td.nn.MSELoss(), optimizer, [(td.ones(1, 1),) * 2], epochs=1, callbacks=callbacks)
    assert seen == [[]]


def test_a_writer_at_work_keeps_its_file(tmp_path):
    with replacing(tmp_path / "slow.npz", "test") as slow:
        slow.write(b"half")
        thread = threading.Thread(target=lambda: td.save({"a": td.ones(3)}, tmp_path / "quick.npz"))
        thread.start()
        thread.join()
        program = "import sys, tinygrad_dl as td; td.save({'a': td.ones(3)}, sys.argv[1])"
        subprocess.run([sys.executable, "-c", program, str(tmp_path / "third.npz")], check=True, timeout=120)
        slow.write(b" and half")
    assert (tmp_path / "slow.npz").read_bytes() == b"half and half"
    assert sorted(os.listdir(tmp_path)) == ["quick.npz", "slow.npz", "third.npz"]


def test_files_of_others_are_left_alone(tmp_path):
    names = {f"{PREFIX}notes", f".other{SUFFIX}", f"{PREFIX}folder{SUFFIX}"}
    for name in names - {f"{PREFIX}folder{SUFFIX}"}:
        (tmp_path / name).touch()
    (tmp_path / f"{PREFIX}folder{SUFFIX}").mkdir()
    td.save({}, tmp_path / "a.npz")
    assert set(os.listdir(tmp_path)) == {*names, "a.npz"}


def test_file_and_folder_reach_the_disk_in_this_order(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle):
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        events.append("fsync folder" if folder else f"fsync {os.fstat(handle).st_size > 400} bytes")
        fsync(handle)

    def noted_replace(*paths):
        events.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    td.save({"a": td.ones(100)}, tmp_path / "a.npz")
    assert events == ["fsync True bytes", "rename", "fsync folder"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "a.npz"
    td.save({"a": td.ones(3)}, path)
    path.chmod(mode)
    td.save({"a": td.zeros(3)}, path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert td.load(path)["a"].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        td.save({}, tmp_path / "a.npz")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.npz").stat().st_mode) == 0o666 & ~umask


def test_links_stay_and_what_they_lead_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "run.npz"
    first, second, dangling = tmp_path / "first.npz", tmp_path / "second.npz", tmp_path / "new.npz"
    first.symlink_to(target)
    second.symlink_to("first.npz")
    dangling.symlink_to(tmp_path / "there" / "new.npz")
    for value, path in enumerate((first, second)):
        td.save({"a": value}, path)
        assert first.is_symlink() and second.is_symlink() and td.load(target) == {"a": value}
    td.save({"a": 2}, dangling)
    assert dangling.is_symlink() and td.load(tmp_path / "there" / "new.npz") == {"a": 2}
    assert sorted(os.listdir(tmp_path)) == ["first.npz", "new.npz", "second.npz", "there"]
    assert sorted(os.listdir(tmp_path / "there")) == ["new.npz", "run.npz"]


@pytest.mark.parametrize("length", [200, 242, 250, 255])
def test_names_as_long_as_they_may_be(tmp_path, length):
    path = tmp_path / ("n" * (length - 4) + ".npz")
    td.save({"a": 1}, path)
    assert td.load(path) == {"a": 1} and os.listdir(tmp_path) == [path.name]


def places(folder):
    """Paths where no file can be written, what is raised, and what it says."""
    (folder / "dir.npz").mkdir()
    os.mkfifo(folder / "pipe.npz")
    (folder / "round.npz").symlink_to("round.npz")
    return {
        "folder": (folder / "dir.npz", IsADirectoryError, r"dir\.npz, which is a folder, expected the path of a file"),
        "pipe": (folder / "pipe.npz", ValueError, r"pipe\.npz, which is no ordinary file, expected the path of one"),
        "circle of links": (folder / "round.npz", (ValueError, OSError), "round"),
        "no folder": (
            folder / "missing" / "a.npz",
            FileNotFoundError,
            "got the folder .*missing, expected one that is there; make it first",
        ),
        "a file as a folder": (
            folder / "pipe.npz" / "a.npz",
            FileNotFoundError,
            r"got the folder .*pipe\.npz, expected one that is there",
        ),
        "too long": (folder / ("n" * 256 + ".npz"), OSError, "File name too long"),
    }


@pytest.mark.parametrize("name", ["folder", "pipe", "circle of links", "no folder", "a file as a folder", "too long"])
def test_places_are_refused_by_saving_and_before_the_first_epoch(tmp_path, name):
    path, kind, said = places(tmp_path)[name]
    with pytest.raises(kind, match=said):
        td.save({"a": 1}, path)
    with pytest.raises(kind, match=said):
        destination(path, "test")
    model = td.nn.Linear(1, 1)
    before = model.weight.item()
    optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    data = [(td.ones(1, 1), td.ones(1, 1))]
    for checkpoint in (td.train.Checkpoint(path), td.train.Checkpoint(tmp_path / "a.npz", best=path)):
        with pytest.raises(kind, match=said):
            td.train.fit(model, td.nn.MSELoss(), optimizer, data, epochs=1, callbacks=[checkpoint])
    assert model.weight.item() == before
    assert sorted(os.listdir(tmp_path)) == ["dir.npz", "pipe.npz", "round.npz"]


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="expected one in which a file can be made"):
        td.save({}, tmp_path / "a.npz")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_leaves_the_file_before_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.npz"
    td.save({"a": 1}, path)
    with pytest.raises(type(error)), replacing(path, "test") as file:
        file.write(b"half")
        raise error
    assert td.load(path) == {"a": 1} and os.listdir(tmp_path) == ["a.npz"]
