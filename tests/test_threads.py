"""Large operations on several threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from unittest import mock

import cores
import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.backends import blas
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.backends.threads import Tasks, parallel_for, parallel_for_products

ALLOWED = blas.allowed
needs_switch = pytest.mark.skipif(not blas.switch(), reason="NumPy's BLAS has no such switch here")


@pytest.fixture(autouse=True)
def three_threads():
    with cores.threads(3):
        yield


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 1000])
@pytest.mark.parametrize("grain", [1, 4, 1000])
def test_ranges_cover_everything_once(count, grain):
    hits, ranges = np.zeros(count, int), []

    def work(start, stop):
        hits[start:stop] += 1
        ranges.append((start, stop))

    parallel_for(work, count, grain)
    assert (hits == 1).all()
    assert len(ranges) <= 3
    assert all(stop - start >= min(grain, count) for start, stop in ranges)


def test_several_threads_work():
    seen, meet = set(), threading.Barrier(3, timeout=60)

    def work(start, stop):
        meet.wait()  # passes only when three threads are here at once
        seen.add(threading.get_ident())

    parallel_for(work, 3)
    assert len(seen) == 3 and threading.get_ident() in seen


def test_work_within_work_stays_in_its_thread():
    inner, meet = {}, threading.Barrier(3, timeout=60)

    def work(start, stop):
        me = threading.get_ident()
        meet.wait()
        if me != threading.main_thread().ident:
            parallel_for(lambda a, b: inner.setdefault(me, []).append((threading.get_ident(), a, b)), 10)

    parallel_for(work, 3)
    assert len(inner) == 2
    assert all(calls == [(me, 0, 3), (me, 3, 6), (me, 6, 10)] for me, calls in inner.items())


@needs_switch
def test_tasks_are_made_by_other_threads_while_this_one_goes_on():
    meet, made = threading.Barrier(2, timeout=60), {}

    def work(start, stop):
        meet.wait()  # passes only when this thread has gone on
        made[start] = threading.get_ident()

    with Tasks() as tasks:
        task = tasks.add(work, 3, 4)
        meet.wait()
        tasks.finish(task)
        assert list(made) == [3] and made[3] != threading.get_ident()


@pytest.mark.parametrize("number", [1, 3])
def test_each_task_is_made_once_and_all_in_the_end(number):
    made, order = [], []
    with cores.threads(number):
        with Tasks() as tasks:
            shares = [tasks.add(lambda start, stop: made.append((start, stop)), k, k + 2) for k in range(0, 20, 2)]
            tasks.finish(shares[4])
            assert (8, 10) in made
            order += made
        assert sorted(made) == [(k, k + 2) for k in range(0, 20, 2)]
    assert number > 1 or order == [(8, 10)]


@pytest.mark.parametrize("number", [1, 3])
def test_errors_of_tasks_and_beside_them(number):
    made = []
    with cores.threads(number):
        with pytest.raises(KeyError, match="in a task"), Tasks() as tasks:
            tasks.add(lambda start, stop: {}["in a task"], 0, 1)
            tasks.add(lambda start, stop: made.append(start), 1, 2)
        assert made == [1]
        with pytest.raises(KeyError, match="beside"), Tasks() as tasks:
            tasks.add(lambda start, stop: {}["in a task"], 0, 1)
            {}["beside"]
        parallel_for(lambda start, stop: made.extend(range(start, stop)), 3)
        assert sorted(made[1:]) == [0, 1, 2]


@pytest.mark.parametrize("where", [0, 2])
def test_an_error_reaches_the_caller_after_all_ranges_have_ended(where):
    ended = []

    def work(start, stop):
        if start == where:
            raise KeyError("from one range")
        ended.append(start)

    with pytest.raises(KeyError, match="from one range"):
        parallel_for(work, 3)
    assert len(ended) == 2


def test_numpys_error_state_goes_along():
    def work(start, stop):
        np.float64(1) / np.zeros(5)

    with np.errstate(divide="ignore"):
        parallel_for(work, 3)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        parallel_for(work, 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own():
    parallel_for(lambda a, b: None, 3)
    pid = os.fork()
    if pid == 0:
        total = np.zeros(30)
        parallel_for(lambda a, b: total[a:b].fill(1), 30)
        os._exit(0 if total.sum() == 30 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(("number", "kind"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_refused_numbers_of_threads(number, kind):
    with pytest.raises(kind, match="set_num_threads: expected"):
        td.set_num_threads(number)
    assert td.get_num_threads() == 3


@needs_switch
def test_a_call_leaves_the_number_of_the_blas_as_it_was():
    get, put = blas.switch()
    before = get()
    x = td.randn(300, 300, requires_grad=True)
    image = td.randn(2, 24, 16, 16, requires_grad=True)
    inside = []
    try:
        for number in (2, 1):
            put(number)
            td.set_num_threads(3)
            assert get() == number  # it is the package's own number alone
            (x @ x).sum().backward()
            td.nn.LSTM(8, 8)(td.randn(3, 2, 8))[0].sum().backward()
            td.nn.Conv2d(24, 24, 3)(image).sum().backward()
            assert get() == number
            with pytest.raises(ValueError, match="from a range"):
                parallel_for_products(lambda start, stop: inside.append(get()) or fail(), 3)
            assert get() == number
        assert set(inside) == {1}
    finally:
        put(before)


def fail():
    raise ValueError("from a range")


@needs_switch
def test_holds_within_holds_and_numbers_that_others_set_meanwhile():
    get, put = blas.switch()
    before = get()
    try:
        put(2)
        with blas.single:
            with blas.single:
                assert get() == 1
            assert get() == 1
            assert ALLOWED() == 2
        assert get() == 2
        with blas.single:
            put(3)
        assert get() == 3
    finally:
        put(before)


@needs_switch
def test_no_more_threads_work_than_the_blas_may_have():
    get, put = blas.switch()
    before = get()
    seen = {}

    def work(start, stop):
        seen[start, stop] = threading.get_ident()

    try:
        put(1)
        with mock.patch.object(blas, "allowed", ALLOWED):
            parallel_for(work, 9)
    finally:
        put(before)
    assert seen == dict.fromkeys([(0, 3), (3, 6), (6, 9)], threading.get_ident())  # the ranges stay the same


def test_ranges_do_not_depend_on_who_computes_them():
    found = []

    def nested(start, stop):
        parallel_for(lambda a, b: found.append((a, b)), 10)

    parallel_for(nested, 3)
    assert sorted(found) == sorted([(0, 3), (3, 6), (6, 10)] * 3)


def test_ranges_that_no_thread_has_begun_are_computed_by_the_caller():
    release, order = threading.Event(), []

    def block(start, stop):
        if threading.current_thread() is not threading.main_thread():
            release.wait(60)

    blocker = threading.Thread(target=parallel_for, args=(block, 3))
    blocker.start()  # keeps the waiting threads busy
    parallel_for(lambda start, stop: order.append(start), 3)
    assert sorted(order) == [0, 1, 2]
    release.set()
    blocker.join()


SHAPES = [((300, 200), (200, 310)), ((64, 300, 40), (64, 40, 50)), ((3, 1, 150, 90), (4, 90, 150)), ((9001,), (9001,))]
SHAPES += [
    ((200, 300), (300,)),
    ((90,), (90, 300)),
    ((5, 4), (4, 3)),
    ((0, 4), (4, 3)),
    ((2, 4), (4, 0)),
    ((2, 0), (0, 3)),
]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "complex64"])
@pytest.mark.parametrize("turned", [False, True])
def test_products_are_numpys(shapes, dtype, turned):
    rng = np.random.default_rng(0)
    a, b = [rng.integers(-4, 5, shape).astype(dtype) for shape in shapes]
    if turned:
        a, b = np.asfortranarray(a), np.asfortranarray(b)
    found = product(a, b)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.matmul(a, b))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64"])
@pytest.mark.parametrize("repeated", ["left", "right", "one left", "one right", "columns and rows"])
def test_products_of_stacks_that_vmap_makes_are_those_of_their_matrices(repeated, dtype):
    rng = np.random.default_rng(0)
    k = 1 if repeated == "columns and rows" else 4
    a, b = (np.asarray(rng.integers(-3, 4, shape), dtype) for shape in ((5, 3, k), (5, k, 2)))
    if repeated.endswith("left"):
        a = a[:1] if repeated == "one left" else np.broadcast_to(a[0], a.shape)
    if repeated.endswith("right"):
        b = b[:1] if repeated == "one right" else np.broadcast_to(b[0], b.shape)
    found = product(a, b)
    assert found.dtype == dtype and found.flags.writeable
    np.testing.assert_array_equal(found, np.matmul(a, b))
    turned = product(b.swapaxes(1, 2), a.swapaxes(1, 2))
    np.testing.assert_array_equal(turned, np.matmul(a, b).swapaxes(1, 2))
    if dtype.startswith("float"):
        a, b = a.copy(), b.copy()
        a[0, 0, 0], b[0, 0, 0] = np.inf, 0
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(product(a, b), np.matmul(a, b))


@needs_switch
def test_bits_of_a_product_do_not_depend_on_what_ran_before():
    get, put = blas.switch()
    before = get()
    a, b = td.randn(200, 333), td.randn(333, 257)
    try:
        found = []
        for number in (1, 2):
            put(number)
            for _ in range(2):
                found.append((a @ b).numpy().tobytes())
                td.nn.functional.conv2d(td.randn(4, 8, 16, 16), td.randn(8, 8, 3, 3))
    finally:
        put(before)
    assert len(set(found)) == 1


SLEEPING = """
import os, sys, threading, time
import numpy as np
import tinygrad_dl as td
from tinygrad_dl.backends import blas
nn, F = td.nn, td.nn.functional

