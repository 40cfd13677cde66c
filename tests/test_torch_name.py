"""PyTorch's name for this library: `tinygrad_dl.torch.install`, `python -m tinygrad_dl.torch`, and what is beside them.

Each program runs in a process of its own: this one may have imported PyTorch.
"""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.torch.names import target_of


def run(*arguments: str, folder: object = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=folder, timeout=60)


def output(program: str) -> list[str]:
    """The lines that a program prints."""
    done = run("-W", "error", "-c", program)
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


def test_programs_import_torch_and_get_this_library():
    assert output("""
import tinygrad_dl.torch
tinygrad_dl.torch.install()
tinygrad_dl.torch.install()
import torch, torch.nn as nn, torch.nn.functional as F, torch.utils.data, torch.backends.cudnn as cudnn
from torch import optim, Tensor
from torch.nn import *
from torch.optim.lr_scheduler import StepLR
from torch.utils.data.dataset import Dataset
from torch.nn.modules.batchnorm import BatchNorm2d, _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.utils import _pair, _ntuple
import tinygrad_dl as td
assert isinstance(BatchNorm2d(1), _BatchNorm) and isinstance(nn.Conv2d(1, 1, 1), _ConvNd)
assert _pair(3) == (3, 3) and _pair([1, 2]) == (1, 2) and _ntuple(3)(0) == (0, 0, 0)
print(Tensor is td.Tensor, nn.Linear is td.nn.Linear is Linear, F.relu is td.nn.functional.relu)
print(optim.SGD is td.optim.SGD, StepLR is td.optim.lr_scheduler.StepLR)
print(Dataset is td.data.Dataset, BatchNorm2d is td.nn.BatchNorm2d)
cudnn.benchmark = True
print(torch.backends.cudnn.benchmark, torch.cuda.is_available(), torch.__version__.split("+")[1])
""") == ["True True True", "True True", "True True", "True False tinygrad_dl"]


def test_uninstall_leaves_no_module_and_no_finder_behind():
    assert output("""
import sys
before = list(sys.meta_path)
import tinygrad_dl.torch
tinygrad_dl.torch.uninstall()
tinygrad_dl.torch.install()
import torch.nn.functional
tinygrad_dl.torch.uninstall()
print(sys.meta_path == before, [name for name in sys.modules if name.split(".")[0] == "torch"])
""") == ["True []"]


def test_install_refuses_when_torch_is_imported_and_changes_nothing():
    assert output("""
import sys, types
sys.modules["torch"] = types.ModuleType("torch")
before = list(sys.meta_path)
import tinygrad_dl.torch
try:
    tinygrad_dl.torch.install()
except RuntimeError as error:
    print(str(error).partition(",")[0], sys.meta_path == before)
""") == ["tinygrad_dl.torch.install: got a process that has imported torch from an unknown place True"]


def test_a_missing_name_says_which_it_is_and_what_is_near():
    lines = output("""
import tinygrad_dl.torch
tinygrad_dl.torch.install()
import torch
print(hasattr(torch, "no_such_name"), hasattr(torch, "core"), hasattr(torch.nn, "__no__"))
try:
    torch.nn.Liner
except AttributeError as error:
    print(error)
try:
    import torch.no_such_module
except ImportError as error:
    print(error)
""")
    assert lines[0] == "False False False"
    assert lines[1] == f"torch.nn.Liner is not in tinygrad_dl {td.__version__}"
    assert lines[2].startswith("  did you mean torch.nn.Linear? docs/from_pytorch.md")
    assert lines[3] == "No module named 'torch.no_such_module'"


def test_a_script_runs_with_its_arguments_and_imports_its_neighbours(tmp_path):
    (tmp_path / "neighbour.py").write_text("import torch\nnumber = torch.tensor(2.0)\n")
    script = tmp_path / "script.py"
    script.write_text("import sys\nfrom neighbour import number\nprint(__name__, sys.argv[1:], float(number))\n")
    done = run("-m", "tinygrad_dl.torch", str(script), "--epochs", "3")
    assert done.stdout == "__main__ ['--epochs', '3'] 2.0\n" and not done.stderr
    done = run("-m", "tinygrad_dl.torch", "-m", "script", "--epochs", "3", folder=tmp_path)
    assert done.stdout == "__main__ ['--epochs', '3'] 2.0\n" and not done.stderr


