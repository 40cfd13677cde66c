"""PyTorch's files (.pth, .pt, .ckpt): a zip archive of a pickle and of the memory that its tensors share.

`unpickler` reads the pickle and runs nothing in it, `reading` makes tensors of what it names, `writing` writes both.
"""
