"""Every op that both libraries have, and how its arguments are drawn."""

from fuzz.catalogue import elementwise, indexing, layers, linear, losses, modules, reductions, shapes
from fuzz.catalogue.table import CATALOGUE

__all__ = ["CATALOGUE", "elementwise", "indexing", "layers", "linear", "losses", "modules", "reductions", "shapes"]
