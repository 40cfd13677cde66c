"""One model in several processes, each with its share of the batch and the same weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from tinygrad_dl.core.errors import ArgumentError, ArgumentTypeError
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.distributed.groups import resolved
from tinygrad_dl.distributed.memory import require_cpu
from tinygrad_dl.distributed.sharing import broadcast_together
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parallel.agreement import require_one_model
from tinygrad_dl.nn.parallel.buckets import FIRST
from tinygrad_dl.nn.parallel.reducer import NAME, CommHook, Reducer
from tinygrad_dl.nn.parameter import Parameter, is_lazy

MEGABYTE = 2**20


class DistributedDataParallel(Module):
    """A module whose copies in several processes have the same weights and average their gradients.

    At the start the parameters and buffers of rank 0 go to all ranks. Each rank computes with its share of the batch;
    while backward still runs, the gradients are averaged over the ranks, in buckets of several parameters. So each
    optimiser takes the same step, as one process would with the whole batch, if the loss is a mean and the shares are
    of one size.

    Args:
        module: the model, the same on all ranks.
        device_ids, output_device: None, or empty: there are no GPUs.
        dim: has no effect.
        broadcast_buffers: whether buffers, such as running means, are those of rank 0 at the start of each forward.
        init_sync: whether the models are compared, and rank 0's weights go to all, at the start.
        process_group: which ranks; None for all.
        bucket_cap_mb: the size of a bucket in megabytes, 25 by default, the first one 1.
        find_unused_parameters: whether each forward looks for parameters that the result does not depend on. Without
            it all must have a gradient; those that had none are named at the next forward.
        gradient_as_bucket_view: whether each `.grad` is a view of its bucket, which saves a copy and its memory.
        static_graph: what has no gradient in the first pass never has one.

    Raises:
        ValueError: there is no process group, no parameter requires a gradient, or the ranks have different models:
            which parameter, which shapes, which ranks.
        RuntimeError: in forward: a parameter had no gradient in the pass before.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> model = td.nn.parallel.DistributedDataParallel(td.nn.Linear(2, 1))
    >>> model(td.ones(3, 2)).mean().backward()
    >>> model.module.weight.grad, list(model.state_dict())
    (tensor([[1., 1.]]), ['module.weight', 'module.bias'])
    >>> dist.destroy_process_group()

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
    ):
        super().__init__()
        if not isinstance(module, Module):
            raise ArgumentTypeError(f"{NAME}: got {type(module).__name__}, expected a Module")
        if device_ids or output_device is not None:
            raise ArgumentError(f"{NAME}: got device_ids={device_ids}, output_device={output_device}, expected None")
        self.module = module
        self.process_group = resolved(process_group, NAME)
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters, self.static_graph = find_unused_parameters, static_graph
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.require_backward_grad_sync = self.require_forward_param_sync = True
        self.parameters_to_ignore = set(getattr(module, "_ddp_params_and_buffers_to_ignore", ()))
        named = [(name, p) for name, p in module.named_parameters() if name not in self.parameters_to_ignore]
        trained = self._trained()
        if not trained:
            raise ArgumentError(
                f"{NAME}: got a module without parameters that require a gradient, expected one that does"
            )
        for name, parameter in named:
            if is_lazy(parameter):
                raise ArgumentError(
                    f"{NAME}: got {name}, which has no shape yet, expected a forward of the module before"
                )
        for _, tensor in (*named, *self._own_buffers()):
            require_cpu(NAME, tensor)
        if init_sync:
            state = [*named, *self._own_buffers()]
            members = self.process_group.twin()
            require_one_model(NAME, state, members)
            broadcast_together(NAME, [tensor.detach() for _, tensor in state], 0, members)
        self.bucket_cap_mb = bucket_cap_mb
        self._prepare(trained)

    def _prepare(self, trained: Sequence[tuple[str, Parameter]]) -> None:
        """Makes the buckets, and the hooks that fill them."""
        cap = int((25 if self.bucket_cap_mb is None else self.bucket_cap_mb) * MEGABYTE)
        self.reducer = Reducer(
            trained,
            self.process_group.twin(),
            min(FIRST, cap) if self.bucket_cap_mb is None else cap,
            cap,
            self.gradient_as_bucket_view,
            self.find_unused_parameters,
            self.static_graph,
        )

    def _trained(self) -> list[tuple[str, Parameter]]:
        named = self.module.named_parameters()
        return [(name, p) for name, p in named if p.requires_grad and name not in self.parameters_to_ignore]

    def __getstate__(self) -> dict[str, Any]:
        # A copy has buckets of its own, and is of the group of all processes once it is loaded.
        return {
            name: value for name, value in super().__getstate__().items() if name not in ("process_group", "reducer")
        }

    def __setstate__(self, fields: dict[str, Any]) -> None:
        super().__setstate__(fields)
        self.process_group = resolved(None, NAME)
        self._prepare(self._trained())

    def _own_buffers(self) -> list[tuple[str, Tensor]]:
        return [(name, each) for name, each in self.module.named_buffers() if name not in self.parameters_to_ignore]

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module returns; the gradients of what comes of it are averaged."""
        if modes.grad:
            self.reducer.syncs = self.require_backward_grad_sync
            self.reducer.require_finished()
        if self.will_sync_module_buffers():
            self._sync_buffers()
        output = self.module(*inputs, **kwargs)
        self.require_forward_param_sync = modes.grad and self.require_backward_grad_sync
        if self.find_unused_parameters and not self.static_graph and self.require_forward_param_sync:
            self.reducer.look_for_unused(output)
        return output

    def will_sync_module_buffers(self) -> bool:
        """Whether the next forward begins with the buffers of rank 0."""
        return self.broadcast_buffers and self.require_forward_param_sync and bool(self._own_buffers())

    def _sync_buffers(self) -> None:
        broadcast_together(NAME, [each.detach() for _, each in self._own_buffers()], 0, self.process_group.twin())

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside of it gradients add up in each rank; the first pass after it averages the sums.

        The forward must be inside too.

        >>> dist = td.distributed
        >>> dist.init_process_group()
        >>> model = td.nn.parallel.DistributedDataParallel(td.nn.Linear(2, 1))
        >>> with model.no_sync():
        ...     model(td.ones(3, 2)).mean().backward()
        >>> model(td.ones(3, 2)).mean().backward()
        >>> model.module.weight.grad
        tensor([[2., 2.]])
        >>> dist.destroy_process_group()

        Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
        """
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def register_comm_hook(self, state: Any, hook: CommHook) -> None:
        """Has `hook(state, bucket)` exchange the gradients, in the place of the average.

        It gets a `GradBucket` and returns a future of what takes the place of `bucket.buffer()`: `work.get_future()`,
        or what `then` makes of it.

        >>> dist = td.distributed
        >>> dist.init_process_group()
        >>> model = td.nn.parallel.DistributedDataParallel(td.nn.Linear(2, 1))
        >>> def add(state, bucket):
        ...     return dist.all_reduce(bucket.buffer(), async_op=True).get_future()
        >>> model.register_comm_hook(None, add)
        >>> model(td.ones(3, 2)).mean().backward()
        >>> dist.destroy_process_group()

        Source: https://docs.pytorch.org/docs/stable/ddp_comm_hooks.html
        """
        if not callable(hook):
            raise ArgumentTypeError(
                f"register_comm_hook: got {hook!r}, expected a function of a state and a GradBucket"
            )
        if self.reducer.hook is not None:
            raise ArgumentError("register_comm_hook: got a second hook, expected one for each model")
        self.reducer.hook = (hook, state)

    def _set_static_graph(self) -> None:
        self.static_graph = self.reducer.static = True
