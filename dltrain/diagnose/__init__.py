"""What is wrong with an experiment, and what to do next.

config -> Checkup (the experiment before its training) -> rules -> verdicts, each with its evidence and its remedy
data set -> lints (rules on data alone) -> verdicts
run -> Course (errors of its parts, course of its losses) -> diagnoses -> verdicts
run -> Mistakes (what it makes of each example) -> tables, files to look at

Rules and diagnoses are functions from a Checkup or a Course to verdicts; `dltrain list rules` shows them,
`dltrain explain NAME` is the page of one, and `waive` in a config silences a rule, with a reason.
"""

from dltrain.diagnose import (
    data_lint,
    data_rules,
    diagnoses,
    layer_diagnoses,
    model_rules,
    recurrent_diagnoses,
    training_rules,
    trials,
)
from dltrain.diagnose.checkup import Checkup
from dltrain.diagnose.doctor import examine
from dltrain.diagnose.rule import Verdict

__all__ = [
    "Checkup",
    "Verdict",
    "data_lint",
    "data_rules",
    "diagnoses",
    "examine",
    "layer_diagnoses",
    "model_rules",
    "recurrent_diagnoses",
    "training_rules",
    "trials",
]
