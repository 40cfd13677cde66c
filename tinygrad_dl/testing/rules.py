"""Checks of each gradient rule by itself: it writes into nothing that it got, and gives a new array each time."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from tinygrad_dl.core.graph import saved_arrays
from tinygrad_dl.testing.call import Call, label
from tinygrad_dl.testing.expect import as_list
from tinygrad_dl.testing.report import CheckError, pasteable
from tinygrad_dl.testing.running import Run, Tally, has_gradient


def check_rules(call: Call, tally: Tally) -> None:
    """The rules of each argument alone, and then all together, are called without the engine."""
    if not has_gradient(call):
        return
    everywhere = call.differentiable()
    alone = [] if call.op.sequence or len(everywhere) == 1 else [[place] for place in everywhere]
    with np.errstate(all="ignore"):
        for places in [*alone, everywhere]:
            check_rule(Run(call.copy(), tally, places=places), " and ".join(repr(label(place)) for place in places))


def check_rule(run: Run, who: str) -> None:
    """Three calls, the second with another gradient: the third gives what the first did, and all is left as it was."""
    node = run.node
    kept = {name: as_list(value) for name, value in zip(node.plan.saves, node.saved, strict=True)}
    before = {name: [bytes_of(each) for each in values] for name, values in kept.items()}
    usual, other = run.weights, run.new_weights(1)

    def results(weights: list[np.ndarray]) -> list[np.ndarray | None]:
        run.weights = [w.copy() for w in weights]
        found = [gx if gx is None else np.asarray(gx) for gx in run.rule_results()]
        for given, now in zip(weights, run.weights, strict=True):
            if given.tobytes() != now.tobytes():
                raise CheckError(
                    f"the rule for {who} writes into g, expected a new array: g is the engine's, and other rules read "
                    f"it; it was {pasteable(given)}, is {pasteable(now)}"
                )
        for name, values in kept.items():
            if [bytes_of(each) for each in values] != before[name]:
                raise CheckError(
                    f"the rule for {who} writes into the value of {name!r} that the node keeps, expected a new array: "
                    f"a second pass, and whoever holds {name!r}, would see it change"
                )
        mine = [*run.weights, *saved_arrays(node.saved)]
        made.append([gx for gx in found if gx is not None and not any(np.may_share_memory(gx, m) for m in mine)])
        return found

    made: list[list[np.ndarray]] = []
    first = [gx if gx is None else gx.copy() for gx in results(usual)]
    results(other)
    third = results(usual)
    if any(np.shares_memory(a, b) for x, y in combinations(made, 2) for a in x for b in y):
        raise CheckError(
            f"the rule for {who} returns an array that it keeps, expected a new one from each call: two calls gave "
            f"the same memory, so a gradient that somebody holds would change with the next pass"
        )
    for a, b in zip(first, third, strict=True):
        if (a is None) != (b is None) or (a is not None and b is not None and a.tobytes() != b.tobytes()):
            raise CheckError(
                f"the rule for {who} is not deterministic: called again with the same g and the same values it gave "
                f"{pasteable(b)}, and {pasteable(a)} before"
            )


def bytes_of(value: object) -> bytes:
    """What an array holds; of anything else nothing."""
    return value.tobytes() if isinstance(value, np.ndarray) else b""
