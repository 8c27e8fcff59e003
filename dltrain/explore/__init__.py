"""Explorations: what data look like before anything is trained on them.

data set -> Subject (one part, as rows of numbers) -> exploration -> Finding (numbers, tables, pictures) -> folder

An exploration has `samples` (the most that it looks at), `seed` (None: the config's), `least_features`, and

    explore(subject, tell) -> Finding      tell(text): how far the work is
"""

from dltrain.explore import clusters, components, embedding, mixture
from dltrain.explore.exploring import explore
from dltrain.explore.finding import Finding
from dltrain.explore.subject import Subject

__all__ = ["Finding", "Subject", "clusters", "components", "embedding", "explore", "mixture"]
