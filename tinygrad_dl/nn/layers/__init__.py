"""The layers, one theme a file."""
