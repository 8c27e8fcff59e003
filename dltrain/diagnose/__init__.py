"""What is wrong with an experiment, and what to do next.

config -> Checkup (the experiment before its training) -> rules -> verdicts, each with its evidence and its remedy

A rule is a function from a Checkup to verdicts; `dltrain list rules` shows them, `dltrain explain NAME` is the page of
one, and `waive` in a config silences it, with a reason.
"""

from dltrain.diagnose import data_rules, model_rules, training_rules, trials
from dltrain.diagnose.checkup import Checkup
from dltrain.diagnose.doctor import examine
from dltrain.diagnose.rule import Verdict

__all__ = ["Checkup", "Verdict", "data_rules", "examine", "model_rules", "training_rules", "trials"]
