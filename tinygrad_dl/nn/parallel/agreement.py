"""Whether all ranks have the same model, before anything of it is exchanged."""

from __future__ import annotations

from collections.abc import Iterable

from tinygrad_dl.core.errors import ArgumentError
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.distributed.objects import gathered
from tinygrad_dl.distributed.process_group import ProcessGroup

SHOWN = 5  # differences that an error lists


def require_one_model(name: str, tensors: Iterable[tuple[str, Tensor]], members: ProcessGroup) -> None:
    """Raises on every rank if the ranks have tensors of other names, shapes or dtypes, and says which and where."""
    own = {title: f"{tuple(tensor.shape)} {tensor.dtype}" for title, tensor in tensors}
    models = gathered(members, own, name)
    if all(list(each.items()) == list(own.items()) for each in models):
        return
    titles = dict.fromkeys(title for each in models for title in each)
    lines = [line for line in (difference(title, models, members) for title in titles) if line]
    if not lines:
        lines = [f"rank {members.ranks[i]}: {', '.join(each)}" for i, each in enumerate(models)]
        raise ArgumentError(
            f"{name}: got the same parameters and buffers in different orders, expected one order on all ranks\n  "
            + "\n  ".join(lines)
        )
    more = f"\n  and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    raise ArgumentError(
        f"{name}: got different models on the ranks, {lines[0]}, expected one; build it of the same numbers everywhere"
        "\n  " + "\n  ".join(lines[:SHOWN]) + more
    )


def difference(title: str, models: list[dict[str, str]], members: ProcessGroup) -> str:
    """What the ranks have under a name, if that is not the same on all."""
    found: dict[str, list[int]] = {}
    for rank, model in zip(members.ranks, models, strict=True):
        found.setdefault(model.get(title, "nothing"), []).append(rank)
    if len(found) == 1:
        return ""
    on = [f"{what} on rank{'s' * (len(ranks) > 1)} {', '.join(map(str, ranks))}" for what, ranks in found.items()]
    return f"{title}: {' and '.join(on)}"
