"""Views: looks into a trained network, as pictures.

trained run -> Subject (network, picture, what is asked) -> view -> Seen (numbers, sheets of pictures) -> folder

A view has `reads` ("nothing", "picture", "any size": a picture as large as it is, or "text": then its subject is a
Reading), and

    look(subject, tell) -> Seen      tell(text): how far the work is
"""

from dltrain.looking import activations, attention, class_map, filters, grad_cam, maximize, occlusion, saliency
from dltrain.looking.inside import Inside, Unit
from dltrain.looking.seen import Seen, Sheet
from dltrain.looking.showing import show
from dltrain.looking.subject import Subject

__all__ = [
    "Inside",
    "Seen",
    "Sheet",
    "Subject",
    "Unit",
    "activations",
    "attention",
    "class_map",
    "filters",
    "grad_cam",
    "maximize",
    "occlusion",
    "saliency",
    "show",
]