def test_a_script_with_a_missing_module_is_told_what_to_do(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from torch import no_such_name\n")
    done = run("-m", "tinygrad_dl.torch", str(script))
    assert done.returncode == 1
    assert "cannot import name 'no_such_name' from 'torch'" in done.stderr and "docs/from_pytorch.md" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "usage: python -m tinygrad_dl.torch script.py"),
        (["--help"], 0, "usage: python -m tinygrad_dl.torch script.py"),
        (["-m"], 1, "got -m and no module"),
        (["no_such_file.py"], 1, "got the script 'no_such_file.py', which does not exist"),
    ],
)
def test_the_command_line_says_how_it_is_used(arguments, status, said):
    done = run("-m", "tinygrad_dl.torch", *arguments)
    assert done.returncode == status and said in done.stdout + done.stderr


def test_modules_are_found_at_pytorchs_places():
    assert target_of("torch") == "tinygrad_dl"
    assert target_of("torch.nn.init") == "tinygrad_dl.nn.init"
    assert target_of("torch.utils.data.sampler") == "tinygrad_dl.data"
    assert target_of("torch.cuda") == "tinygrad_dl.torch.cuda"
    assert target_of("torch.distributions.normal") == target_of("torch.distributions.kl") == "tinygrad_dl.distributions"
    assert not any(map(target_of, ("torch.core", "torch.core.engine", "torch.nothing.at.all", "torchvision", "numpy")))


def test_a_name_of_a_function_and_of_a_module_is_both_as_in_pytorch():
    code = """
import tinygrad_dl.torch
tinygrad_dl.torch.install()
import torch
from torch.nn.utils.weight_norm import WeightNorm, weight_norm
from torch.nn.utils.spectral_norm import spectral_norm
from torch.autograd.gradcheck import gradcheck
assert torch.nn.utils.weight_norm is weight_norm and torch.nn.utils.spectral_norm is spectral_norm
assert torch.autograd.gradcheck is gradcheck
from torch.nn.utils import clip_grad, convert_parameters, init, prune, weight_norm as function
assert clip_grad.clip_grad_norm_ is torch.nn.utils.clip_grad_norm_ and function is weight_norm
"""
    done = run("-c", code)
    assert done.returncode == 0, done.stderr


def test_functions_that_pytorch_has_beside_its_methods():
    x = td.tensor([-1.0, 2.0])
    assert td.relu_(x) is x and x.tolist() == [0.0, 2.0]
    assert td.numel(x) == 2 and td.conv2d is td.nn.functional.conv2d
    with pytest.raises(AttributeError, match="'no_such_'"):
        _ = td.no_such_


def test_a_cpu_has_no_gpu():
    assert not td.cuda.is_available() and td.cuda.device_count() == 0 and td.cuda.memory_allocated() == 0
    td.cuda.manual_seed_all(0)
    td.cuda.empty_cache()
    with pytest.raises(RuntimeError, match=r"cuda.synchronize: got a call for a GPU"):
        td.cuda.synchronize()
    assert not td.accelerator.is_available() and td.accelerator.device_count() == 0
    assert td.utils.checkpoint.get_device_states(td.ones(1)) == ([], []) and not td.cuda._initialized
    assert td.accelerator.current_accelerator() is None and not hasattr(td.accelerator, "no_such")
    with pytest.raises(RuntimeError, match=r"accelerator.synchronize: got a call for an accelerator"):
        td.accelerator.synchronize()


def test_what_would_be_compiled_runs_as_it_is():
    model = td.nn.Linear(2, 3)
    assert td.jit.script(model) is model and td.jit.trace(model, td.ones(1, 2)) is model
    assert not td.compiler.is_compiling() and not td.jit.is_scripting() and not td.jit.is_tracing()

    @td.compiler.disable
    def triple(x):
        return x * 3

    assert triple(1) == 3
    with pytest.raises(AssertionError, match="too small"):
        td._assert(False, "too small")


def test_settings_are_kept_and_read():
    assert td.get_float32_matmul_precision() == "highest"
    td.set_float32_matmul_precision("high")
    assert td.get_float32_matmul_precision() == "high"
    td.set_float32_matmul_precision("highest")
    with pytest.raises(ValueError, match="expected 'highest', 'high' or 'medium'"):
        td.set_float32_matmul_precision("low")
    td.use_deterministic_algorithms(True, warn_only=True)
    assert td.are_deterministic_algorithms_enabled() and td.is_deterministic_algorithms_warn_only_enabled()
    td.use_deterministic_algorithms(False)
    td.set_default_tensor_type("torch.DoubleTensor")
    assert td.tensor(1.0).dtype == td.float64
    td.set_default_tensor_type("torch.FloatTensor")
    assert td.tensor(1.0).dtype == td.float32
    with pytest.raises(TypeError, match="expected FloatTensor"):
        td.set_default_tensor_type("torch.cuda.FloatTensor")
    td.set_default_device("cpu")
    with pytest.raises(ValueError, match="cuda"):
        td.set_default_device("cuda")


