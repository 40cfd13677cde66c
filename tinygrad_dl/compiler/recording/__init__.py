"""Recording a step: running it once, for real, while all that it does with NumPy is written down as a program."""

from tinygrad_dl.compiler.recording.errors import Unrecordable
from tinygrad_dl.compiler.recording.recorder import Recorder

__all__ = ["Recorder", "Unrecordable"]
