"""The kinds of learning problems, one family a file."""

from dltrain.tasks import (
    language_model,
    multi_label,
    multi_task,
    segmentation,
    sequence_to_sequence,
    supervised,
    tagging,
)
from dltrain.tasks.base import Task
from dltrain.tasks.bound import Bound
from dltrain.tasks.heads import Heads, HeadsTally
from dltrain.tasks.tally import Tally
from dltrain.tasks.weighing import Weighing

__all__ = [
    "Bound",
    "Heads",
    "HeadsTally",
    "Tally",
    "Task",
    "Weighing",
    "language_model",
    "multi_label",
    "multi_task",
    "segmentation",
    "sequence_to_sequence",
    "supervised",
    "tagging",
]
