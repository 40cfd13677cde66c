"""The hook of exceptions is another one while there are several ranks, and none else's is touched."""

import sys

import tinygrad_dl as td

dist = td.distributed
before = sys.excepthook
dist.init_process_group()
assert (sys.excepthook is before) == (dist.get_world_size() == 1)
dist.destroy_process_group()
assert sys.excepthook is before

dist.init_process_group()
mine = lambda *_: None  # noqa: E731
sys.excepthook = mine
dist.destroy_process_group()
assert sys.excepthook is mine
