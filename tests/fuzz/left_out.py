"""What both libraries have and no program draws, with the reason."""

REASONS = {
    "draws random numbers, which differ for the same seed": """binomial poisson
        bernoulli bernoulli_ multinomial normal normal_ rand
        rand_like randint randint_like randn randn_like randperm random_ uniform_ cauchy_ exponential_ geometric_
        log_normal_ Generator AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout RReLU alpha_dropout
        feature_alpha_dropout gumbel_softmax rrelu rrelu_ fractional_max_pool2d fractional_max_pool2d_with_indices
        fractional_max_pool3d fractional_max_pool3d_with_indices FractionalMaxPool2d FractionalMaxPool3d""",
    "is another op by an older name, and warns": "range upsample upsample_nearest upsample_bilinear NLLLoss2d",
    "stores its result in its input, as methods do that are drawn": """celu_ elu_ hardtanh_ leaky_relu_ selu_
        threshold_""",
    "is right in the first channels alone, in PyTorch": "CrossMapLRN2d",
    "is a tuple of options": "LinearCrossEntropyOptions",
    "trains on other devices alone, in PyTorch": "SyncBatchNorm",
    "takes lengths and labels, or maxima and indices, that fit together": """AdaptiveLogSoftmaxWithLoss
        CTCLoss ctc_loss MaxUnpool1d MaxUnpool2d MaxUnpool3d max_unpool1d max_unpool2d max_unpool3d""",
    "takes the parameters of a layer: tests/parity/test_attention.py compares it": "multi_head_attention_forward",
    "returns memory that was never written": """empty empty_like empty_permuted empty_strided new new_empty
        new_empty_strided""",
    "is a setting of the process or of random numbers": """enable_grad get_default_dtype get_num_threads get_rng_state
        inference_mode initial_seed is_grad_enabled is_inference_mode_enabled manual_seed no_grad set_default_dtype
        set_grad_enabled set_num_threads set_rng_state
        is_anomaly_check_nan_enabled is_anomaly_enabled set_anomaly_enabled
        are_deterministic_algorithms_enabled get_default_device get_float32_matmul_precision get_num_interop_threads
        is_deterministic_algorithms_warn_only_enabled set_default_device set_default_tensor_type
        set_float32_matmul_precision set_flush_denormal set_num_interop_threads set_printoptions set_warn_always
        use_deterministic_algorithms get_deterministic_debug_mode is_autocast_enabled is_warn_always_enabled seed
        set_deterministic_debug_mode""",
    "computes nothing itself": "ger spmm GradScaler autocast compile factory_kwargs layout memory_format vmap",
    "is another op whose modes are numbers, or that returns more: tests/parity/test_native.py compares it": """
        grid_sampler grid_sampler_2d grid_sampler_3d native_batch_norm native_dropout native_group_norm
        native_layer_norm view_as_complex_copy""",
    "takes lengths that fit: tests/parity/test_native.py compares it": "segment_reduce lobpcg",
    "is changed in place alone: tests/parity/test_native.py compares it": "apply_ fill_diagonal_ map_ map2_",
    "is made of the bits, where rounding decides: tests/parity/test_native.py compares it": "hash_tensor",
    "reads or writes files, or shares memory with another library": """to_dlpack load save from_dlpack
        from_numpy frombuffer numpy""",
    "is no op: a class, or a question about a tensor or about shapes": """Tensor device dtype finfo iinfo cpu
        broadcast_shapes data_ptr element_size is_tensor is_conj is_complex is_contiguous is_floating_point is_inference
        is_neg size storage_offset to_dense stride untyped_storage
        BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor LongTensor
        ShortTensor Size UntypedStorage storage
        dim_order is_set_to is_storage typename
        get_device is_pinned is_same_size is_shared is_signed ndimension nelement pin_memory share_memory_ to_sparse""",
    "belongs to the backward pass, which follows every program": """backward register_hook retain_grad
        register_post_accumulate_grad_hook""",
    "has a wrong gradient in PyTorch: tests/test_views.py has the right one": "as_strided_scatter",
    "makes a result as long as its largest element": "bincount",
    "bins by rounding: tests/parity/test_statistics.py compares it": "histc histogram histogramdd",
    "divides by what may be 0 or jumps there: tests/parity/test_statistics.py compares it": "corrcoef renorm renorm_",
    "takes as many elements as indices: tests/parity/test_statistics.py compares it": "put put_",
    "is a view that is drawn, and a copy": "view_as_real_copy as_strided_copy detach_copy unfold_copy",
    "is a window, or a transform: tests/parity/test_fft.py compares it": """bartlett_window blackman_window
        hamming_window hann_window kaiser_window istft stft""",
    "jumps, where rounding decides, or takes sizes above 0 alone: tests/parity/test_fft.py compares it": "angle polar",
    "has a gradient for one argument alone: tests/parity/test_special.py compares it": """igamma igammac igamma_
        igammac_""",
    "takes the number of the derivative first, as a function: `polygamma` is drawn": "polygamma_",
    "is the norm of a difference: tests/parity/test_linalg.py compares it": "dist",
    "is as exact as the matrix allows: see tests/parity/test_linalg.py": """det geqrf inverse
        logdet matrix_exp slogdet cholesky cholesky_inverse cholesky_solve lu lu_solve lu_unpack orgqr ormqr pinverse qr
        svd triangular_solve""",
    "takes random vectors: tests/test_linalg.py": "pca_lowrank svd_lowrank",
    "takes tensors that fit together: tests/parity/test_linalg.py compares it": "block_diag chain_matmul",
    "is a dtype that NumPy does not have": "bfloat16 chalf",
    "is for another device, and refused": "cuda",
    "shows memory, whose order and extent are each library's own": "as_strided as_strided_ resize_ resize_as_ set_",
    "is another module from its first call on": """LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d
        LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d LazyInstanceNorm2d
        LazyInstanceNorm3d LazyLinear UninitializedBuffer UninitializedParameter""",
    "holds other modules or parameters": """Buffer DataParallel Module ModuleDict ModuleList Parameter ParameterDict
        ParameterList RNNBase Sequential Transformer TransformerDecoder TransformerEncoder""",
}
LEFT_OUT = {name: reason for reason, names in REASONS.items() for name in names.split()}
