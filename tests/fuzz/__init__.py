"""A differential fuzzer: random programs run in this library and in PyTorch, and everything observable is compared.

`programs` says what a program is, `drawing` and `catalogue` draw one, `running` runs it, `compare` compares, `shrink`
makes it small, `meant` lists the differences that are meant.
`python -m fuzz 1000 --seed 3` runs it from the folder `tests`.
"""
