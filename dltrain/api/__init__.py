"""dltrain from Python: what the command line does, as functions that return plain data."""

from dltrain.api.deciding import calibrate, threshold
from dltrain.api.examining import (
    check,
    doctor,
    explore,
    gradcheck,
    learning_curve,
    lint_data,
    lr_find,
    preview_batch,
    preview_schedule,
)
from dltrain.api.given import Config, load_experiment
from dltrain.api.judging import convert, diagnose, errors, evaluate, generate, predict, report, show
from dltrain.api.stepping import replay, trace
from dltrain.api.sweeping import best_of_sweep, report_of_sweep, resume_sweep, sweep, sweep_table
from dltrain.api.training import build_model, fit, resume
from dltrain.tracing.expression import trace_expression
from dltrain.training.trained import load_run

__all__ = [
    "Config",
    "best_of_sweep",
    "build_model",
    "calibrate",
    "check",
    "convert",
    "diagnose",
    "doctor",
    "errors",
    "evaluate",
    "explore",
    "fit",
    "generate",
    "gradcheck",
    "learning_curve",
    "lint_data",
    "load_experiment",
    "load_run",
    "lr_find",
    "predict",
    "preview_batch",
    "preview_schedule",
    "replay",
    "report",
    "report_of_sweep",
    "resume",
    "resume_sweep",
    "show",
    "sweep",
    "sweep_table",
    "threshold",
    "trace",
    "trace_expression",
]
