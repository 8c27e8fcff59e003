"""The sections of a page of one run, a file for each thing one looks at."""

from dltrain.pages.run.boundary import boundary
from dltrain.pages.run.calibration import calibration
from dltrain.pages.run.classes import classes
from dltrain.pages.run.course import curves
from dltrain.pages.run.filters import feature_maps, filters
from dltrain.pages.run.layers import layers
from dltrain.pages.run.machine import machine
from dltrain.pages.run.map import embeddings
from dltrain.pages.run.mistakes import worst
from dltrain.pages.run.result import result
from dltrain.pages.run.settings import settings
from dltrain.pages.run.thresholds import thresholds
from dltrain.pages.run.values import predicted
from dltrain.pages.run.verdicts import verdicts
from dltrain.pages.run.weights import weights
from dltrain.pages.run.writing import writing
from dltrain.pages.section import Section

SECTIONS = (
    Section("Result", result),
    Section("Curves", curves),
    Section("Verdicts", verdicts),
    Section("Classes", classes),
    Section("ROC and precision", thresholds),
    Section("Calibration", calibration),
    Section("Predicted values", predicted),
    Section("Worst mistakes", worst),
    Section("What it writes", writing),
    Section("Decision boundary", boundary),
    Section("Embeddings", embeddings),
    Section("Filters", filters),
    Section("Feature maps", feature_maps),
    Section("Layers", layers),
    Section("Weights", weights),
    Section("Config", settings),
    Section("Environment and cost", machine),
)
LIVE = (SECTIONS[0], SECTIONS[1], SECTIONS[-2], SECTIONS[-1])  # what a run shows while it trains: no model is needed
