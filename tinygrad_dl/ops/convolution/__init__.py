"""Convolution, and the patches that it sees."""
