"""The public data sets that can be fetched: their files, where they lie, and what proves them."""

from __future__ import annotations

from dataclasses import dataclass, field

from dltrain.errors import UsageError
from dltrain.suggest import hint as suggestion


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be fetched.

    Parameters:
        name: of the file, in the folder of its set
        size: bytes
        sha256: what its bytes must give
        urls: where it lies; one after the other is tried
    """

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Collection:
    """A data set that can be fetched.

    Parameters:
        summary: what it is
        licence: what its makers allow
        files: its files
        config: the lines of a config's `data` part that read it
    """

    summary: str
    licence: str
    files: tuple[RemoteFile, ...]
    config: str = field(default="")


def mirrored(mirrors: tuple[str, ...], files: dict[str, tuple[int, str]]) -> tuple[RemoteFile, ...]:
    """Files that lie under the same names on several mirrors."""
    return tuple(
        RemoteFile(name, size, digest, tuple(m + name for m in mirrors)) for name, (size, digest) in files.items()
    )


IDX = """\
source:
  idx:
    images: {0}/train-images-idx3-ubyte.gz
    labels: {0}/train-labels-idx1-ubyte.gz
    test_images: {0}/t10k-images-idx3-ubyte.gz
    test_labels: {0}/t10k-labels-idx1-ubyte.gz"""

BOOK = (
    "https://raw.githubusercontent.com/ageron/data/main/",
    "https://raw.githubusercontent.com/ageron/handson-ml2/master/datasets/",
)

COLLECTIONS: dict[str, Collection] = {
    "mnist": Collection(
        "70,000 handwritten digits, 28 × 28 grey",
        "LeCun, Cortes, Burges; CC BY-SA 3.0",
        mirrored(
            (
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ),
            {
                "train-images-idx3-ubyte.gz": (
                    9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                ),
                "train-labels-idx1-ubyte.gz": (
                    28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                ),
                "t10k-images-idx3-ubyte.gz": (
                    1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
            },
        ),
        IDX.format("mnist"),
    ),
    "fashion-mnist": Collection(
        "70,000 pictures of clothes, 28 × 28 grey",
        "Zalando SE; MIT",
        mirrored(
            (
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ),
            {
                "train-images-idx3-ubyte.gz": (
                    26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                ),
                "train-labels-idx1-ubyte.gz": (
                    29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                ),
                "t10k-images-idx3-ubyte.gz": (
                    4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                ),
            },
        ),
        IDX.format("fashion-mnist"),
    ),
    "cifar-10": Collection(
        "60,000 colour pictures of ten things, 32 × 32",
        "Krizhevsky, Nair, Hinton; no licence stated, for research",
        mirrored(
            ("https://www.cs.toronto.edu/~kriz/", "http://www.cs.toronto.edu/~kriz/"),
            {
                "cifar-10-binary.tar.gz": (
                    170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                ),
            },
        ),
        "source: {cifar: cifar-10/cifar-10-binary.tar.gz}",
    ),
    "california-housing": Collection(
        "20,640 districts with the median price of a house (regression)",
        "StatLib, Pace and Barry 1997; no licence stated",
        (
            RemoteFile(
                "housing.csv", 1_423_529, "2364609dc48bec7df3ba9dbb7041478e704ecddcee70ef1827ec3fc49d22c0cc",
                tuple(book + "housing/housing.csv" for book in BOOK),
            ),
        ),
        "source: {csv: {path: california-housing/housing.csv, target: median_house_value}}\n"
        "prepare: [impute: median, one_hot, standardize]",
    ),
    "titanic": Collection(
        "891 passengers and who survived, 418 more without that",
        "Kaggle teaching set; no licence stated",
        (
            RemoteFile(
                "train.csv", 61_904, "14769fb1850e2d26d8e6db0ee49c213878040432827e39b13caaa15603c6598f",
                tuple(book + "titanic/train.csv" for book in BOOK),
            ),
            RemoteFile(
                "test.csv", 28_932, "d88facfbcf53fe855b1c15290521aee9c61b3a6283631fa953983a95bacf1399",
                tuple(book + "titanic/test.csv" for book in BOOK),
            ),
        ),
        "source: {csv: {path: titanic/train.csv, target: Survived, drop: [PassengerId, Name, Ticket, Cabin]}}\n"
        "prepare: [impute: median, impute: most_frequent, one_hot, standardize]",
    ),
}  # fmt: skip


def collection(name: str) -> Collection:
    """The data set of a name.

    Raises:
        UsageError: when there is none.

    Example:
        >>> len(collection("mnist").files)
        4
    """
    if name not in COLLECTIONS:
        expected = ", ".join(COLLECTIONS)
        advice = suggestion(name, list(COLLECTIONS))
        raise UsageError("there is no such data set to fetch", expected=expected, got=repr(name), hint=advice)
    return COLLECTIONS[name]
