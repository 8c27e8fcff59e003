"""From the model part of a config to a graph that runs."""
