"""Word vectors that an embedding begins with, for the words of its vocabulary that a file has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltrain.data import DataFolders, DataSet
from dltrain.data.folders import PathError
from dltrain.data.word_vectors import read_vectors
from dltrain.errors import DataError, Problem
from dltrain.interop.weights import checksum
from dltrain.layers.base import Parameter
from dltrain.layers.embedding import Embedding
from dltrain.training.initial_weights import Report, misplaced

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment
    from dltrain.model.graph import Graph

KEY = "word_vectors"


def begin_with_vectors(graph: Graph, data: DataSet, experiment: Experiment, name: str) -> Report:
    """Give the model's embedding the vectors of a file; words that it lacks keep their random ones.

    Parameters:
        graph: the model
        data: with the vocabulary
        experiment: says where files are looked up
        name: of the file, as in the config

    Raises:
        ConfigError: when there is no such file, the model has no embedding or several, or the file does not fit.
    """
    path, parameter = embedding_of(graph, experiment)
    vocabulary = data.vocabulary()
    if vocabulary is None:
        experiment.fail([Problem(("init_from", KEY), "the data are no texts, which have words")])
    try:
        file = DataFolders(experiment.folder).find(name)
        found = read_vectors(file, vocabulary.numbers, parameter.shape[1])
    except (PathError, DataError) as error:
        experiment.fail(misplaced(error, KEY).problems)
    for number, vector in found.items():
        parameter.value[number] = vector
    graph.changed()
    words = len(vocabulary.numbers) - 1  # the unknown one is none
    said = f"{len(found):,} of {words:,} words have a vector, {words - len(found):,} begin with a random one"
    others = [other for other in graph.parameters if other != path]
    return Report(name, str(file), checksum(file), KEY, {path: name}, [], others, said)


def embedding_of(graph: Graph, experiment: Experiment) -> tuple[str, Parameter]:
    """(path, parameter) of the one embedding of a model.

    Raises:
        ConfigError: when there is none, or there are several.
    """
    tables = [node.layer.embeddings for node in graph.plan_nodes if isinstance(node.layer, Embedding)]
    paths = [path for path, parameter in graph.parameters.items() if any(parameter is table for table in tables)]
    if len(paths) != 1:
        what, got = "the vectors are for one embedding", f"{len(paths)} of them"
        experiment.fail([Problem(("init_from", KEY), what, "a model with one `embedding`", got)])
    return paths[0], graph.parameters[paths[0]]
