"""`td.compile`: a step recorded once and written as a program over NumPy arrays.

`program.py` says what a recorded step is.
"""
