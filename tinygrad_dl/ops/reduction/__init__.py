"""Reductions, and running sums and products."""
