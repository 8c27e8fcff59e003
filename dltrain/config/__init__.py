"""Configs: YAML files with positions, checked against everything that is registered."""

from dltrain.config.experiment import Experiment, from_mapping, load
from dltrain.config.interval import Interval
from dltrain.config.yaml_writer import dump

__all__ = ["Experiment", "Interval", "dump", "from_mapping", "load"]