def test_print_options():
    x = td.tensor([1.23456789, 1e-5, 12345.678])
    try:
        td.set_printoptions(sci_mode=False)
        assert repr(x) == "tensor([    1.2346,     0.0000, 12345.6777])"
        td.set_printoptions(precision=2)
        assert repr(x) == "tensor([1.23e+00, 1.00e-05, 1.23e+04])"
        td.set_printoptions(threshold=5, edgeitems=1)
        assert repr(td.arange(10)) == "tensor([0, ..., 9])"
        td.set_printoptions(profile="full")
        assert "..." not in repr(td.arange(2000))
        td.set_printoptions(sci_mode=True, precision=1)
        assert repr(td.tensor([1.0, 20.0])) == "tensor([1.0e+00, 2.0e+01])"
    finally:
        td.set_printoptions(profile="default")
    assert repr(x) == "tensor([1.2346e+00, 1.0000e-05, 1.2346e+04])"
    with pytest.raises(ValueError, match="got profile='long'"):
        td.set_printoptions(profile="long")


def test_what_needs_several_devices_or_splits_tensors_is_not_here():
    model = td.nn.DataParallel(td.nn.Linear(2, 3), dim=0)
    x = td.ones(4, 2)
    assert td.equal(model(x), model.module(x)) and list(model.state_dict()) == ["module.weight", "module.bias"]
    assert model.device_ids == [] and repr(model).splitlines()[0] == "DataParallel("
    from tinygrad_dl.torch import distributed

    assert distributed.all_reduce is td.distributed.all_reduce and not distributed.is_initialized()
    assert not isinstance(model, distributed.FullyShardedDataParallel)
    with pytest.raises(RuntimeError, match=r"distributed.init_device_mesh: got a call, but this library splits"):
        distributed.init_device_mesh("cpu", (2,))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = distributed.no_such_name


def test_what_is_said_to_tracers_exporters_and_kernels_is_accepted():
    assert output("""
import tinygrad_dl.torch
tinygrad_dl.torch.install()
import torch, torch.fx, torch.onnx, torch.library, torch._custom_ops
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.jit.annotations import BroadcastingList2, List
from torch.onnx.symbolic_helper import parse_args
from torch.types import Number, _size
assert torch.fx.wrap(len) is len and torch.fx.wrap("len") == "len"
assert torch.library.register_fake("a::b")(len) is len and parse_args("v", "i")(len) is len
assert torch.library.Library("a", "DEF").define("b(Tensor x) -> Tensor") == "b"
assert not torch.onnx.is_in_onnx_export() and not isinstance(torch.nn.ReLU(), torch.fx.GraphModule)
assert isinstance(2.0, Number) and BroadcastingList2[int] == List[int]
with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION], set_priority=True):
    print(torch.nn.functional.scaled_dot_product_attention(*torch.ones(3, 1, 2, 4)).tolist())
try:
    torch.ops.load_library("kernels.so")
except OSError as error:
    print(error)
""") == [
        "[[[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]]",
        "ops.load_library: got kernels.so, which is compiled for PyTorch, expected none; functions of Python run",
    ]


def test_models_that_are_prepared_for_quantization_run_in_their_own_dtype():
    from tinygrad_dl.torch.quantization import DeQuantStub, FloatFunctional, QuantStub

    x, y, both = td.tensor([1.0, -3.0]), td.tensor([2.0, 1.0]), FloatFunctional()
    assert QuantStub()(x) is x and DeQuantStub()(x) is x and repr(QuantStub()) == "QuantStub()"
    assert both.add_relu(x, y).tolist() == [3.0, 0.0] and both.cat([x, y]).tolist() == [1.0, -3.0, 2.0, 1.0]
    assert both.add(x, y).tolist() == both.add_scalar(x, y).tolist() == [3.0, -2.0]
    assert both.mul(x, y).tolist() == [2.0, -3.0] and both.mul_scalar(x, 2).tolist() == [2.0, -6.0]
    assert both.matmul(x, y).item() == -1.0
    with pytest.raises(RuntimeError, match="got a call, expected one of its operations"):
        both(x)


