"""Spectra of signals over time, and the windows that are laid over them."""
