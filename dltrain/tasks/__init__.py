"""The kinds of learning problems, one family a file."""

from dltrain.tasks import event_detection, language_model, multi_label, multi_task, segmentation, supervised
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
    "event_detection",
    "language_model",
    "multi_label",
    "multi_task",
    "segmentation",
    "supervised",
]
