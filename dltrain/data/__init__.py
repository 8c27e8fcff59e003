"""Data: sources, splits, preparation, and the loader that cuts batches.

source -> Pool -> checks -> split -> preparation fitted on the training part -> DataSet -> Loader -> Batch
"""

from dltrain.data import (
    arrays,
    augmentations,
    cifar,
    column_splits,
    decomposition,
    embedded,
    encoding,
    expansion,
    formulas,
    hdf5,
    idx,
    image_folder,
    masks,
    matlab,
    pipeline,
    preparation,
    series,
    sound_mix,
    sounds,
    spectrogram,
    splits,
    synthetic,
    tables,
    text,
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
    "catalog",
    "cifar",
    "column_splits",
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
    "load",
    "load_like",
    "masks",
    "matlab",
    "pipeline",
    "preparation",
    "series",
    "show",
    "sound_mix",
    "sounds",
    "spectrogram",
    "splits",
    "synthetic",
    "tables",
    "text",
]
