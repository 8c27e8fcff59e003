"""Data: sources, splits, preparation, and the loader that cuts batches.

source -> Pool -> checks -> split -> preparation fitted on the training part -> DataSet -> Loader -> Batch
"""

from dltrain.data import (
    arrays,
    augmentations,
    byte_pairs,
    cifar,
    column_splits,
    dates,
    decomposition,
    embedded,
    encoding,
    expansion,
    formulas,
    hdf5,
    idx,
    image_folder,
    labelled_texts,
    masks,
    matlab,
    pairs,
    pipeline,
    preparation,
    splits,
    synthetic,
    tables,
    tagged_texts,
    text,
    vocabulary,
)
from dltrain.data.assemble import fingerprint, load
from dltrain.data.describe import catalog, describe, show
from dltrain.data.examples import PARTS, DataSet, Examples, Pool
from dltrain.data.folders import DataFolders
from dltrain.data.fresh import load_like
from dltrain.data.loader import Batch, Loader

__all__ = [
    "PARTS",
    "Batch",
    "DataFolders",
    "DataSet",
    "Examples",
    "Loader",
    "Pool",
    "arrays",
    "augmentations",
    "byte_pairs",
    "catalog",
    "cifar",
    "column_splits",
    "dates",
    "decomposition",
    "describe",
    "embedded",
    "encoding",
    "expansion",
    "fingerprint",
    "formulas",
    "hdf5",
    "idx",
    "image_folder",
    "labelled_texts",
    "load",
    "load_like",
    "masks",
    "matlab",
    "pairs",
    "pipeline",
    "preparation",
    "show",
    "splits",
    "synthetic",
    "tables",
    "tagged_texts",
    "text",
    "vocabulary",
]
