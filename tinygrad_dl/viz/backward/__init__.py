"""The backward pass as a list of steps, with formulas and numbers."""
