"""The exercises of the course: solutions pass, open blanks are named, and each typical mistake gets its diagnosis."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exercise_mutants import MUTANTS

FOLDER = Path(__file__).parent.parent / "examples" / "exercises"
sys.path.append(str(FOLDER))

import blanks  # noqa: E402
import checker  # noqa: E402
import compare  # noqa: E402

SOLUTIONS = {name: (FOLDER / "solutions" / f"{name}.py").read_text() for name in checker.NAMES}
ALL = [(name, number, *row) for name, rows in MUTANTS.items() for number, found in rows.items() for row in found]


def filled(text, number, code):
    """The text of a file with other lines in a blank."""
    lines = text.split("\n")
    blank = blanks.find(lines)[number]
    lines[blank.start + 1 : blank.end] = [blank.indent + line for line in code.split("\n")]
    return "\n".join(lines)


@pytest.fixture
def attempt(tmp_path):
    def make(name, text):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return checker.Attempt(path)

    return make


@pytest.mark.parametrize(("name", "number", "code", "said"), ALL, ids=[f"{a}-{b}-{d}" for a, b, _, d in ALL])
def test_a_typical_mistake_is_named(attempt, name, number, code, said):
    verdict = checker.verdict(attempt(name, filled(SOLUTIONS[name], number, code)), number)
    assert verdict.startswith("wrong: ") and said in verdict


# Other ways to the right answer: what counts is what comes out.
OTHER_WAYS = [
    ("forward", 1, "with_minus = np.exp(-Z)\nA = np.divide(1, 1 + with_minus)"),
    ("forward", 2, "A = Z * (Z > 0)"),
    ("forward", 3, "Z = np.dot(W, A_prev)\nZ = np.add(Z, b)"),
    ("forward", 4, 'W, b = parameters[f"W{layer}"], parameters[f"b{layer}"]\nZ = W @ A_prev + b\n'
     "A, cache = np.maximum(0, Z), ((A_prev, W, b), Z)"),
    ("forward", 6, "cost = np.squeeze(-(Y @ np.log(AL).T + (1 - Y) @ np.log(1 - AL).T) / m)"),
    ("backward", 1, "dW = (1 / m) * np.dot(dZ, A_prev.T)"),
    ("backward", 1, "dW = np.einsum('im,jm->ij', dZ, A_prev) / m"),
    ("backward", 2, "db = np.mean(dZ, axis=1, keepdims=True)"),
    ("backward", 4, "dZ = np.array(dA, copy=True)\ndZ[Z <= 0] = 0"),
    ("backward", 6, "dAL = (AL - Y) / (AL * (1 - AL))"),
    ("initialisation", 2, "b = np.zeros((layers_dims[layer], 1), dtype=int)"),
    ("initialisation", 3, "W = rng.normal(0, np.sqrt(2.0 / layers_dims[layer - 1]), "
     "(layers_dims[layer], layers_dims[layer - 1]))"),
    ("dropout", 1, "D = rng.random(A.shape)\nD = (D < keep_prob).astype(int)"),
    ("dropout", 1, "D = rng.binomial(1, keep_prob, A.shape)"),
    ("dropout", 5, "A_test = A"),
    ("gradient_check", 5, "thetaplus = theta + epsilon * (np.arange(len(theta)) == i)[:, None]"),
    ("adam", 5, "W = W - learning_rate * np.divide(v_corrected, s_corrected**0.5 + epsilon)"),
    ("batch_norm", 2, "var = Z.var(axis=1, keepdims=True)"),
    ("batch_norm", 11, "dmu = np.sum(-dZ_norm / np.sqrt(var + epsilon), axis=1, keepdims=True) "
     "+ dvar * np.mean(-2 * (Z - mu), axis=1, keepdims=True)"),
    ("batch_norm", 12, "dZ = gamma / np.sqrt(var + epsilon) / m * (m * dZ_tilde "
     "- dZ_tilde.sum(1, keepdims=True) - Z_norm * (dZ_tilde * Z_norm).sum(1, keepdims=True))"),
    ("convolution", 2, "z = float(np.vdot(a_slice, W) + b[0, 0, 0])"),
    ("convolution", 3, "n_H = int((n_H_prev - f + 2 * pad) / stride) + 1\n"
     "n_W = int((n_W_prev - f + 2 * pad) / stride) + 1"),
    ("convolution", 9, "dA_prev = dA_prev_pad[:, pad : dA_prev_pad.shape[1] - pad, "
     "pad : dA_prev_pad.shape[2] - pad]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "number", "code"), OTHER_WAYS)
def test_another_way_to_the_right_answer_is_right(attempt, name, number, code):
    assert checker.verdict(attempt(name, filled(SOLUTIONS[name], number, code)), number) == "right"


@pytest.mark.parametrize("name", checker.NAMES)
def test_the_exercise_is_its_solution_with_the_blanks_open(name):
    assert (FOLDER / f"{name}.py").read_text() == blanks.exercise(SOLUTIONS[name]), "run examples/exercises/blanks.py"


@pytest.mark.parametrize("name", checker.NAMES)
def test_every_blank_has_a_check_and_mutants(name):
    numbers = list(range(1, len(blanks.find(SOLUTIONS[name].split("\n"))) + 1))
    assert [*blanks.find(SOLUTIONS[name].split("\n"))] == numbers == [*checker.checks_of(name)[0]] == [*MUTANTS[name]]


@pytest.mark.parametrize("name", checker.NAMES)
def test_a_solution_is_right_and_agrees_with_the_library(name):
    text, right = checker.report(FOLDER / "solutions" / f"{name}.py")
    lines = text.split("\n")
    count = len(MUTANTS[name])
    assert right and lines[0] == f"{name}.py: {count} blanks, {count} right"
    assert all(line.endswith(": right") for line in lines[1:-1]) and len(lines) == count + 2
    said = {
        "forward": r"has the cost (\d\.\d{10}); by tinygrad_dl: \1$",
        "backward": r"gradcheck of a network 4-5-3-1: 47 entries compared$",
        "initialisation": r"random 1.1e-10, he 1.1, xavier 0.035$",
        "dropout": r"is 1.00 times A; by td.nn.Dropout: 1.00$",
        "gradient_check": r"gives \de-(09|1\d); of a gradient with one entry 1 % off, 7e-04$",
        "adam": r"td.optim.Adam is at most \de-1[5-7] away$",
        "batch_norm": r"gradcheck: 32 entries compared; running averages beside nn.BatchNorm1d: \de-1[3-6] apart$",
        "convolution": r"gradcheck: 177 entries compared$",
    }
    assert re.search(said[name], lines[-1]) and lines[-1].startswith("  altogether: ")


@pytest.mark.parametrize("name", checker.NAMES)
def test_open_blanks_are_named(name):
    text, right = checker.report(FOLDER / f"{name}.py")
    lines = text.split("\n")
    count = len(MUTANTS[name])
    assert not right and lines[0] == f"{name}.py: {count} blanks, 0 right, {count} open"
    assert [line.split(",")[0] for line in lines[1:]] == [f"  blank {number}" for number in MUTANTS[name]]
    assert all(line.endswith(": open") for line in lines[1:])


@pytest.mark.parametrize("name", checker.NAMES)
def test_a_blank_is_right_or_wrong_whatever_the_others_are(attempt, name):
    """Each blank filled in alone; and all of them right but the first."""
    opened = blanks.exercise(SOLUTIONS[name])
    solution = SOLUTIONS[name].split("\n")
    for number, blank in blanks.find(solution).items():
        code = "\n".join(line.removeprefix(blank.indent) for line in blank.body(solution))
        alone = attempt(name, filled(opened, number, code))
        assert checker.verdict(alone, number) == "right"
        assert all(checker.verdict(alone, other) == "open" for other in MUTANTS[name] if other != number)
    spoilt = attempt(name, filled(SOLUTIONS[name], 1, "raise ValueError('not yet')"))
    assert "raises ValueError: not yet" in checker.verdict(spoilt, 1)
    assert all(checker.verdict(spoilt, number) == "right" for number in MUTANTS[name] if number > 1)


def test_a_line_that_is_not_python_spoils_its_blank_alone(attempt):
    broken = attempt("backward", filled(SOLUTIONS["backward"], 2, "db = np.sum(dZ, axis=1"))
    line = 1 + (broken.blanks[2].start + 1)
    assert checker.verdict(broken, 2) == f"wrong: line {line} is not Python: '(' was never closed."
    assert checker.verdict(broken, 3) == "right"


def test_a_tensor_and_other_things_that_are_no_arrays(attempt):
    with_td = "import tinygrad_dl as td\nA = td.tensor(Z).sigmoid()"
    verdict = checker.verdict(attempt("forward", filled(SOLUTIONS["forward"], 1, with_td)), 1)
    assert verdict == ("wrong: A is a tensor of tinygrad_dl, expected a NumPy array: these exercises are in NumPy.")
    verdict = checker.verdict(attempt("forward", filled(SOLUTIONS["forward"], 1, "A = 'sigmoid'")), 1)
    assert verdict == "wrong: A is of type str, expected an array of numbers."
    verdict = checker.verdict(attempt("forward", filled(SOLUTIONS["forward"], 1, "A = Z / 0 * np.inf")), 1)
    assert verdict.startswith("wrong: A has entries that are not finite, such as ")
    verdict = checker.verdict(attempt("forward", filled(SOLUTIONS["forward"], 1, "A = 1j * Z")), 1)
    assert verdict == "wrong: A is complex, expected real numbers."
    verdict = checker.verdict(attempt("forward", filled(SOLUTIONS["forward"], 1, "raise SystemExit(3)")), 1)
    assert (
        verdict == f"wrong: line {attempt('forward', SOLUTIONS['forward']).blanks[1].start + 2} raises SystemExit: 3."
    )


def test_markers_that_are_gone_are_asked_back(tmp_path):
    path = tmp_path / "dropout.py"
    text = SOLUTIONS["dropout"]
    path.write_text(text.replace("    ### START CODE HERE ### blank 4", "    # blank 4"))
    line = 1 + text[: text.index("    ### END CODE HERE ###\n    return dA_prev")].count("\n")
    assert checker.report(path)[0].startswith(f"dropout.py: line {line} ends a blank that no START line begins")
    path.write_text(text.replace("    ### END CODE HERE ###\n    return A_test", "    return A_test"))
    assert "has no line ### END CODE HERE ###; put it back" in checker.report(path)[0]
    path.write_text(text[: text.index("# GRADED FUNCTION: forward_at_test_time")])
    text, right = checker.report(path)
    assert not right
    assert "the lines that mark blank 5 are missing; put them back as they were" in text


def test_what_stands_outside_the_blanks(tmp_path):
    path = tmp_path / "forward.py"
    text = SOLUTIONS["forward"]
    path.write_text(text.replace("    m = Y.shape[1]", "    m = Y.shape[1] + 0"))
    line = 1 + text[: text.index("    m = Y.shape[1]")].count("\n")
    assert f"note: line {line} was changed outside the blanks" in checker.report(path)[0]
    path.write_text(text.replace("import numpy as np", "import numpy as np\nnp.no_such_thing"))
    assert (
        f"line {2 + text[: text.index('import numpy')].count(chr(10))}, outside the blanks, raises AttributeError"
        in checker.report(path)[0]
    )
    path.write_text(text.replace("def relu(Z):", "def relu(Z:"))
    assert re.search(r"line \d+, outside the blanks, raises SyntaxError", checker.report(path)[0])
    path.write_text(text.replace("def relu(Z)", "def relu_of(Z)"))
    assert checker.report(path)[0] == (
        "forward.py: the function relu is missing; put its line `def relu(...)` back as it was."
    )
    path.write_text(text.replace("def relu(Z)", "def relu(Z, more)"))
    assert "  blank 2, A in relu: wrong: relu raises TypeError: relu() missing 1 required" in checker.report(path)[0]
    path.write_bytes("# señal\n".encode("latin-1") + text.encode())
    assert checker.report(path)[0] == "forward.py: byte 4 is not text in UTF-8; save the file in that encoding."


def run(*arguments):
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True)


def test_an_exercise_checks_itself_and_ends_with_1_until_it_is_right():
    done = run(FOLDER / "dropout.py")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("dropout.py: 5 blanks, 0 right, 5 open\n  blank 1, D in forward_with_dropout: open\n")
    done = run(FOLDER / "solutions" / "dropout.py")
    assert (done.returncode, done.stderr) == (0, "")
    done = run(FOLDER / "checker.py", FOLDER / "solutions" / "dropout.py", FOLDER / "adam.py")
    titles = [line for line in done.stdout.split("\n") if line and not line.startswith(" ")]
    assert done.returncode == 1 and titles == [
        f"{FOLDER / 'solutions' / 'dropout.py'}: 5 blanks, 5 right",
        f"{FOLDER / 'adam.py'}: 5 blanks, 0 right, 5 open",
    ]


def test_a_file_that_is_none_of_them(tmp_path):
    done = run(FOLDER / "checker.py", "my_adam.py")
    assert done.stderr.startswith("checker: got my_adam.py, expected the file of an exercise: forward, backward")
    done = run(FOLDER / "checker.py", tmp_path / "adam.py")
    assert done.stderr == f"checker: there is no file {tmp_path / 'adam.py'}\n"


def test_without_the_package_the_checker_says_how_to_install_it():
    program = "import runpy, sys; sys.modules['tinygrad_dl'] = None; sys.path.insert(0, sys.argv[1]); "
    done = run("-c", program + "runpy.run_path(sys.argv[2], run_name='__main__')", FOLDER, FOLDER / "forward.py")
    first, second = done.stderr.split("\n")[:2]
    assert done.returncode == 1
    assert first.startswith(
        "The checker needs tinygrad_dl, which this Python does not find (import of tinygrad_dl halted"
    )
    assert "-m pip install ." in second


def test_without_the_solutions_the_checker_works_all_the_same(tmp_path):
    folder = tmp_path / "exercises"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("solutions", "__pycache__"))
    shutil.copy(FOLDER / "solutions" / "dropout.py", folder / "dropout.py")
    done = run(folder / "checker.py", folder / "dropout.py")
    assert (done.returncode, done.stderr) == (0, "") and "5 blanks, 5 right" in done.stdout


def test_difference_quotients():
    x = np.array([[0.5, -1.0], [2.0, 3.0]])
    np.testing.assert_allclose(compare.differences(lambda x: np.sum(x**3), x), 3 * x**2, rtol=1e-8)
    assert x.tolist() == [[0.5, -1.0], [2.0, 3.0]]


def test_what_the_readme_shows_is_what_is_said(tmp_path):
    text = blanks.exercise(SOLUTIONS["backward"])
    for number, code in ((1, "dW = dZ @ A_prev.T"), (2, "db = dZ.mean(1, keepdims=True)"), (3, "dA_prev = W.T @ dZ")):
        text = filled(text, number, code)
    path = tmp_path / "backward.py"
    path.write_text(text)
    (shown,) = re.findall(r"```text\n(.*?)  \.\.\.\n```", (FOLDER / "README.md").read_text(), re.DOTALL)
    assert checker.report(path)[0].startswith(shown)


def test_the_readme_lists_every_exercise():
    text = (FOLDER / "README.md").read_text()
    assert re.findall(r"\| \[(\w+)\]\(\1\.py\)", text) == [*checker.NAMES]


STRANGE = ["'x'", "{}", "[[1, 2], [3]]", "lambda: 3", "10**400", "np.nan", "np.array([])", "np.zeros((2, 3, 4, 5))"]


@pytest.mark.parametrize("name", checker.NAMES)
def test_whatever_is_assigned_is_judged(attempt, name):
    for number, blank in blanks.find(SOLUTIONS[name].split("\n")).items():
        for value in STRANGE:
            code = "\n".join(f"{variable} = {value}" for variable in blank.names)
            verdict = checker.verdict(attempt(name, filled(SOLUTIONS[name], number, code)), number)
            assert verdict.startswith("wrong: "), f"blank {number} = {value}: {verdict}"