def woken():
    ours = {str(thread.native_id) for thread in threading.enumerate()}
    total = 0
    for task in set(os.listdir("/proc/self/task")) - ours:
        with open(f"/proc/self/task/{task}/status") as file:
            total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return total

def asleep():
    last = None
    while last != woken():  # a thread that was woken looks for work for a while
        last = woken()
        time.sleep(0.2)

def run(name, model, *inputs):
    before = woken()
    for x in inputs:
        x.requires_grad_()
    out = model(*inputs)
    (out[0] if isinstance(out, tuple) else out).sum().backward()
    if woken() != before:
        print(name)
        asleep()

td.set_num_threads(2)
blas.switch()[1](2)
asleep()
x, images, words = td.randn(256, 512), td.randn(8, 32, 24, 24), td.randn(32, 40, 96)
run("linear", nn.Linear(512, 512), x)
run("norms", nn.Sequential(nn.BatchNorm1d(512), nn.LayerNorm(512), nn.Linear(512, 1)), x)
run("matrix by vector", lambda a, b: a @ b, x, td.randn(512))
run("vectors", lambda a, b: a @ b, td.randn(20000), td.randn(20000))
run("columns", lambda a, b: a @ b, td.randn(3, 256, 512), td.randn(512, 1))
run("addmm", td.addmm, td.randn(512), x, td.randn(512, 512))
run("einsum", lambda a, b: td.einsum("bi,ji->bj", a, b), x, td.randn(300, 512))
run("sums", lambda a: a.sum() + a.mean(1).sum() + a.var(0).sum(), x)
for channels, kernel in ((96, 3), (48, 1), (8, 5)):
    run(f"conv {channels} {kernel}", nn.Conv2d(32, channels, kernel, padding=kernel // 2), images)
run("depthwise", nn.Conv2d(32, 32, 3, groups=32), images)
run("transposed", nn.ConvTranspose2d(32, 24, 4, 2), images)
run("image norms", nn.Sequential(nn.BatchNorm2d(32), nn.GroupNorm(4, 32), nn.InstanceNorm2d(32, affine=True)), images)
run("interpolate", lambda a: F.interpolate(a, size=40, mode="bilinear"), images)
run("bicubic", lambda a: F.interpolate(a, size=17, mode="bicubic"), images)
run("pooling", lambda a: F.adaptive_avg_pool2d(a, 1) + F.avg_pool2d(a, 24), images)
for kind in (nn.RNN, nn.GRU, nn.LSTM):
    run(kind.__name__, kind(96, 128, batch_first=True), words)
run("encoder", nn.TransformerEncoderLayer(96, 4, 256, batch_first=True), words)
run("losses", lambda a: F.cross_entropy(a, td.arange(256)) + F.cosine_similarity(a, a * 2).sum(), x)
run("embedding", lambda w: F.embedding(td.arange(2000) % 50, w), td.randn(50, 512))
run("second order", lambda a: td.autograd.grad((nn.Linear(512, 300)(a) ** 2).sum(), a, create_graph=True)[0], x)
"""


@needs_switch
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="tells of threads by Linux's /proc")
def test_the_threads_of_the_blas_are_never_woken():
    """One product that is not held to one thread, and they would be in the way of ours for milliseconds."""
    done = subprocess.run([sys.executable, "-c", SLEEPING], capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


FORKS = """
import os, threading, warnings
import tinygrad_dl as td
warnings.simplefilter("ignore")
stop = threading.Event()

def train(shared=td.ones(20, requires_grad=True)):
    while not stop.is_set():
        with td.no_grad():
            pass
        ((shared * 2).sum() + td.randn(200, 200, requires_grad=True).mm(td.randn(200, 200)).sum()).backward()

threads = [threading.Thread(target=train) for _ in range(3)]
for thread in threads:
    thread.start()
failed = 0
for _ in range(50):
    pid = os.fork()
    if pid == 0:
        x = td.ones(300, 300, requires_grad=True)
        with td.no_grad():
            pass
        (x @ x).sum().backward()
        os._exit(0 if x.grad[0, 0].item() == 600 else 1)
    failed += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
stop.set()
for thread in threads:
    thread.join()
print(failed)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_children_forked_beside_threads_in_backward_go_on():
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "0", done.stderr


SIGNALS = """
import signal
import tinygrad_dl as td
x, calls = td.ones(5, requires_grad=True), 0
small, large = td.randn(200, 200), td.randn(300, 300)

def handler(*_):
    global calls
    calls += 1
    (x * 2).sum().backward()
    with td.no_grad():
        large @ large
    signal.setitimer(signal.ITIMER_REAL, 0.0005 + calls % 7 * 0.0001)  # the next one

(x * 3).sum().backward()
large @ large
x.grad = None
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001)
steps = 0
while calls < 200:
    (x * 3).sum().backward()
    small @ small
    steps += 1
signal.setitimer(signal.ITIMER_REAL, 0)
print(x.grad.tolist() == [3.0 * steps + 2.0 * calls] * 5)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such signals here")
def test_a_signals_handler_may_call_backward_at_any_time():
    done = subprocess.run([sys.executable, "-c", SIGNALS], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "True", done.stderr
