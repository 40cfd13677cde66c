"""What computes: matrix products, threads, and NumPy's BLAS."""