def test_programs_that_profile_run_and_their_profile_is_empty():
    from tinygrad_dl.torch import profiler

    steps = profiler.schedule(wait=1, warmup=1, active=2)
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU], schedule=steps) as found:
        with profiler.record_function("forward"):
            x = td.ones(2) + 1
        found.step()
    assert x.tolist() == [2.0, 2.0] and found.key_averages() == [] and steps(0) is None

    @profiler.record_function("doubled")
    def double(x):
        return x * 2

    found = profiler.profile(on_trace_ready=profiler.tensorboard_trace_handler("folder"))
    found.start()
    assert double(2) == 4
    found.stop()
    assert target_of("torch.autograd.profiler") == target_of("torch.profiler") == "tinygrad_dl.torch.profiler"


def test_operations_on_lists_of_tensors():
    def two():
        return [td.tensor([1.0, 4.0]), td.tensor([9.0])]

    def lists(tensors):
        return [each.tolist() for each in tensors]

    x, y = two(), two()
    assert lists(td._foreach_add(x, y, alpha=2)) == [[3, 12], [27]] and lists(td._foreach_sqrt(x)) == [[1, 2], [3]]
    assert lists(td._foreach_mul(x, 2.0)) == [[2, 8], [18]] and lists(td._foreach_div(x, [1.0, 3.0])) == [[1, 4], [3]]
    assert lists(td._foreach_maximum(x, 4.0)) == [[4, 4], [9]] and lists(td._foreach_clamp_max(x, 4.0)) == [[1, 4], [4]]
    assert lists(td._foreach_norm([td.tensor([3.0, 4.0])])) == [5.0] and lists(x) == lists(y)
    assert td._foreach_add_(x, 1.0) is None and lists(x) == [[2, 5], [10]]
    td._foreach_addcmul_(x, y, y, 0.5)
    assert lists(x) == [[2.5, 13], [50.5]]
    td._foreach_addcdiv_(x, y, y, [1.0, 2.0])
    assert lists(x) == [[3.5, 14], [52.5]]
    td._foreach_lerp_(x, y, weight=1.0)
    assert lists(x) == lists(y)
    td._foreach_maximum_(x, two()[::1])
    td._foreach_copy_(x, [td.zeros(2), td.ones(1)])
    assert lists(x) == [[0, 0], [1]]
    td._foreach_zero_(x)
    assert lists(x) == [[0, 0], [0]]
    with pytest.raises(RuntimeError, match="_foreach_add: got lists of 2 and 1 elements"):
        td._foreach_add(x, y[:1])
    assert not hasattr(td, "_foreach_no_such_operation")


def test_tensors_as_one_flat_tensor_and_back():
    from tinygrad_dl.torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

    tensors = [td.tensor([[1.0, 2.0]]), td.tensor(3.0)]
    flat = _flatten_dense_tensors(tensors)
    assert flat.tolist() == [1, 2, 3]
    assert [each.tolist() for each in _unflatten_dense_tensors(flat * 2, tensors)] == [[[2, 4]], 6]


def test_trees_of_tensors():
    from tinygrad_dl.torch import pytree

    tree = {"a": (1, 2.0), "b": [3]}
    leaves, form = pytree.tree_flatten(tree)
    assert leaves == [1, 2.0, 3] == pytree.tree_leaves(tree) and pytree.tree_unflatten(iter(leaves), form) == tree
    assert pytree.tree_map(lambda a, b: a * b, tree, tree) == {"a": (1, 4.0), "b": [9]}
    assert pytree.tree_map_only(float, str, tree) == {"a": (1, "2.0"), "b": [3]}


def test_special_functions_by_their_names():
    from tinygrad_dl import special

    x = td.tensor([0.5])
    assert special.expit is td.sigmoid and special.psi is td.digamma and special.gammaln is td.lgamma
    assert special.expm1(x).item() == pytest.approx(np.expm1(0.5))


