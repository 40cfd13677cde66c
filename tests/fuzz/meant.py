"""The differences that are meant, as data, each with its reason. `docs/differences.md` says the same to users."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fuzz.compare import Difference
from fuzz.programs import Name, Program, Step, flat, line
from fuzz.running import OURS, perform


def nan_there(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """PyTorch has no number."""
    return bool(np.isnan(theirs).all())


def nan_here(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """We have no number."""
    return bool(np.isnan(ours).all())


def one_nan(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """One of us has no number."""
    return bool((np.isnan(ours) | np.isnan(theirs)).all())


def zero_here(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """We have 0."""
    return not ours.any()


def zero_there(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """PyTorch has 0."""
    return not theirs.any()


def zero_for_nan(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """We have 0, PyTorch no number."""
    return nan_there(ours, theirs) and not ours.any()


def infinite_there(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """PyTorch has overflowed."""
    return not bool(np.isfinite(theirs).any())


def not_finite(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Neither of us has a finite number."""
    return not (np.isfinite(ours) | np.isfinite(theirs)).any()


def permuted(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """The same numbers in another order."""
    return bool(np.array_equal(np.sort(ours), np.sort(theirs), equal_nan=True))


def both_small(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Both are far from the length 1 that a normalised vector has."""
    return bool(((np.abs(ours) < 0.1) & (np.abs(theirs) < 0.1)).all())


def close(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """They agree in single precision."""
    return bool(np.allclose(ours, theirs, 1e-6, 1e-6, equal_nan=True))


def garbage(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """We have no number, and PyTorch one that nobody computed."""
    return nan_here(ours, theirs) and bool((np.abs(theirs) < 1e-300).all() or not np.isfinite(theirs).all())


def states(program: Program) -> Iterator[tuple[Step, list[Any]]]:
    """Each step, and the values of the names that it reads before it is run."""
    scope = OURS.scope()
    with OURS.ready():
        for step in program.steps:
            names = [
                each.text for each in flat((step.args, tuple(v for _, v in step.options))) if isinstance(each, Name)
            ]
            if all(name.split("[")[0] in scope for name in names):
                yield step, [eval(name, scope) for name in names]
            perform(step, scope)


def written_over_itself(program: Program) -> bool:
    """Whether a step changes a tensor in place and reads its memory through another argument."""
    return any(
        step.in_place
        and any(
            np.may_share_memory(values[0].detach().numpy(), v.detach().numpy()) for v in values[1:] if array_like(v)
        )
        for step, values in states(program)
    )


def array_like(value: Any) -> bool:
    return OURS.is_tensor(value)


def changes_a_view_in_the_graph(program: Program) -> bool:
    """Whether a step changes a view that an operation made."""
    return any(step.in_place and values[0]._is_view() and values[0].grad_fn for step, values in states(program))


def strided_parameters(program: Program) -> bool:
    """Whether a step gets a tensor that is not contiguous after its first."""
    return any(not v.is_contiguous() for _, values in states(program) for v in values[1:] if array_like(v))


def zero_before_prelu(program: Program) -> bool:
    """Whether a step is a prelu of an input with a zero."""
    return any(
        program.op_of(step) in ("prelu", "PReLU") and any(bool((v == 0).any()) for v in values if array_like(v))
        for step, values in states(program)
    )


@dataclass(frozen=True)
class Meant:
    """Differences of these kinds, where all that is given here fits.

    Args:
        reason: why it is meant.
        kinds: the difference's kind, one of several; of gradients with "first-", "second-" in front, of what is left at
            the end with "final-".
        ops: what the differing step does, one of several; of gradients, what a step of the smallest program does.
        ours, theirs: patterns found in what the library gave or said.
        wrong: what holds for the elements that differ.
        source: a pattern found in the program.
        holds: what holds for the program.
    """

    reason: str
    kinds: str
    ops: str = ""
    ours: str = ""
    theirs: str = ""
    wrong: Callable[[np.ndarray, np.ndarray], bool] | None = None
    source: str = ""
    holds: Callable[[Program], bool] | None = None

    def fits(self, program: Program, difference: Difference) -> bool:
        kind = difference.kind.replace("plain ", "first ").replace(" ", "-")
        ops = set(program.ops()) if difference.of_gradients else {difference.op}
        return (
            kind in self.kinds.split()
            and (not self.ops or bool(ops & set(self.ops.split())))
            and bool(re.search(self.ours, difference.ours))
            and bool(re.search(self.theirs, difference.theirs))
            and (self.wrong is None or (difference.wrong is not None and self.wrong(*difference.wrong)))
            and bool(re.search(self.source, "\n".join(map(line, program.steps))))
            and (self.holds is None or self.holds(program))
        )


IN_PLACE_COMPARISONS = """eq_ ne_ not_equal_ lt_ le_ gt_ ge_ less_ less_equal_ greater_ greater_equal_
logical_and_ logical_or_ logical_xor_ logical_not_"""
CELLS = "RNN RNNCell LSTM LSTMCell GRU GRUCell"
BATCH_NORM = "batch_norm BatchNorm1d BatchNorm2d BatchNorm3d"
POOLS = "avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d AvgPool1d AvgPool2d AvgPool3d"
INTERPOLATE = "interpolate Upsample UpsamplingNearest2d UpsamplingBilinear2d"
MARGIN = "multi_margin_loss MultiMarginLoss multilabel_margin_loss MultiLabelMarginLoss"
POWERS = "pow pow_ ** **= float_power"

MEANT = (
    # What PyTorch refuses and we compute.
    Meant(
        "PyTorch has no kernel for the dtype",
        "taken first-taken second-taken",
        theirs=r"\" not implemented for '|is not implemented for tensors with non-complex"
        "|does not support complex inputs|expected input to have floating point or complex"
        "|In-place abs is not supported for complex|Boolean inputs not supported for relu"
        "|does not support bool dtypes|Unsupported input type encountered for isin",
    ),
    Meant(
        "pieces may have sizes of their own",
        "taken",
        "unsafe_split",
        theirs="argument 'split_size'",
    ),
    Meant(
        "pieces from unsafe_* have memory of their own",
        "value first-value second-value final-value final-requires_grad",
        source=r"unsafe_(split|chunk)(.|\n)*(\w_\(|[-+*/%&|^]= |\] = )",
    ),
    Meant(
        "td.max_pool*d takes what its form in nn.functional takes",
        "taken",
        "max_pool1d max_pool2d max_pool3d",
        theirs="unexpected keyword argument 'return_indices'",
    ),
    Meant(
        "targets have gradients too",
        "taken",
        "soft_margin_loss SoftMarginLoss",
        theirs="is not differentiable with respect to argument 'target'",
    ),
    Meant(
        "statistics were constants when they were read",
        "first-taken second-taken",
        BATCH_NORM,
        theirs="is not differentiable with respect to argument 'running_",
        source="requires_grad_",
    ),
    Meant(
        "bools are 0 and 1 in a subtraction",
        "taken",
        "sub sub_ subtract subtract_ - -= rsub",
        theirs="with (a|two) bool tensors? is not supported",
    ),
    Meant(
        "PyTorch has no derivative",
        "taken first-taken second-taken",
        theirs=r"[Dd]erivative for .* is not implemented"
        "|not support automatic differentiation",
    ),
    Meant(
        "PyTorch's derivative fails where shapes or dtypes are mixed",
        "taken first-taken second-taken",
        theirs="doesn't match the broadcast shape|input_is_complex == grad_is_complex|INTERNAL ASSERT"
        "|Autograd not support dtype|view size is not compatible with input tensor"
        "|grad_input must be contiguous|Found dtype .* but expected",
    ),
    Meant(
        "a node saves what its rules read: nothing of it was changed",
        "first-taken",
        theirs="has been modified by an inplace operation|saved tensor that has been detached in-place",
    ),
    Meant(
        "mixed dtypes are promoted",
        "taken",
        theirs="have (the )?same dtype|source and destination dtypes match|expected scalar type .* but found"
        "|to have the same dtype|expected (self and source|both inputs) to have same dtype",
    ),
    Meant(
        "a view of what has just joined the graph is no leaf",
        "taken",
        theirs="a leaf Variable that requires grad is being used",
        holds=changes_a_view_in_the_graph,
    ),
    Meant("a result is rounded to the tensor that it is stored in", "taken", theirs="Bad in-place call"),
    Meant("a float times integers makes floats", "taken", theirs="alpha must not be a floating point"),
    Meant("numbers are taken where a tensor is expected", "taken", theirs="invalid combination of arguments"),
    Meant("a view may leave the graph on its own", "taken", "detach_", theirs="Can't detach views in-place"),
    Meant(
        "pieces of a tensor may be changed in place",
        "taken",
        theirs="is the output of a function that returns multiple views",
    ),
    Meant("groups of one value are 0", "taken", "GroupNorm group_norm", theirs="Expected more than 1 value"),
    Meant("any layout is taken: what does not lie side by side is copied", "taken", "view_as_complex", theirs="stride"),
    Meant(
        "a window that covers more than all, with ceil_mode, sees what there is",
        "taken",
        POOLS,
        theirs="smaller than kernel size",
        source="ceil_mode|padding",
    ),
    Meant(
        "an empty tensor is padded to an empty one",
        "taken",
        "pad",
        theirs="empty dimension|too small|possibly 0 batch size",
        ours=r"^\[\] ",
    ),
    Meant(
        "of nothing there are no statistics",
        "taken",
        BATCH_NORM,
        ours=r"^\[\] ",
        theirs="out of range|Expected more than 1 value",
    ),
    Meant(
        "of no targets there is a second gradient, too", "second-taken", theirs="cannot reshape tensor of 0 elements"
    ),
    Meant("a 0-d tensor is its own mirror image", "taken", "fliplr flipud", theirs=">= [12]-d"),
    Meant("`einsum` makes no views", "taken", "einsum", theirs="a view of a leaf Variable"),
    Meant("nothing is rolled by nothing", "taken", "roll", theirs="`shifts` required"),
    Meant("of nothing there is a power", "taken", POWERS, ours=r"^\[\] ", theirs="negative integer powers"),
    Meant("of no classes there is no margin", "taken", MARGIN, theirs="Expected non-empty"),
    Meant("a norm is over any dimensions", "taken", "norm", theirs="linalg.matrix_norm: dim must be a 2-tuple"),
    Meant(
        "a tensor may be written over a part of itself: the values are read first",
        "taken",
        theirs="refer to a single memory location",
    ),
    Meant(
        "a tensor may be written over a part of itself: the values are read first",
        "value",
        "index_put_ setitem index_add_ scatter_add_ add_ sub_ mul_ div_ subtract_ multiply_ divide_ += -= *= /= copy_"
        f" addcmul_ addcdiv_ lerp_ {IN_PLACE_COMPARISONS}",
        holds=written_over_itself,
    ),
    Meant(
        "a tensor may be written over itself: the values are read first",
        "value",
        "masked_scatter_ scatter_ scatter_add_ index_copy_ index_add_ index_put_",
        holds=written_over_itself,
    ),
    # What we refuse and PyTorch computes.
    Meant(
        "where elements share memory nothing is written",
        "refused",
        ours="read-only",
        source=r"\b(expand|expand_as|broadcast_to|broadcast_tensors|meshgrid|unfold)\(",
    ),
    Meant(
        "a leaf is not changed, not even to what has no gradient",
        "refused",
        IN_PLACE_COMPARISONS,
        ours="a leaf tensor that requires",
    ),
    Meant(
        "a leaf is not changed, not even where nothing is stored",
        "refused",
        "setitem",
        ours="a leaf tensor that requires",
    ),
    Meant(
        "a circle is repeated once, and PyTorch returns memory that was never written beyond that",
        "refused value",
        "pad",
        ours="to a side of a dimension of size .* in mode 'circular'",
    ),
    Meant(
        "indices are looked at even where nothing is picked or stored",
        "refused",
        "index_fill index_fill_ index_copy index_copy_ index_add index_add_ getitem setitem index_put index_put_ gather"
        " index_select take",
        ours="out of bounds",
        theirs=r"^\[\] ",
    ),
    Meant(
        "indices are looked at: PyTorch's are of another element",
        "refused",
        "unravel_index",
        ours="out of bounds",
    ),
    Meant("of no elements there is no median", "refused", "median nanmedian", ours="got no elements"),
    Meant("dims are looked at even where nothing is rolled", "refused", "roll", ours="got dim", theirs=r"^\[\] "),
    Meant(
        "sums and products of bools are int64, in place too",
        "refused",
        "cumsum_ cumprod_",
        ours="result of dtype int64.* stored in place in dtype bool",
    ),
    Meant(
        "a bound that the dtype cannot hold is an error",
        "refused",
        "clamp clamp_ clamp_min clamp_min_ clamp_max clamp_max_ clip clip_ where",
        ours="out of bounds for|can hold",
    ),
    Meant("PyTorch reads beyond the end", "refused", "take_along_dim", ours="out of bounds"),
    Meant(
        "another value was saved, and then changed in place",
        "first-refused",
        ours="a value of shape .* that was changed in place afterwards",
    ),
    Meant(
        "no padding leaves a result of size 0",
        "refused",
        "conv_transpose1d conv_transpose2d conv_transpose3d ConvTranspose1d ConvTranspose2d ConvTranspose3d",
        ours="gives a result of size|expected output_padding less",
    ),
    Meant("complex numbers are not cut to their real part", "refused", ours="got complex numbers, expected real ones"),
    Meant("a condition is a bool", "refused", "where", ours="expected a condition of dtype bool"),
    Meant(
        "integers have no reciprocal: PyTorch's is 0",
        "refused",
        POWERS,
        ours="Integers to negative integer powers are not allowed",
    ),
    Meant(
        "a result may lie in memory in another order",
        "refused",
        "view view_as",
        ours="a tensor of shape .* with strides .* without a copy",
    ),
    Meant(
        "a result may lie in memory in another order, and then be copied or not",
        "final-value",
        "contiguous reshape flatten ravel",
        source=r"transpose|permute|swap|moveaxis|movedim|\.[mT]?T\b",
    ),
    # Other values: infinities, nan and zeros.
    Meant(
        "an infinity or nan without a share in a result leaves it alone",
        "value first-value second-value",
        f"{INTERPOLATE} lerp scaled_dot_product_attention",
        wrong=nan_there,
    ),
    Meant("a nan is not masked out", "value first-value second-value", "scaled_dot_product_attention", wrong=nan_here),
    Meant("the target's gradient at 0 is the limit", "first-value", "kl_div KLDivLoss", wrong=nan_there),
    Meant(
        "formulas that do not overflow",
        "value first-value second-value",
        "gelu GELU silu SiLU mish Mish softsign Softsign",
        wrong=nan_there,
    ),
    Meant(
        "a softplus that does not overflow",
        "value first-value",
        "soft_margin_loss SoftMarginLoss",
        wrong=infinite_there,
    ),
    Meant(
        "at its threshold a softplus has the second derivative of its smooth side",
        "second-value",
        "softplus Softplus",
        source="threshold=",
    ),
    Meant("no threshold cuts a softplus", "first-value second-value", "softplus Softplus", wrong=close),
    Meant("gradients of `hypot` at the origin are 0", "first-value second-value", "hypot hypot_", wrong=nan_there),
    Meant(
        "eps decides at a zero vector",
        "second-value",
        "cosine_similarity CosineSimilarity cosine_embedding_loss CosineEmbeddingLoss normalize",
        wrong=nan_there,
    ),
    Meant(
        "beside a zero vector a second derivative in single precision is what is left of numbers of 1e12",
        "second-value",
        "cosine_embedding_loss CosineEmbeddingLoss",
        source=r"0\.0\b(.|\n)*float(32|16)",
    ),
    Meant("a term of -inf has no second gradient", "second-value", "logaddexp logaddexp2 logsumexp", wrong=nan_there),
    Meant(
        "half precision is worked out in float32, and its numbers are not rounded first",
        "value first-value second-value",
        "logit normalize pairwise_distance PairwiseDistance",
        source="float16|half",
    ),
    Meant(
        "half precision is worked out in float32, where a square does not overflow",
        "first-value second-value",
        "div div_ / /= divide divide_ true_divide true_divide_ reciprocal reciprocal_ cosine_similarity"
        " CosineSimilarity",
        source="float16|half",
        wrong=infinite_there,
    ),
    Meant("sorting is stable", "first-value second-value", "sort msort", wrong=permuted),
    Meant(
        "second gradients at the origin are 0",
        "second-value",
        f"atan2 atan2_ arctan2 arctan2_ norm normalize std std_mean {POWERS}",
        wrong=zero_for_nan,
    ),
    Meant(
        "the slope of the loss as computed, with the logarithm clamped at -100",
        "first-value second-value",
        "binary_cross_entropy BCELoss",
        theirs="inf",
    ),
    Meant(
        "the second slope of the loss at 0 and 1 is that of a division by 1e-12",
        "second-value",
        "binary_cross_entropy BCELoss",
        source=r"\b[01]\.0\b",
    ),
    Meant(
        "normalised values times an infinite gradient",
        "first-value second-value",
        "GroupNorm group_norm LayerNorm layer_norm InstanceNorm1d InstanceNorm2d InstanceNorm3d instance_norm "
        f"{BATCH_NORM}",
        wrong=infinite_there,
    ),
    Meant("PyTorch rounds 1e-12 to float32", "first-value second-value", "binary_cross_entropy BCELoss", wrong=close),
    Meant(
        "PyTorch rounds 1/6 to float32",
        "first-value second-value",
        "hardsigmoid Hardsigmoid hardswish Hardswish",
        wrong=close,
    ),
    Meant("the mean of an infinity is infinite", "value", "std_mean var_mean", wrong=nan_there, ours="inf"),
    Meant(
        "log 0 times 0 is 0",
        "value first-value second-value",
        "poisson_nll_loss PoissonNLLLoss xlogy xlogy_ binary_cross_entropy BCELoss",
        wrong=nan_there,
    ),
    Meant(
        "probability 0 costs nothing, and so do no classes",
        "value first-value",
        "cross_entropy CrossEntropyLoss nll_loss NLLLoss",
        wrong=nan_there,
    ),
    Meant(
        "losses of infinite logits",
        "value first-value",
        "binary_cross_entropy_with_logits BCEWithLogitsLoss",
        wrong=nan_there,
    ),
    Meant(
        "which inf * 0 a product of many meets hangs on the order",
        "value first-value second-value",
        "einsum",
        wrong=one_nan,
        source="inf",
    ),
    Meant(
        "gates are sigmoids of the accuracy of 1, not of their tails, which a quotient of two may show",
        "first-value second-value",
        "LSTM LSTMCell GRU GRUCell",
        wrong=nan_here,
    ),
    Meant(
        "of equal elements a nan is the largest, and has the gradient",
        "first-value",
        "amax amin aminmax",
        wrong=nan_there,
    ),
    Meant(
        "a slope at nan is that of the piece that goes on",
        "first-value second-value",
        "relu6 ReLU6 hardtanh Hardtanh hardshrink Hardshrink softshrink Softshrink hardswish Hardswish",
        theirs=r"\b0\.",
        source="nan|inf|log|/",
    ),
    Meant(
        "nan goes on",
        "value first-value second-value",
        "sign sign_ sgn sgn_ abs absolute norm l1_loss L1Loss smooth_l1_loss SmoothL1Loss huber_loss HuberLoss"
        f" pairwise_distance PairwiseDistance elu elu_ ELU celu CELU selu SELU relu6 ReLU6 hardtanh Hardtanh"
        f" hardshrink Hardshrink softshrink Softshrink hardswish Hardswish {MARGIN}",
        ours="nan",
    ),
    Meant(
        "PyTorch returns memory that was never written: of no rows there is no mean",
        "value",
        MARGIN,
        wrong=garbage,
    ),
    Meant(
        "without degrees of freedom there is no gradient", "first-value", "var std var_mean std_mean", wrong=nan_here
    ),
    Meant(
        "the gradient of a product is a quotient, and has no value beside nan or an infinity",
        "first-value second-value",
        "prod cumprod cumprod_",
        wrong=nan_here,
    ),
    Meant("numbers from an infinity or nan on are none", "value", "linspace", source=r"linspace\(.*(inf|nan)"),
    Meant(
        "a step of a cell from zeros has no gradient for the weights of its state",
        "first-value second-value",
        CELLS,
        wrong=nan_there,
        source=r"\b(inf|nan)\b|/|log|exp|sqrt",
    ),
    # Other values: PyTorch's own slips.
    Meant(
        "PyTorch copies or doubles where the size does, whatever the scale, in two of its three kernels",
        "value first-value second-value",
        "interpolate Upsample",
        source="scale_factor",
    ),
    Meant(
        "PyTorch negates unsigned integers in a derivative",
        "first-value second-value",
        "atan2 arctan2 atan2_ arctan2_",
        source="uint8",
    ),
    Meant("a threshold need not be an integer", "taken", "threshold Threshold", theirs="without overflow"),
    Meant("PyTorch cuts a threshold to an integer", "value", "threshold Threshold", ours=r"\bu?int\d+ \("),
    Meant(
        "PyTorch's batch_norm reads weights and statistics that are not contiguous as if they were",
        "value first-value second-value",
        BATCH_NORM,
        holds=strided_parameters,
    ),
    Meant("0 to the power of 0 is 1, of complex numbers too", "value first-value", POWERS, wrong=nan_there),
    Meant("a complex power of infinite parts", "value", POWERS, ours="complex", wrong=nan_here),
    Meant(
        "a complex product with an infinity is C's, or that of the BLAS",
        "first-value",
        "square square_ linear",
        ours="complex",
        source=r"\binf\b",
        wrong=not_finite,
    ),
    Meant(
        "0 over an infinite complex number is 0",
        "first-value",
        "sqrt sqrt_ rsqrt rsqrt_",
        ours="complex",
        source=r"\binf\b",
        wrong=zero_for_nan,
    ),
    Meant(
        "normalize divides what rounding leaves of equal values by eps",
        "value",
        "normalize",
        source="[nN]orm[0-9(]|_norm",
        wrong=both_small,
    ),
    Meant(
        "at equal points a distance has a second derivative of 0",
        "second-value",
        "triplet_margin_loss TripletMarginLoss triplet_margin_with_distance_loss TripletMarginWithDistanceLoss",
        wrong=nan_there,
    ),
    Meant(
        "limits may be negative for unsigned integers",
        "taken",
        "hardtanh hardtanh_ Hardtanh",
        theirs="an unsigned type with negative limits",
    ),
    Meant(
        "the second derivative of a power at an exponent of 0 is not masked",
        "second-value",
        POWERS,
        wrong=zero_there,
        source=r"\b0[.]0\b",
    ),
    Meant("second derivatives of powers at 0", "second-value", POWERS, wrong=nan_there),
    Meant(
        "PyTorch's second pass through prelu is on the other side at 0",
        "second-value",
        "prelu PReLU",
        holds=zero_before_prelu,
    ),
    Meant(
        "the second derivative of a power does not know where its first one was masked",
        "second-value",
        POWERS,
        wrong=zero_there,
    ),
    Meant(
        "integers compare by their values: PyTorch cuts the number to the tensor's dtype",
        "value",
        f"eq ne not_equal lt le gt ge less less_equal greater greater_equal == != < <= > >= {IN_PLACE_COMPARISONS}",
        source="uint8",
    ),
    # Other dtypes and kinds.
    Meant("truths are bools", "dtype", "all any", ours="bool", theirs="uint8"),
    Meant("sums of integers are int64, of a size of 1 too", "dtype", "einsum", ours="int64"),
    Meant(
        "mixed dtypes are promoted: PyTorch's weight or 0-d input decides nothing",
        "dtype",
        "binary_cross_entropy_with_logits"
        " binary_cross_entropy l1_loss mse_loss huber_loss smooth_l1_loss L1Loss MSELoss HuberLoss SmoothL1Loss",
    ),
    Meant(
        "mixed dtypes are promoted: PyTorch's empty product has the dtype of one factor",
        "dtype",
        "bmm baddbmm matmul @",
        source=r"T\.zeros\(\(.*\b0\b",
    ),
    Meant("there is no complex number of half precision in NumPy", "dtype", ours="complex64", theirs="complex32"),
    Meant(
        "floor_divide has zero gradients",
        "first-kind",
        "floor_divide floor_divide_ // //=",
        ours=r"\b0\.",
        theirs="^None",
    ),
    Meant("PyTorch has no graph, we have zeros", "first-kind", "norm", ours=r"\[?\b0", theirs="^None"),
    # Whether there is a graph, and what is left at the end.
    Meant(
        "an integer tensor never requires a gradient", "requires_grad final-requires_grad", ours=r"\b(bool|u?int\d+) \("
    ),
    Meant(
        "a comparison has no gradient, in place as elsewhere",
        "requires_grad final-requires_grad first-kind",
        IN_PLACE_COMPARISONS,
    ),
    Meant("a comparison has no gradient, in place as elsewhere", "first-value", IN_PLACE_COMPARISONS, wrong=zero_here),
    Meant(
        "PyTorch's normalisation returns a view, whose views do not follow when it begins to require a gradient",
        "final-requires_grad",
        ours="requires_grad$",
        source=r"norm\w*\((.|\n)*requires_grad_\(|Norm(.|\n)*requires_grad_\(",
    ),
    Meant("the limit at infinity", "value", "polygamma", wrong=nan_there, ours=r"-?0\."),
    Meant("nans are distinct, and of no order", "value", "unique", source=r"\bnan\b|/|log|sqrt|inf"),
    Meant("what is taken out of the graph leaves its views there", "final-requires_grad", source=r"\.detach_\(\)"),
    Meant("PyTorch's trigamma has nine digits", "first-value second-value", "lgamma digamma polygamma", wrong=close),
    Meant(
        "rounding decides whether a probability is beyond 1",
        "refused",
        "binary_cross_entropy BCELoss",
        ours=r"numbers from .* to 1\.00000",
    ),
    Meant("`unique` has no gradient, and PyTorch's raises when it is asked for", "requires_grad", "unique"),
    Meant("nothing stored, but stored with a graph", "requires_grad first-kind", "setitem", source=r"\[False\]"),
    Meant("a refused batch is not counted", "final-kind final-value", BATCH_NORM, ours=r"^0 int64"),
    Meant(
        "a conjugate is a copy: it does not follow what is changed in place after it was taken",
        "value requires_grad first-value second-value final-value final-requires_grad",
        source=r"\.(conj|H|mH|adjoint)\b(.|\n)*(\w_\(|[-+*/%&|^]= |\] = )",
    ),
    Meant("what does not lie side by side is copied", "final-value final-requires_grad", "view_as_complex"),
    Meant("bools are 0 and 1 in a subtraction, in place too", "final-value", source=r"-=|\.sub_|\.subtract_"),
)


def why_meant(program: Program, difference: Difference) -> str | None:
    """The reason of a difference that is meant, or None."""
    return next((meant.reason for meant in MEANT if meant.fits(program, difference)), None)
