"""The DataLoader's worker processes: the same batches, errors that say what happened, and nothing left behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from data_for_workers import (
    Dies,
    Fails,
    FailsUnsendably,
    Foreign,
    Growing,
    Hangs,
    Large,
    Numbers,
    Random,
    Remembers,
    Shapes,
    Stream,
    Unpicklable,
    Unusual,
    Where,
    die_while_sending,
    failing_start,
    pairs,
    remember_worker,
)

import tinygrad_dl as td
from tinygrad_dl import data

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def children() -> set[int]:
    """The processes that this one has started and that still run, apart from the tracker of shared memory."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text()
        except (OSError, ValueError):
            continue
        if parent == os.getpid() and "resource_tracker" not in command:
            found.add(int(folder.name))
    return found


def segments() -> set[str]:
    """The names of the shared memory that this process has made."""
    folder = Path("/dev/shm")
    return {path.name for path in folder.glob(f"td-{os.getpid()}-*")} if folder.is_dir() else set()


def alive(pid: int) -> bool:
    """Whether a process runs (one that has ended and was not collected does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(autouse=True)
def nothing_left_behind():
    processes, memory = children(), segments()
    yield
    gc.collect()
    assert children() <= processes
    assert segments() <= memory


def loader(dataset, batch_size=4, workers=2, **options):
    options.setdefault("generator", td.Generator().manual_seed(0))
    return data.DataLoader(dataset, batch_size, num_workers=workers, timeout=60 if workers else 0, **options)


def listed(batches):
    return [[part.tolist() for part in batch] for batch in batches]


class TestSame:
    @pytest.mark.parametrize("dataset", [Numbers(21), Random(21), data.Subset(Numbers(30), range(1, 30, 2))])
    def test_the_same_batches_whatever_the_number_of_workers(self, dataset):
        first, *others = (
            [listed(source), listed(source)]
            for source in (loader(dataset, shuffle=True, workers=workers) for workers in (0, 1, 3))
        )
        for other in others:
            assert other == first
        assert first[0] != first[1]

    def test_tensor_datasets_come_in_whole_batches(self):
        dataset = data.TensorDataset(td.randn(10, 2000), td.arange(10))
        assert listed(loader(dataset)) == listed(loader(dataset, workers=0))

    def test_global_generators_depend_on_the_batch_alone(self):
        first, again = (listed(loader(Foreign(12), workers=workers)) for workers in (1, 2))
        assert first == again
        assert first[0] != first[1]

    def test_a_stream_is_shared_out_and_comes_in_turn(self):
        assert [batch.tolist() for batch in loader(Stream(10), 2)] == [[0, 2], [1, 3], [4, 6], [5, 7], [8], [9]]
        assert list(loader(Stream(5), None, prefetch_factor=4)) == [0, 1, 2, 3, 4]
        assert sorted(n for batch in loader(Stream(23), 3, workers=3) for n in batch.tolist()) == list(range(23))

    @pytest.mark.parametrize("prefetch_factor", [1, 3])
    def test_batches_that_grow(self, prefetch_factor):
        for index, batch in enumerate(loader(Growing(12), 1, prefetch_factor=prefetch_factor)):
            assert batch.shape == (1, (index + 1) * 5000)
            assert segments()
            assert (batch == index).all()

    def test_batches_of_all_kinds_can_be_kept(self):
        batches = list(loader(Shapes(12), 3))
        for start, batch in zip(range(0, 12, 3), batches, strict=True):
            assert batch["empty"].shape == (3, 0, 3)
            assert batch["scalar"].tolist() == [start, start + 1, start + 2]
            for name, shape in (("fortran", (3, 40, 50)), ("half", (3, 70, 80))):
                assert batch[name].shape == shape
                assert (batch[name].numpy() == np.arange(start, start + 3)[:, None, None]).all()
            assert batch["half"].dtype == np.float16
            assert list(batch["text"]) == [f"sample {index}" for index in range(start, start + 3)]
        batches[0]["half"].fill_(0.0)  # writable, and not the next batch's memory
        assert (batches[1]["half"][0] == 3).all()

    def test_fork_and_forkserver(self):
        for method in ("fork", "forkserver"):
            code = (
                "import sys; sys.path.insert(0, sys.argv[1])\n"
                "from data_for_workers import Numbers\nfrom tinygrad_dl import data\n"
                f"source = data.DataLoader(Numbers(9), 4, num_workers=2, multiprocessing_context={method!r})\n"
                "print([batch[1].tolist() for batch in source])\n"
            )
            assert run_file(code).stdout.strip() == "[[0, 1, 2, 3], [4, 5, 6, 7], [8]]"


def run_file(code, *, check=True, folder=Path(__file__).parent):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=check,
        timeout=60,
    )


class TestOptions:
    def test_own_functions(self):
        assert list(loader(Numbers(6), collate_fn=pairs)) == [(0, 1, 2, 3), (4, 5)]
        found = [batch.tolist() for batch in loader(Remembers(4), 2, worker_init_fn=remember_worker)]
        assert found == [[1000, 1000], [1001, 1001]]
        assert data.get_worker_info() is None

    def test_workers_end_with_the_pass_unless_they_are_persistent(self):
        once = loader(Where(8), 2)
        first, second = ({pid for batch in once for pid in batch.tolist()} for _ in range(2))
        assert len(first) == len(second) == 2
        assert not first & second
        assert not any(map(alive, first | second))
        kept = loader(Where(8), 2, persistent_workers=True)
        first, second = ({pid for batch in kept for pid in batch.tolist()} for _ in range(2))
        assert first == second
        assert all(map(alive, first))
        del kept
        gc.collect()
        assert not any(map(alive, first))

    def test_persistent_workers_after_a_pass_that_was_broken_off(self):
        kept = loader(Numbers(20, (3000,)), 2, persistent_workers=True)
        for _ in kept:
            break
        assert [batch[1].tolist() for batch in kept] == [[n, n + 1] for n in range(0, 20, 2)]
        old = iter(kept)
        next(old)
        assert len(list(kept)) == 10
        with pytest.raises(RuntimeError, match="expected the newest: it has taken the persistent workers over"):
            next(old)

    def test_a_stream_starts_anew_in_each_pass(self):
        kept = loader(Stream(6), 2, persistent_workers=True)
        assert [batch.tolist() for batch in kept] == [batch.tolist() for batch in kept] == [[0, 2], [1, 3], [4], [5]]

    def test_the_environment_is_as_before(self):
        before = dict(os.environ)
        list(loader(Numbers(4)))
        assert dict(os.environ) == before


class TestErrors:
    def test_an_exception_keeps_its_type_and_brings_the_workers_traceback(self):
        with pytest.raises(KeyError, match="no such label") as caught:
            list(loader(Fails(20, KeyError("no such label"))))
        [note] = caught.value.__notes__
        assert note.startswith("Raised in DataLoader worker 1 (pid ")
        assert "data_for_workers.py" in note
        assert "raise self.error" in note

    def test_batches_before_it_arrive(self):
        batches = iter(loader(Fails(20, ValueError("bad"))))
        assert next(batches).tolist() == [0, 1, 2, 3]
        with pytest.raises(ValueError, match="bad"):
            next(batches)
        with pytest.raises(StopIteration):
            next(batches)

    def test_exceptions_that_can_not_be_sent_are_told(self):
        with pytest.raises(Unusual) as caught:
            list(loader(Fails(20, Unusual(7, "seven"))))
        assert caught.value.code == 7
        with pytest.raises(RuntimeError, match=r"worker 0 .* raised data_for_workers.Unsendable: not to be pickled"):
            list(loader(FailsUnsendably(20)))

    def test_a_sample_that_can_not_be_sent(self):
        with pytest.raises(Exception, match="pickle") as caught:
            list(loader(Unpicklable(20), collate_fn=list))
        assert "Raised in DataLoader worker 0" in caught.value.__notes__[0]

    def test_stop_iteration(self):
        with pytest.raises(RuntimeError, match="got StopIteration from the dataset"):
            list(loader(Fails(20, StopIteration())))

    def test_a_start_that_fails(self):
        with pytest.raises(OSError, match="no connection for worker 0"):
            list(loader(Numbers(20), worker_init_fn=failing_start))

    def test_a_dataset_that_the_worker_does_not_find(self, monkeypatch):
        gone = type("Gone", (Numbers,), {"__module__": "__main__"})
        monkeypatch.setattr(sys.modules["__main__"], "Gone", gone, raising=False)
        with pytest.raises(AttributeError, match="Gone") as caught:
            list(loader(gone(4)))
        assert caught.value.__notes__[0].startswith(
            "The worker does not find what was defined in an interactive session"
        )

    def test_a_dataset_that_can_not_be_pickled(self):
        class Local(Numbers):
            pass

        with pytest.raises(TypeError, match=r"expected what pickle can send: .*[Ll]ocal.*num_workers=0"):
            list(loader(Local(4)))

    @pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV")])
    def test_a_worker_that_is_killed_is_named_with_the_signal(self, number, name):
        with pytest.raises(RuntimeError, match=rf"worker 1 \(pid \d+\) was killed by signal {number} \({name}\)"):
            list(loader(Dies(20, signal=number)))

    def test_a_worker_that_exits_is_named_with_its_code(self):
        batches = iter(loader(Dies(40, code=3), 1))
        assert [next(batches).item() for _ in range(5)] == list(range(5))
        with pytest.raises(RuntimeError, match=r"worker 1 \(pid \d+\) ended with exit code 3$"):
            next(batches)

    def test_a_worker_that_is_killed_in_the_middle_of_a_message(self):
        with pytest.raises(RuntimeError, match=r"worker 0 \(pid \d+\) was killed by signal 9 \(SIGKILL\)"):
            list(loader(Large(4), 1, workers=1, collate_fn=die_while_sending))

    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("a"), GeneratorExit()])
    def test_what_ends_programs_is_named_as_what_it_is(self, error):
        said = rf"worker 1 \(pid \d+\) raised {type(error).__name__}"
        with pytest.raises(RuntimeError, match=said) as caught:
            list(loader(Fails(20, error)))
        assert "__main__" not in str(caught.value) and "raise self.error" in caught.value.__notes__[0]

    def test_an_exit_before_the_first_batch_is_not_put_down_to_the_program(self):
        with pytest.raises(RuntimeError, match=r"worker 1 \(pid \d+\) ended with exit code 3$"):
            list(loader(Dies(8, code=3)))

    def test_killed_from_outside_between_batches(self):
        kept = loader(Where(1000), 1, persistent_workers=True)
        batches = iter(kept)
        os.kill(next(batches).item(), signal.SIGKILL)
        with pytest.raises(RuntimeError, match=r"worker 0 \(pid \d+\) was killed by signal 9"):
            list(batches)
        assert len(list(kept)) == 1000  # with new workers

    def test_timeout(self):
        source = data.DataLoader(Hangs(20), 1, num_workers=2, timeout=2)
        with pytest.raises(
            RuntimeError, match=r"got no batch from worker \d \(pid \d+\), expected one within 2 seconds \(batch \d\)"
        ):
            list(source)

    def test_a_program_without_a_guard_is_told_so(self, tmp_path):
        (tmp_path / "program.py").write_text(
            "from tinygrad_dl import data\nprint(list(data.DataLoader(range(4), 2, num_workers=1)))\n"
        )
        done = subprocess.run(
            [sys.executable, "program.py"], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
        )
        assert done.returncode == 1
        assert "worker 0 (pid" in done.stderr
        assert "must stand under `if __name__ == '__main__':`" in done.stderr


def interrupted(connection, message):
    raise KeyboardInterrupt


class TestNothingLeftBehind:
    """The fixture looks for processes and shared memory after each test."""

    def test_a_loop_that_is_broken_off(self):
        start = time.monotonic()
        for batch in loader(Numbers(1000, (5000,)), 2):
            assert batch[0].shape == (2, 5000)
            break
        assert time.monotonic() - start < 20

    def test_an_exception_in_the_loop(self):
        def train():
            for _ in loader(Numbers(1000, (5000,)), 2):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            train()

    @pytest.mark.parametrize("persistent", [False, True])
    def test_an_interrupt_while_a_task_is_sent(self, persistent, monkeypatch):
        source = loader(Numbers(100), 2, persistent_workers=persistent)
        batches = iter(source)
        next(batches)
        with monkeypatch.context() as patched:
            patched.setattr(Connection, "send", interrupted)
            with pytest.raises(KeyboardInterrupt):
                list(batches)
        assert list(batches) == []
        assert not children() & {worker.process.pid for worker in batches.pool.workers}
        assert len(list(source)) == 50  # with new workers

    def test_an_order_that_fails(self):
        def order():
            yield from ([0, 1], [2, 3])
            raise LookupError("no more batches")

        with pytest.raises(LookupError, match="no more batches"):
            list(loader(Numbers(9), 1, batch_sampler=order()))

    def test_an_iterator_in_a_cycle(self):
        cycle = [iter(loader(Numbers(100), 2))]
        next(cycle[0])
        cycle.append(cycle)
        del cycle
        gc.collect()

    def test_a_worker_that_hangs(self):
        batches = iter(loader(Hangs(20), 1))
        for _ in range(5):
            next(batches)
        del batches

    @pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "import os; os.kill(os.getpid(), 9)"])
    def test_the_end_of_the_program(self, ending):
        code = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from data_for_workers import Where\nfrom tinygrad_dl import data\n"
            "batches = iter(data.DataLoader(Where(1000), 1, num_workers=2))\n"
            f"print(next(batches).item(), next(batches).item(), flush=True)\n{ending}\n"
        )
        done = run_file(code, check=False)
        assert done.returncode == (-9 if "kill" in ending else 0)
        pids = list(map(int, done.stdout.split()))
        until = time.monotonic() + 20
        while any(map(alive, pids)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(alive, pids))
        if not ending:
            assert done.stderr == ""
