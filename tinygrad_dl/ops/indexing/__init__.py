"""Indexing: picking elements and writing to places."""
