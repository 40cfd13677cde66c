"""What a module contains: parameters, buffers and submodules by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.parameter import Parameter

M = TypeVar("M", bound="Members[Any]")


class Members(Generic[M]):
    """The part of `Module` that finds what a module contains; M is the class of modules."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, M | None]
    _non_persistent_buffers_set: set[str]

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, in the order of assignment, each once; of submodules too if `recurse`."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their names, such as "layers.0.weight"."""
        yield from self._named_members(lambda each: each._parameters.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, in the order of registration, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their names."""
        yield from self._named_members(lambda each: each._buffers.items(), prefix, recurse, remove_duplicate)

    def _named_members(
        self,
        get_members_fn: Callable[[Any], Iterable[tuple[str, Any]]],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        """What a function finds in the module and in those in it, with the names; None is left out."""
        seen: set[int] = set()
        found = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, each in found:
            for name, member in get_members_fn(each):
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield f"{path}.{name}" if path else name, member

    def children(self) -> Iterator[M]:
        """The direct submodules, each once."""
        for _, child in self.named_children():
            yield child

    def named_children(self) -> Iterator[tuple[str, M]]:
        """The direct submodules with their names."""
        seen: set[int] = set()
        for name, child in self._modules.items():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def modules(self, remove_duplicate: bool = True) -> Iterator[M]:
        """The module itself and all in it, each once."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, M]]:
        """The module itself (named `prefix`) and all in it, with their paths."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        itself: Any = self  # an M, as `Module` is
        yield prefix, itself
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def get_submodule(self, target: str) -> M:
        """The submodule at a path such as "layers.0"; "" is the module itself.

        Raises:
            AttributeError: there is none.
        """
        found: Any = self
        for name in target.split(".") if target else ():
            inner = getattr(found, name, None)
            if not isinstance(inner, Members):
                raise AttributeError(
                    f"{type(found).__name__}: got submodule {name!r} (in the path {target!r}), expected one of "
                    f"{list(found._modules)}"
                )
            found = inner
        return found  # type: ignore[no-any-return]

    def set_submodule(self, target: str, module: Any, strict: bool = False) -> None:
        """Puts a module at a path such as "layers.0", whose parent must be there.

        Args:
            strict: whether a submodule must be at the path already.

        Raises:
            ValueError: the path is empty, or no module is given.
            AttributeError: there is no parent, something else than a module stands at the path, or nothing if `strict`.

        >>> import tinygrad_dl as td
        >>> model = td.nn.Sequential(td.nn.Linear(2, 2), td.nn.ReLU())
        >>> model.set_submodule("1", td.nn.Tanh())
        >>> model[1]
        Tanh()
        """
        path, _, name = target.rpartition(".")
        if not target or not isinstance(module, Members):
            raise ValueError(
                f"set_submodule: got target={target!r} and {summary(module)}, expected a path and a Module"
            )
        parent: Any = self.get_submodule(path)
        before = getattr(parent, name, None)
        if not isinstance(before, Members) and (strict or hasattr(parent, name)):
            raise AttributeError(
                f"{type(parent).__name__}: got {name!r} (in the path {target!r}), expected a submodule there, one of "
                f"{list(parent._modules)}"
            )
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "layers.0.weight". AttributeError if there is none."""
        found: Parameter = member_at(self, target, "_parameters", "parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path. AttributeError if there is none."""
        found: Tensor = member_at(self, target, "_buffers", "buffer")
        return found


def member_at(module: Members[Any], target: str, registry: str, kind: str) -> Any:
    """The parameter or buffer of a registry that a dotted name leads to."""
    path, _, name = target.rpartition(".")
    owner = module.get_submodule(path)
    if owner.__dict__[registry].get(name) is None:
        known = list(owner.__dict__[registry])
        raise AttributeError(
            f"{type(owner).__name__}: got {kind} {name!r} (in the path {target!r}), expected one of {known}"
        )
    return owner.__dict__[registry][name]
