"""The differences that are meant, as data, each with its reason. `docs/differences.md` says the same to users."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fuzz.compare import Difference
from fuzz.programs import Program, line


@dataclass(frozen=True)
class Meant:
    """Differences of these kinds, where all that is given here fits.

    Args:
        reason: why it is meant.
        kinds: what the difference's kind contains, one of several divided by spaces.
        ops: ops of which the program has one; none for any program.
        ours, theirs: patterns found in what the library gave or said.
        nan: whether PyTorch's side must be no number.
        source: a pattern found in the program.
    """

    reason: str
    kinds: str
    ops: str = ""
    ours: str = ""
    theirs: str = ""
    nan: bool = False
    source: str = ""

    def fits(self, program: Program, difference: Difference) -> bool:
        ops = {step.op for step in program.steps}
        return (
            any(kind in difference.kind for kind in self.kinds.split())
            and (not self.ops or bool(ops & set(self.ops.split())))
            and bool(re.search(self.ours, difference.ours))
            and bool(re.search(self.theirs, difference.theirs))
            and (difference.nan or not self.nan)
            and bool(re.search(self.source, "\n".join(map(line, program.steps))))
        )


IN_PLACE_COMPARISONS = """eq_ ne_ not_equal_ lt_ le_ gt_ ge_ less_ less_equal_ greater_ greater_equal_
logical_and_ logical_or_ logical_xor_ logical_not_"""

CELLS = "RNN RNNCell LSTM LSTMCell GRU GRUCell"

MEANT = (
    # What PyTorch refuses and we compute.
    Meant(
        "PyTorch has no kernel for the dtype",
        "taken",
        theirs="not implemented for|not (yet )?supported|non-complex|not support complex",
    ),
    Meant(
        "PyTorch has no derivative",
        "taken",
        theirs="derivative for|is not differentiable|not support automatic diff|does not require grad",
    ),
    Meant(
        "PyTorch's derivative fails where shapes or dtypes are mixed",
        "taken",
        theirs="doesn't match the broadcast shape|Could this error message be improved|INTERNAL ASSERT",
    ),
    Meant(
        "a node saves what its rules read: nothing of it was changed",
        "taken",
        theirs="modified by an inplace operation",
    ),
    Meant("mixed dtypes are promoted", "taken", theirs="must have the same dtype|expected .* dtype|dtypes match"),
    Meant("a complex number makes a complex tensor", "taken", "scalar_tensor", theirs="without overflow"),
    Meant("a view may leave the graph on its own", "taken", "detach_"),
    Meant("a 0-d tensor has one dimension of size 1", "taken", "repeat_interleave", theirs="Dimension out of range"),
    Meant("groups of one value are 0", "taken", "GroupNorm group_norm", theirs="Expected more than 1 value"),
    Meant(
        "any layout is taken: what does not lie side by side is copied", "taken", "view_as_complex", theirs="stride 1"
    ),
    Meant(
        "a window that covers more than all, with ceil_mode, sees what there is",
        "taken",
        "avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d",
        theirs="smaller than kernel size",
    ),
    Meant("a circle may be cut to nothing", "taken", "pad", theirs="empty dimension"),
    Meant(
        "of no targets there is a second gradient, too", "second taken", theirs="cannot reshape tensor of 0 elements"
    ),
    Meant("numbers are taken where a tensor is expected", "taken", theirs="invalid combination of arguments"),
    Meant("a 0-d tensor is its own mirror image", "taken", "fliplr flipud", theirs=">= [12]-d"),
    Meant("`einsum` makes no views", "taken", "einsum", theirs="a view of a leaf Variable"),
    Meant("nothing is rolled by nothing", "taken", "roll", theirs="`shifts` required"),
    Meant("of no classes there is no margin", "taken", "multilabel_margin_loss", theirs="Expected non-empty"),
    Meant("a slice may be written over itself: its values are read first", "taken", theirs="single memory location"),
    Meant("an edge may be cut to nothing", "taken", "pad", theirs="too small"),
    Meant("a result is rounded to the tensor that it is stored in", "taken", theirs="Bad in-place call"),
    Meant("a float times integers makes floats", "taken", theirs="alpha must not be a floating point"),
    # What we refuse and PyTorch computes.
    Meant("recording in-place changes of views is planned", "refused", ours="recording an in-place change of a view"),
    Meant("a view of what was recorded in place is stale", "refused", ours="a view whose base was changed in place"),
    Meant(
        "a leaf is not changed", "refused", "logical_not_ logical_and_ logical_or_ logical_xor_", ours="a leaf tensor"
    ),
    Meant("PyTorch reads beyond the end", "refused", "take_along_dim", ours="out of bounds"),
    Meant("another value was saved, and then changed in place", "refused", ours="changed in place afterwards"),
    Meant(
        "nothing is changed of a leaf, and still it is refused",
        "refused",
        "setitem",
        ours="a leaf tensor that requires",
    ),
    Meant(
        "a dropout of channels needs channels", "refused", "dropout1d dropout2d dropout3d", ours="expected an input of"
    ),
    Meant(
        "no padding leaves a result of size 0", "refused", ours="gives a result of size|expected output_padding less"
    ),
    Meant(
        "complex numbers are not cut to their real part", "refused", ours="complex values can't be stored in a tensor"
    ),
    Meant("spreads and norms of complex numbers want their parts", "refused", ours="reduce td.view_as_real"),
    Meant("a condition is a bool", "refused", "where", ours="expected a condition of dtype bool"),
    # Other values.
    Meant(
        "limits where PyTorch has no number: inf times a weight of 0",
        "value",
        "interpolate Upsample UpsamplingBilinear2d lerp kl_div scaled_dot_product_attention",
        nan=True,
    ),
    Meant(
        "formulas that do not overflow",
        "value",
        "gelu GELU silu SiLU mish Mish",
        nan=True,
    ),
    Meant("a softplus that does not overflow", "value", "soft_margin_loss SoftMarginLoss", theirs="inf|nan"),
    Meant("gradients of `hypot` at the origin are 0", "value", "hypot hypot_", nan=True),
    Meant("second gradients at the origin are 0", "second", "atan2 arctan2 hypot norm pow ** pow_ **=", nan=True),
    Meant("PyTorch rounds 1/6 to float32", "first plain second", "hardsigmoid Hardsigmoid hardswish Hardswish"),
    Meant(
        "PyTorch returns memory that was never written: no rows have no mean", "value", "multi_margin_loss", ours="nan"
    ),
    Meant(
        "the slope of the loss as computed, with the logarithm clamped at -100",
        "first plain second",
        "binary_cross_entropy",
        theirs="inf",
    ),
    Meant("PyTorch copies where the size stays, whatever the scale", "value", "interpolate Upsample"),
    Meant("PyTorch cuts a threshold to an integer", "value", "threshold Threshold", ours=r"\bu?int\d+ \("),
    Meant(
        "gates are sigmoids of the accuracy of 1, not of their tails, which a quotient of two may show",
        "value",
        "LSTM LSTMCell GRU GRUCell",
        ours="nan",
    ),
    Meant("of equal elements a nan is the largest, and has the gradient", "value", "amax amin", nan=True),
    Meant("a nan is no place where the slope is 0", "value", "relu6 ReLU6 hardtanh Hardtanh", source="nan"),
    Meant("a nan stays a nan", "value", "multilabel_margin_loss MultiLabelMarginLoss multi_margin_loss", ours="nan"),
    Meant("the mean of an infinity is infinite", "value", "std_mean var_mean", nan=True),
    Meant("PyTorch returns memory that was never written: a circle of no elements", "value", "pad", theirs="e-3"),
    Meant("PyTorch has no graph, we have zeros", "kind", "norm", theirs="None", ours=r"\[?\b0"),
    Meant("log 0 times 0 is 0", "value", "poisson_nll_loss PoissonNLLLoss xlogy", nan=True),
    Meant("losses of infinite logits", "value", "binary_cross_entropy_with_logits BCEWithLogitsLoss", nan=True),
    Meant("PyTorch multiplies from left to right, and meets inf * 0", "value", "einsum", nan=True, source="inf"),
    Meant("a refused batch is not counted", "final", "BatchNorm1d BatchNorm2d BatchNorm3d", ours=r"^0 int64"),
    Meant("truths are bools", "dtype", "all any", theirs="uint8"),
    Meant("sums of integers are int64, of a size of 1 too", "dtype", "einsum", ours="int64"),
    Meant("a step of a cell from zeros has no gradient for the weights of its state", "value", CELLS, nan=True),
    Meant("limits at infinity", "value", "softsign Softsign", nan=True, source="inf"),
    Meant("eps decides at a zero vector", "second", "cosine_similarity CosineSimilarity", nan=True),
    Meant("a nan has no sign", "value", "sign sign_", ours="nan"),
    Meant("a 0-d tensor decides no dtype", "dtype", "l1_loss mse_loss L1Loss MSELoss"),
    Meant(
        "PyTorch's batch_norm reads what is not contiguous in another order",
        "first plain second",
        "batch_norm BatchNorm1d BatchNorm2d BatchNorm3d",
        source=r"::2|transpose|permute|expand|flip|swap|moveaxis|movedim|\.[mT]?T\b|rot90",
    ),
    Meant("the sign of a zero", "value", "reciprocal div / /= divide atan2 arctan2 pow **", theirs="inf", ours="inf"),
    Meant("there is no complex number of half precision in NumPy", "dtype", theirs="complex32"),
    # Whether there is a graph.
    Meant("a view of before has no graph of after", "requires_grad", "requires_grad_", source="chunk|split|unbind"),
    Meant("nothing stored, but stored with a graph", "requires_grad", "setitem", source=r"\[False\]"),
    Meant("a comparison has no gradient, in place as elsewhere", "requires_grad kind", IN_PLACE_COMPARISONS),
    Meant("an integer tensor never requires a gradient", "requires_grad", ours=r"\b(bool|u?int\d+) \("),
    Meant("`unique` has no gradient, and PyTorch's raises when it is asked for", "requires_grad", "unique"),
)


def why_meant(program: Program, difference: Difference) -> str | None:
    """The reason of a difference that is meant, or None."""
    return next((meant.reason for meant in MEANT if meant.fits(program, difference)), None)
