"""Functions of td.special that torch itself does not have: orthogonal polynomials."""
