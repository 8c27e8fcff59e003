"""The kinds of learning problems, one family a file."""

from dltrain.tasks import supervised
from dltrain.tasks.base import Bound, Tally, Task

__all__ = ["Bound", "Tally", "Task", "supervised"]