def test_weights_are_downloaded_once_and_their_hash_is_compared(tmp_path, monkeypatch):
    from tinygrad_dl.torch import hub

    weights = {"w": td.arange(3.0)}
    td.save(weights, tmp_path / "net.pth")
    digest = hashlib.sha256((tmp_path / "net.pth").read_bytes()).hexdigest()
    address = (tmp_path / "net.pth").as_uri()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    assert hub.get_dir() == str(tmp_path / "home" / "hub")
    for _ in range(2):
        found = hub.load_state_dict_from_url(address, progress=False)
        assert found["w"].tolist() == [0.0, 1.0, 2.0]
        (tmp_path / "net.pth").unlink(missing_ok=True)
    assert [path.name for path in (tmp_path / "home/hub/checkpoints").iterdir()] == ["net.pth"]

    td.save(weights, tmp_path / "net.pth")
    name = f"net-{digest[:8]}.pth"
    hub.load_state_dict_from_url(address, tmp_path / "checked", "cpu", False, check_hash=True, file_name=name)
    with pytest.raises(
        RuntimeError, match=f"got content with the SHA-256 {digest}, expected one that begins with 0123"
    ):
        hub.load_url(address, tmp_path / "wrong", progress=False, check_hash=True, file_name="net-0123.pth")
    assert [*(tmp_path / "wrong").iterdir()] == []

    monkeypatch.setattr(hub._Cache, "folder", None)
    hub.set_dir(tmp_path / "other")
    assert hub.get_dir() == str(tmp_path / "other")


# -- mixed precision -----------------------------------------------------------------------------------


def test_autocast_keeps_dtypes_and_says_so_once():
    td.torch.amp._say_once.cache_clear()
    x = td.ones(2, 2)
    with pytest.warns(UserWarning, match="operations keep the dtypes of their tensors") as said:
        for _ in range(2):
            with td.autocast("cpu", dtype=td.float16):
                assert (x @ x).dtype == td.float32
    assert len(said) == 1 and said[0].filename == __file__

    @td.amp.autocast("cuda", enabled=False)
    def double(x):
        return x * 2

    assert double(1) == 2


def test_a_scaler_leaves_out_steps_with_infinite_gradients():
    weight = td.ones(2, requires_grad=True)
    optimizer = td.optim.SGD([weight], lr=0.5)
    scaler = td.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
    for factor, expected, scale in ((1.0, 0.5, 4.0), (np.inf, 0.5, 2.0), (1.0, 0.0, 2.0), (1.0, -0.5, 4.0)):
        optimizer.zero_grad()
        scaler.scale((weight * factor).sum()).backward()
        scaler.unscale_(optimizer)
        assert weight.grad.tolist() == [factor, factor]
        scaler.step(optimizer)
        scaler.update()
        assert weight.tolist() == [expected, expected] and scaler.get_scale() == scale
    other = td.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict()


def test_a_scaler_refuses_calls_out_of_order():
    weight = td.ones(2, requires_grad=True)
    optimizer = td.optim.SGD([weight], lr=0.5)
    scaler = td.amp.GradScaler("cpu")
    with pytest.raises(RuntimeError, match="got no step since the last update"):
        scaler.update()
    scaler.scale(weight.sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="unscale_ was called since the last update"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="got a second step"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="got a closure"):
        scaler.step(optimizer, lambda: 1.0)
    with pytest.raises(RuntimeError, match="got a state without scale"):
        scaler.load_state_dict({})


def test_a_scaler_for_a_gpu_is_not_enabled():
    scaler = td.cuda.amp.GradScaler()
    loss = td.ones(1)
    assert not scaler.is_enabled() and scaler.scale(loss) is loss and scaler.get_scale() == 1.0
    assert scaler.state_dict() == {}


def test_tensorboards_writer_takes_tensors(tmp_path):
    pytest.importorskip("tensorboardX")
    assert output(f"""
import tinygrad_dl.torch
tinygrad_dl.torch.install()
import os, warnings
import torch
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter(log_dir={str(tmp_path)!r}) as writer:
    writer.add_scalar("loss", torch.tensor(1.5, requires_grad=True), 0)
    writer.add_scalars("rates", {{"a": torch.tensor(1.0), "b": 2.0}}, 0)
    writer.add_histogram("weights", torch.randn(5), 0)
    writer.add_image("picture", torch.rand(3, 4, 4), 0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        writer.add_graph(torch.nn.Linear(1, 1), torch.ones(1, 1))
files = [os.path.join(folder, name) for folder, _, names in os.walk({str(tmp_path)!r}) for name in names]
print(b"picture" in b"".join(open(name, "rb").read() for name in files), "nothing is written" in str(said[0].message))
""") == ["True True"]
