"""Which names are in the files of operations that are loaded at first use.

Written by docs/make_lazy_names.py. Of each file: the keys of its ops, the methods of Tensor, the functions of NumPy
that it computes, and what namespaces have of it.
"""

# fmt: off
FILES: dict[str, dict[str, str]] = {
    "core.printing": {
        "methods": "__repr__ _repr_html_",
    },
    "ops._numpy.choosing": {
        "numpy": "np.apply_along_axis np.choose np.piecewise np.select",
    },
    "ops._numpy.counts": {
        "numpy": "np.bincount np.histogram np.histogram2d np.histogramdd",
    },
    "ops._numpy.elementwise": {
        "numpy": "np.divmod np.fabs np.matvec np.modf np.nan_to_num np.positive np.real_if_close np.vecdot np.vecmat",
    },
    "ops._numpy.joining": {
        "numpy": "np.append np.array_split np.block np.dsplit np.hsplit np.pad np.unstack np.vsplit",
    },
    "ops._numpy.linalg": {
        "numpy":
            "np.cross np.linalg.cholesky np.linalg.cross np.linalg.det np.linalg.diagonal np.linalg.inv "
            "np.linalg.lstsq np.linalg.matmul np.linalg.matrix_norm np.linalg.matrix_transpose np.linalg.norm "
            "np.linalg.outer np.linalg.qr np.linalg.slogdet np.linalg.solve np.linalg.svd np.linalg.svdvals "
            "np.linalg.tensordot np.linalg.trace np.linalg.vecdot np.linalg.vector_norm",
    },
    "ops._numpy.missing": {
        "numpy": "np.nancumprod np.nancumsum np.nanmax np.nanmean np.nanmin np.nanprod np.nanstd np.nansum np.nanvar",
    },
    "ops._numpy.moving": {
        "numpy":
            "np.compress np.copyto np.delete np.extract np.fill_diagonal np.insert np.partition np.place np.put "
            "np.put_along_axis np.putmask np.resize np.sort_complex np.trim_zeros",
    },
    "ops._numpy.polynomials": {
        "numpy":
            "np.poly np.polyadd np.polyder np.polydiv np.polyfit np.polyint np.polymul np.polysub np.polyval np.roots",
    },
    "ops._numpy.quantiles": {
        "numpy": "np.median np.nanmedian np.nanpercentile np.nanquantile np.percentile np.quantile",
    },
    "ops._numpy.reductions": {
        "numpy":
            "np.add.accumulate np.add.reduce np.all np.amax np.amin np.any np.apply_over_axes np.average "
            "np.count_nonzero np.logaddexp.reduce np.logical_and.reduce np.logical_or.reduce np.max np.maximum.reduce "
            "np.mean np.min np.minimum.reduce np.multiply.accumulate np.multiply.reduce np.prod np.ptp np.std np.sum "
            "np.var",
    },
    "ops._numpy.series": {
        "numpy":
            "np.convolve np.correlate np.cumulative_prod np.cumulative_sum np.diff np.ediff1d np.geomspace np.interp "
            "np.linspace np.logspace np.unwrap",
    },
    "ops._numpy.sets": {
        "numpy":
            "np.intersect1d np.setdiff1d np.setxor1d np.union1d np.unique np.unique_all np.unique_counts "
            "np.unique_inverse np.unique_values",
    },
    "ops._numpy.shapes": {
        "numpy":
            "np.atleast_1d np.atleast_2d np.atleast_3d np.diagflat np.expand_dims np.full_like np.ix_ "
            "np.lib.stride_tricks.sliding_window_view np.meshgrid np.ndim np.ones_like np.rollaxis np.shape np.size "
            "np.zeros_like",
    },
    "ops.activation.elu": {
        "ops": "celu elu selu",
        "methods": "celu celu_ selu selu_",
        "tinygrad_dl": "celu selu",
        "tinygrad_dl.nn.functional": "celu elu selu",
    },
    "ops.activation.gelu": {
        "ops": "gelu",
    },
    "ops.activation.glu": {
        "tinygrad_dl.nn.functional": "glu",
    },
    "ops.activation.gumbel_softmax": {
        "tinygrad_dl.nn.functional": "gumbel_softmax",
    },
    "ops.activation.hard": {
        "ops": "hardsigmoid hardswish hardtanh",
        "tinygrad_dl.nn.functional": "hardsigmoid hardswish hardtanh",
    },
    "ops.activation.inplace": {
        "tinygrad_dl.nn.functional": "celu_ elu_ hardtanh_ leaky_relu_ relu_ rrelu_ selu_ threshold_",
    },
    "ops.activation.relu": {
        "ops": "leaky_relu prelu relu threshold",
        "methods": "prelu relu relu_",
        "tinygrad_dl": "prelu relu threshold",
    },
    "ops.activation.rrelu": {
        "tinygrad_dl.nn.functional": "rrelu",
    },
    "ops.activation.shrink": {
        "ops": "hardshrink softshrink tanhshrink",
        "methods": "hardshrink",
        "tinygrad_dl": "hardshrink",
        "tinygrad_dl.nn.functional": "hardshrink softshrink tanhshrink",
    },
    "ops.activation.sigmoid": {
        "ops": "logsigmoid sigmoid",
        "methods": "sigmoid sigmoid_",
        "tinygrad_dl": "sigmoid",
        "tinygrad_dl.special": "expit",
    },
    "ops.activation.silu": {
        "ops": "mish silu",
    },
    "ops.activation.softmax": {
        "ops": "log_softmax softmax",
        "methods": "log_softmax softmax",
        "tinygrad_dl": "log_softmax softmax",
        "tinygrad_dl.special": "log_softmax softmax",
    },
    "ops.activation.softplus": {
        "ops": "softplus softsign",
    },
    "ops.attention.attention": {
        "ops": "scaled_dot_product_attention",
    },
    "ops.attention.multi_head": {
        "tinygrad_dl.nn.functional": "multi_head_attention_forward",
    },
    "ops.comparison.elementwise": {
        "ops": "eq ge gt isclose isfinite isinf isnan isneginf isposinf le lt ne signbit",
        "methods":
            "__eq__ __ge__ __gt__ __ieq__ __ige__ __igt__ __ile__ __ilt__ __ine__ __le__ __lt__ __ne__ eq eq_ ge ge_ "
            "greater greater_ greater_equal greater_equal_ gt gt_ isclose isfinite isinf isnan isneginf isposinf le "
            "le_ less less_ less_equal less_equal_ lt lt_ ne ne_ not_equal not_equal_ signbit",
        "numpy":
            "np.equal np.greater np.greater_equal np.isclose np.isfinite np.isinf np.isnan np.isneginf np.isposinf "
            "np.less np.less_equal np.not_equal np.signbit",
        "tinygrad_dl":
            "eq ge greater greater_equal gt isclose isfinite isinf isnan isneginf isposinf le less less_equal lt ne "
            "not_equal signbit",
    },
    "ops.comparison.logical": {
        "ops": "logical_and logical_not logical_or logical_xor",
        "methods": "logical_and logical_and_ logical_not logical_not_ logical_or logical_or_ logical_xor logical_xor_",
        "numpy": "np.logical_and np.logical_not np.logical_or np.logical_xor",
        "tinygrad_dl": "logical_and logical_not logical_or logical_xor",
    },
    "ops.comparison.whole": {
        "methods": "allclose equal is_nonzero isin",
        "tinygrad_dl": "allclose equal is_nonzero isin",
    },
    "ops.convolution._convolution": {
        "ops": "convolution convolution_transpose convolution_weight",
    },
    "ops.convolution.fold": {
        "ops": "fold unfold",
        "tinygrad_dl.nn.functional": "fold unfold",
    },
    "ops.distance._pairs": {
        "ops": "cdist",
    },
    "ops.distance.distance": {
        "tinygrad_dl.nn.functional": "cosine_similarity pairwise_distance pdist",
    },
    "ops.dropout.alpha_dropout": {
        "tinygrad_dl.nn.functional": "alpha_dropout feature_alpha_dropout",
    },
    "ops.dropout.dropout": {
        "ops": "dropout",
    },
    "ops.embedding.embedding": {
        "ops": "embedding embedding_backward one_hot",
    },
    "ops.embedding.embedding_bag": {
        "tinygrad_dl.nn.functional": "embedding_bag",
    },
    "ops.fft._linear": {
        "ops": "fft_c2c fft_c2r fft_r2c",
    },
    "ops.fft.frequencies": {
        "numpy": "np.fft.fftshift np.fft.ifftshift",
        "tinygrad_dl.fft": "fftfreq fftshift ifftshift rfftfreq",
    },
    "ops.fft.transforms": {
        "numpy":
            "np.fft.fft np.fft.fft2 np.fft.fftn np.fft.hfft np.fft.ifft np.fft.ifft2 np.fft.ifftn np.fft.ihfft "
            "np.fft.irfft np.fft.irfft2 np.fft.irfftn np.fft.rfft np.fft.rfft2 np.fft.rfftn",
        "tinygrad_dl.fft":
            "fft fft2 fftn hfft hfft2 hfftn ifft ifft2 ifftn ihfft ihfft2 ihfftn irfft irfft2 irfftn rfft rfft2 rfftn",
    },
    "ops.indexing.diagonal": {
        "ops": "diagonal embed_diagonal",
        "methods": "diag diag_embed diagflat diagonal fill_diagonal_",
        "numpy": "np.diag np.diagonal",
        "tinygrad_dl": "diag diag_embed diagflat diagonal",
    },
    "ops.indexing.gather": {
        "ops": "gather scatter scatter_add",
        "methods": "gather scatter_add scatter_add_ take take_along_dim",
        "numpy": "np.take np.take_along_axis",
        "tinygrad_dl": "gather scatter_add take take_along_dim",
    },
    "ops.indexing.masked": {
        "ops": "masked_fill",
        "methods": "masked_fill masked_fill_ masked_scatter masked_scatter_ masked_select",
        "tinygrad_dl": "masked_fill masked_scatter masked_select",
    },
    "ops.indexing.nonzero": {
        "methods": "argwhere nonzero nonzero_static",
        "tinygrad_dl": "argwhere nonzero nonzero_static unravel_index",
    },
    "ops.indexing.scatter_reduce": {
        "ops": "scatter_extreme scatter_product",
        "methods": "index_reduce index_reduce_ scatter scatter_ scatter_reduce scatter_reduce_",
        "tinygrad_dl": "index_reduce scatter scatter_reduce",
    },
    "ops.indexing.slices": {
        "ops": "index_add index_select",
        "methods":
            "index_add index_add_ index_copy index_copy_ index_fill index_fill_ index_put index_put_ index_select "
            "narrow put put_ select",
        "tinygrad_dl": "index_add index_copy index_fill index_put index_select narrow put select",
    },
    "ops.indexing.triangular": {
        "ops": "tril triu",
        "methods": "tril tril_ triu triu_",
        "numpy": "np.tril np.triu",
        "tinygrad_dl": "tril tril_indices triu triu_indices",
    },
    "ops.indexing.views": {
        "methods": "as_strided_scatter diagonal_scatter select_scatter slice_scatter",
        "tinygrad_dl": "as_strided_scatter diagonal_scatter select_scatter slice_scatter",
    },
    "ops.linalg.chains": {
        "numpy": "np.linalg.multi_dot",
        "tinygrad_dl.linalg": "cross diagonal multi_dot vander vecdot",
    },
    "ops.linalg.cholesky": {
        "ops": "cholesky solve_by_factor solve_triangular",
        "tinygrad_dl.linalg": "cholesky solve_triangular",
    },
    "ops.linalg.determinant": {
        "ops": "det slogdet",
        "methods": "det logdet slogdet",
        "tinygrad_dl": "det logdet slogdet",
        "tinygrad_dl.linalg": "det slogdet",
    },
    "ops.linalg.distances": {
        "tinygrad_dl": "cdist",
    },
    "ops.linalg.eig": {
        "ops": "eig eigh eigvalsh",
        "numpy": "np.linalg.eig np.linalg.eigh np.linalg.eigvals np.linalg.eigvalsh",
        "tinygrad_dl.linalg": "eig eigh eigvals eigvalsh",
    },
    "ops.linalg.einsum": {
        "ops": "einsum",
        "numpy": "np.einsum np.tensordot",
        "tinygrad_dl": "einsum tensordot",
    },
    "ops.linalg.ldl": {
        "ops": "ldl_factor ldl_solve",
        "tinygrad_dl.linalg": "ldl_factor ldl_factor_ex ldl_solve",
    },
    "ops.linalg.lowrank": {
        "tinygrad_dl": "pca_lowrank svd_lowrank",
    },
    "ops.linalg.lstsq": {
        "tinygrad_dl.linalg": "lstsq",
    },
    "ops.linalg.lu": {
        "ops": "lu_factor lu_rows",
        "tinygrad_dl": "lu_unpack",
        "tinygrad_dl.linalg": "lu lu_factor lu_factor_ex lu_solve",
    },
    "ops.linalg.matrix_exp": {
        "ops": "matrix_exp",
        "methods": "matrix_exp",
        "tinygrad_dl": "matrix_exp",
        "tinygrad_dl.linalg": "matrix_exp",
    },
    "ops.linalg.norms": {
        "tinygrad_dl.linalg": "matrix_norm norm vector_norm",
    },
    "ops.linalg.older": {
        "methods": "cholesky cholesky_inverse cholesky_solve lu lu_solve orgqr ormqr qr svd triangular_solve",
        "tinygrad_dl": "cholesky cholesky_inverse cholesky_solve lu lu_solve orgqr ormqr qr svd triangular_solve",
    },
    "ops.linalg.pinv": {
        "ops": "pinv",
        "methods": "matrix_power pinverse",
        "numpy": "np.linalg.cond np.linalg.matrix_power np.linalg.pinv np.linalg.tensorinv np.linalg.tensorsolve",
        "tinygrad_dl": "matrix_power pinverse",
        "tinygrad_dl.linalg": "cholesky_ex cond inv_ex matrix_power pinv solve_ex tensorinv tensorsolve",
    },
    "ops.linalg.qr": {
        "ops": "geqrf qr",
        "methods": "geqrf",
        "tinygrad_dl": "geqrf",
        "tinygrad_dl.linalg": "householder_product qr",
    },
    "ops.linalg.solve": {
        "ops": "inv solve",
        "methods": "inverse",
        "tinygrad_dl": "inverse",
        "tinygrad_dl.linalg": "inv solve",
    },
    "ops.linalg.svd": {
        "ops": "svd svdvals",
        "tinygrad_dl.linalg": "matrix_rank svd svdvals",
    },
    "ops.linalg.vectors": {
        "methods": "addbmm addbmm_ addmv addmv_ addr addr_ cross",
        "numpy": "np.vander",
        "tinygrad_dl": "addbmm addmv addr block_diag chain_matmul cross vander",
    },
    "ops.linear.bilinear": {
        "tinygrad_dl.nn.functional": "bilinear",
    },
    "ops.linear.linear": {
        "ops": "linear linear_of_each",
    },
    "ops.loss.binary_cross_entropy": {
        "ops": "binary_cross_entropy binary_cross_entropy_with_logits",
    },
    "ops.loss.cross_entropy": {
        "ops": "cross_entropy cross_entropy_of_probabilities",
    },
    "ops.loss.ctc_loss": {
        "tinygrad_dl.nn.functional": "ctc_loss",
    },
    "ops.loss.kl_div": {
        "ops": "kl_div",
        "tinygrad_dl.nn.functional": "kl_div",
    },
    "ops.loss.linear_cross_entropy": {
        "tinygrad_dl.nn.functional": "linear_cross_entropy",
    },
    "ops.loss.margin": {
        "tinygrad_dl.nn.functional":
            "cosine_embedding_loss hinge_embedding_loss margin_ranking_loss multi_margin_loss multilabel_margin_loss "
            "multilabel_soft_margin_loss soft_margin_loss triplet_margin_loss triplet_margin_with_distance_loss",
    },
    "ops.loss.nll_loss": {
        "ops": "nll_loss",
    },
    "ops.loss.regression": {
        "ops": "huber_loss l1_loss mse_loss",
    },
    "ops.normalization.batch_norm": {
        "ops": "batch_norm batch_norm_eval",
    },
    "ops.normalization.group_norm": {
        "ops": "group_norm",
    },
    "ops.normalization.layer_norm": {
        "ops": "layer_norm",
    },
    "ops.normalization.local_response_norm": {
        "tinygrad_dl.nn.functional": "local_response_norm",
    },
    "ops.normalization.normalize": {
        "tinygrad_dl.nn.functional": "normalize",
    },
    "ops.padding.pad": {
        "ops": "pad",
        "tinygrad_dl.nn.functional": "pad",
    },
    "ops.pointwise.bessel": {
        "ops":
            "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 i0 i0e i1 i1e modified_bessel_i0 modified_bessel_i1 "
            "modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1 "
            "spherical_bessel_j0",
        "methods": "i0 i0_",
        "numpy": "np.i0",
        "tinygrad_dl": "i0",
        "tinygrad_dl.special":
            "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 i0 i0e i1 i1e modified_bessel_i0 modified_bessel_i1 "
            "modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1 "
            "spherical_bessel_j0",
    },
    "ops.pointwise.bitwise": {
        "ops": "bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor gcd lcm",
        "methods":
            "__and__ __iand__ __iinvert__ __ilshift__ __invert__ __ior__ __irshift__ __ixor__ __lshift__ __or__ "
            "__rand__ __rlshift__ __ror__ __rrshift__ __rshift__ __rxor__ __xor__ bitwise_and bitwise_and_ "
            "bitwise_left_shift bitwise_left_shift_ bitwise_not bitwise_not_ bitwise_or bitwise_or_ "
            "bitwise_right_shift bitwise_right_shift_ bitwise_xor bitwise_xor_ gcd gcd_ lcm lcm_",
        "numpy": "np.bitwise_and np.bitwise_or np.bitwise_xor np.gcd np.invert np.lcm np.left_shift np.right_shift",
        "tinygrad_dl": "bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor gcd lcm",
    },
    "ops.pointwise.error_function": {
        "ops": "erf erfc erfcx erfinv log_ndtr ndtri",
        "methods": "erf erf_ erfc erfc_ erfinv erfinv_",
        "tinygrad_dl": "erf erfc erfinv",
        "tinygrad_dl.special": "erf erfc erfcx erfinv log_ndtr ndtr ndtri",
    },
    "ops.pointwise.exponential": {
        "ops": "entr exp exp2 expm1 log log10 log1p log2 logaddexp logaddexp2 logit xlog1py xlogy",
        "methods":
            "exp exp2 exp2_ exp_ expm1 expm1_ log log10 log10_ log1p log1p_ log2 log2_ log_ logaddexp logaddexp2 "
            "logit logit_ xlogy xlogy_",
        "numpy": "np.exp np.exp2 np.expm1 np.log np.log10 np.log1p np.log2 np.logaddexp np.logaddexp2",
        "tinygrad_dl": "exp exp2 expm1 log log10 log1p log2 logaddexp logaddexp2 logit xlogy",
        "tinygrad_dl.special": "entr exp2 expm1 log1p logit xlog1py xlogy",
    },
    "ops.pointwise.floating": {
        "ops": "copysign exponent ldexp mantissa nextafter",
        "methods": "copysign copysign_ frexp ldexp ldexp_ nextafter nextafter_",
        "numpy": "np.copysign np.frexp np.ldexp np.nextafter",
        "tinygrad_dl": "copysign frexp ldexp nextafter",
    },
    "ops.pointwise.gamma": {
        "ops": "digamma igamma igammac lgamma polygamma zeta",
        "methods":
            "digamma digamma_ igamma igamma_ igammac igammac_ lgamma lgamma_ mvlgamma mvlgamma_ polygamma polygamma_",
        "tinygrad_dl": "digamma igamma igammac lgamma mvlgamma polygamma",
        "tinygrad_dl.special": "digamma gammainc gammaincc gammaln multigammaln polygamma psi zeta",
    },
    "ops.pointwise.hyperbolic": {
        "ops": "acosh asinh atanh cosh sinh tanh",
        "methods":
            "acosh acosh_ arccosh arccosh_ arcsinh arcsinh_ arctanh arctanh_ asinh asinh_ atanh atanh_ cosh cosh_ "
            "sinh sinh_ tanh tanh_",
        "numpy": "np.arccosh np.arcsinh np.arctanh np.cosh np.sinh np.tanh",
        "tinygrad_dl": "acosh arccosh arcsinh arctanh asinh atanh cosh sinh tanh",
    },
    "ops.pointwise.polar": {
        "ops": "angle",
        "methods": "angle conj_physical conj_physical_ is_neg isreal resolve_neg",
        "numpy": "np.angle",
        "tinygrad_dl": "angle conj_physical is_neg isreal polar resolve_neg",
    },
    "ops.pointwise.rounding": {
        "tinygrad_dl.special": "round",
    },
    "ops.pointwise.trigonometric": {
        "ops": "acos asin atan atan2 cos deg2rad hypot rad2deg sin sinc tan",
        "methods":
            "acos acos_ arccos arccos_ arcsin arcsin_ arctan arctan2 arctan2_ arctan_ asin asin_ atan atan2 atan2_ "
            "atan_ cos cos_ deg2rad deg2rad_ hypot hypot_ rad2deg rad2deg_ sin sin_ sinc sinc_ tan tan_",
        "numpy":
            "np.arccos np.arcsin np.arctan np.arctan2 np.cos np.deg2rad np.degrees np.hypot np.rad2deg np.radians "
            "np.sin np.sinc np.tan",
        "tinygrad_dl": "acos arccos arcsin arctan arctan2 asin atan atan2 cos deg2rad hypot rad2deg sin sinc tan",
        "tinygrad_dl.special": "sinc",
    },
    "ops.pooling._max_pool": {
        "ops": "added_at elements_at max_pool max_pool_backward max_pool_indices max_pool_pick",
    },
    "ops.pooling.avg_pool": {
        "ops": "adaptive_avg_pool avg_pool",
    },
    "ops.pooling.fractional_max_pool": {
        "ops": "fractional_max_indices",
        "tinygrad_dl.nn.functional":
            "fractional_max_pool2d fractional_max_pool2d_with_indices fractional_max_pool3d "
            "fractional_max_pool3d_with_indices",
    },
    "ops.pooling.lp_pool": {
        "tinygrad_dl.nn.functional": "lp_pool1d lp_pool2d lp_pool3d",
    },
    "ops.pooling.max_unpool": {
        "tinygrad_dl.nn.functional": "max_unpool1d max_unpool2d max_unpool3d",
    },
    "ops.recurrent.gru": {
        "ops": "gru_layer",
    },
    "ops.recurrent.lstm": {
        "ops": "lstm_layer",
    },
    "ops.recurrent.rnn": {
        "ops": "rnn_layer",
    },
    "ops.reduction.covariance": {
        "methods": "corrcoef cov",
        "numpy": "np.corrcoef np.cov",
        "tinygrad_dl": "corrcoef cov",
    },
    "ops.reduction.cumulative": {
        "ops": "cumprod cumsum logcumsumexp",
        "methods": "cumprod cumprod_ cumsum cumsum_ diff logcumsumexp",
        "numpy": "np.cumprod np.cumsum np.logaddexp.accumulate",
        "tinygrad_dl": "cumprod cumsum diff logcumsumexp",
    },
    "ops.reduction.hash_tensor": {
        "ops": "hash_tensor",
        "methods": "hash_tensor",
        "tinygrad_dl": "hash_tensor",
    },
    "ops.reduction.histogram": {
        "methods": "histc histogram",
        "tinygrad_dl": "histc histogram histogramdd",
    },
    "ops.reduction.integration": {
        "numpy": "np.gradient np.trapezoid",
        "tinygrad_dl": "cumulative_trapezoid gradient trapezoid trapz",
    },
    "ops.reduction.logical": {
        "ops": "all any count_nonzero",
        "methods": "all any count_nonzero",
        "tinygrad_dl": "all any count_nonzero",
    },
    "ops.reduction.logsumexp": {
        "ops": "logsumexp",
        "methods": "logsumexp",
        "tinygrad_dl": "logsumexp",
        "tinygrad_dl.special": "logsumexp",
    },
    "ops.reduction.median": {
        "ops": "median median_dim",
        "methods": "median nanmedian",
        "tinygrad_dl": "median nanmedian",
    },
    "ops.reduction.mode": {
        "ops": "mode",
        "methods": "mode",
        "tinygrad_dl": "mode",
    },
    "ops.reduction.norm": {
        "ops": "norm",
        "methods": "dist norm renorm renorm_",
        "tinygrad_dl": "dist norm renorm",
    },
    "ops.reduction.quantile": {
        "ops": "quantile quantile_neighbours",
        "methods": "nanquantile quantile",
        "tinygrad_dl": "nanquantile quantile",
    },
    "ops.reduction.running_extrema": {
        "ops": "cummax cummin",
        "methods": "cummax cummin",
        "numpy": "np.maximum.accumulate np.minimum.accumulate",
        "tinygrad_dl": "cummax cummin",
    },
    "ops.shape.copies": {
        "methods": "narrow_copy",
        "tinygrad_dl":
            "alias_copy as_strided_copy detach_copy diagonal_copy expand_copy narrow_copy permute_copy select_copy "
            "slice_copy split_copy split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy "
            "unsqueeze_copy view_copy",
    },
    "ops.shape.expand": {
        "ops": "expand repeat repeat_interleave",
        "methods": "broadcast_to expand expand_as repeat repeat_interleave sum_to_size tile",
        "numpy": "np.broadcast_arrays np.broadcast_to np.repeat np.tile",
        "tinygrad_dl": "broadcast_shapes broadcast_tensors broadcast_to expand meshgrid repeat_interleave tile",
    },
    "ops.shape.inplace": {
        "methods": "as_strided_ squeeze_ swapaxes_ swapdims_ t_ transpose_ unsqueeze_",
    },
    "ops.shape.joining": {
        "ops": "cat stack",
        "numpy": "np.column_stack np.concatenate np.dstack np.hstack np.stack np.vstack",
        "tinygrad_dl": "cat column_stack combinations concat concatenate dstack hstack row_stack stack vstack",
    },
    "ops.shape.reorder": {
        "ops": "flip roll",
        "methods": "__reversed__ flip fliplr flipud roll rot90",
        "numpy": "np.flip np.fliplr np.flipud np.roll np.rot90",
        "tinygrad_dl": "flip fliplr flipud roll rot90",
    },
    "ops.shape.splitting": {
        "ops": "split unbind",
        "methods":
            "chunk dsplit hsplit split split_with_sizes tensor_split unbind unsafe_chunk unsafe_split "
            "unsafe_split_with_sizes vsplit",
        "numpy": "np.split",
        "tinygrad_dl":
            "chunk dsplit hsplit split split_with_sizes tensor_split unbind unsafe_chunk unsafe_split "
            "unsafe_split_with_sizes vsplit",
    },
    "ops.shape.strided": {
        "ops": "as_strided sum_strided",
        "methods": "as_strided",
        "tinygrad_dl": "as_strided",
    },
    "ops.shape.windows": {
        "ops": "sum_windows unfold_dimension",
        "methods": "unfold",
    },
    "ops.sorting.bincount": {
        "methods": "bincount",
        "tinygrad_dl": "bincount",
    },
    "ops.sorting.search": {
        "tinygrad_dl": "bucketize searchsorted",
    },
    "ops.sorting.sort": {
        "ops": "argsort sort",
        "methods": "argsort msort sort",
        "numpy": "np.argsort np.sort",
        "tinygrad_dl": "argsort msort sort",
    },
    "ops.sorting.topk": {
        "ops": "kthvalue topk",
        "methods": "kthvalue topk",
        "tinygrad_dl": "kthvalue topk",
    },
    "ops.sorting.unique": {
        "methods": "unique unique_consecutive",
        "tinygrad_dl": "unique unique_consecutive",
    },
    "ops.special.polynomials": {
        "ops":
            "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w "
            "hermite_polynomial_h hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p "
            "shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v "
            "shifted_chebyshev_polynomial_w",
        "tinygrad_dl.special":
            "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w "
            "hermite_polynomial_h hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p "
            "shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v "
            "shifted_chebyshev_polynomial_w",
    },
    "ops.spectral.stft": {
        "methods": "istft stft",
        "tinygrad_dl": "istft stft",
    },
    "ops.spectral.windows": {
        "tinygrad_dl": "bartlett_window blackman_window hamming_window hann_window kaiser_window",
        "tinygrad_dl.signal.windows":
            "bartlett blackman cosine exponential gaussian general_cosine general_hamming hamming hann kaiser nuttall",
    },
    "ops.tensor.attributes": {
        "methods": "dim_order is_set_to",
        "tinygrad_dl": "is_complex is_floating_point is_tensor numel result_type",
    },
    "ops.tensor.callables": {
        "methods": "apply_ map2_ map_",
    },
    "ops.tensor.fill": {
        "methods": "copy_ fill_ zero_",
        "tinygrad_dl": "fill",
    },
    "ops.tensor.sampling": {
        "methods": "bernoulli_ cauchy_ exponential_ geometric_ log_normal_ normal_ random_ uniform_",
    },
    "ops.tensor.storage": {
        "methods": "resize_ resize_as_ set_ storage storage_offset untyped_storage",
        "tinygrad_dl": "UntypedStorage",
    },
    "ops.vision._resample": {
        "ops": "resample",
    },
    "ops.vision._samples": {
        "ops": "sample sample_backward sample_weights_backward",
    },
    "ops.vision.grid_sample": {
        "ops": "grid_cells",
        "tinygrad_dl.nn.functional": "affine_grid grid_sample",
    },
    "ops.vision.interpolate": {
        "ops": "interpolate",
        "tinygrad_dl.nn.functional": "interpolate",
    },
    "ops.vision.pixel_shuffle": {
        "ops": "channel_shuffle pixel_shuffle pixel_unshuffle",
        "tinygrad_dl.nn.functional": "channel_shuffle native_channel_shuffle pixel_shuffle pixel_unshuffle",
    },
    "ops.vision.upsample": {
        "tinygrad_dl.nn.functional": "upsample upsample_bilinear upsample_nearest",
    },
    "random": {
        "methods": "bernoulli multinomial",
        "tinygrad_dl":
            "Generator bernoulli get_rng_state initial_seed manual_seed multinomial normal rand rand_like randint "
            "randint_like randn randn_like randperm set_rng_state",
    },
    "serialization": {
        "tinygrad_dl": "load save",
    },
}
# fmt: on
