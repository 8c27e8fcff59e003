"""Plain text: read as characters or words, cut into sequences; a vocabulary of the training part numbers them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from dltrain.data.examples import Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.opening import stream, too_large
from dltrain.data.vocabulary import NOTHING, UNKNOWN, Recipe, Texts, WholeUnits, numbered
from dltrain.errors import DataError
from dltrain.registry import create, entries, parse, register
from dltrain.types import PositiveInt

RUNNING = (UNKNOWN,)  # the special tokens of a text that goes on: nothing has to be told from padding


@register("source", "text")
class Text:
    """A plain text, cut into windows one after the other; each token's target is the one behind it.

    tokens c_0 c_1 … -> x (N, T) with x[n, t] = c_{nT + t}, y (N, T) with y[n, t] = c_{nT + t + 1}

    What is left at the end and fills no window is left out.  Characters (or words) become tokens by a vocabulary of the
    training part; token 0 stands for those that it does not have.  Windows that follow each other are alike, so take
    `split: chronological`: validation and test are then the end of the text.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA (UTF-8; .gz is unpacked)
        steps: tokens T of a window
        vocabulary: what a token is: characters, or words

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.txt").write_text("to be or not")
        ...     pool = Text("a.txt", steps=5).load(DataFolders(folder))
        >>> [units] = [texts.units for texts in pool.texts]
        >>> ["".join(units[code] for code in row) for column in "xy" for row in pool.columns[column]]
        ['to be', ' or n', 'o be ', 'or no']

    Source: Karpathy, Johnson, Fei-Fei: Visualizing and understanding recurrent networks, 2015.
    """

    def __init__(self, path: str, steps: PositiveInt = 100, vocabulary: WholeUnits = "characters") -> None:
        self.path, self.steps, self.vocabulary = path, steps, vocabulary

    def load(self, folders: DataFolders) -> Pool:
        """x and y (N, T) int64, numbers of units.

        Raises:
            DataError: when the file is not UTF-8, or shorter than two windows.
        """
        check_fits(self.vocabulary, "one_token_a_unit")
        file = folders.find(self.path)
        codes, units = numbered(units_of([read_text(file)], self.vocabulary))
        codes = codes[0]
        count = (len(codes) - 1) // self.steps
        if count < 2:
            expected, got = f"at least {2 * self.steps + 1} tokens, two windows", f"{len(codes)}"
            raise DataError("the text is too short", where=str(file), expected=expected, got=got)
        size = count * self.steps
        x, y = codes[:size].reshape(count, -1), codes[1 : size + 1].reshape(count, -1)
        texts = Texts(("x", "y"), self.vocabulary, units, RUNNING)
        return Pool({"x": x, "y": y, "time": np.arange(count, dtype=np.float64)}, str(file), texts=(texts,))


@register("source", "text_lines")
class TextLines:
    r"""A text of one sequence a line, such as a list of names; each token's target is the one behind it.

    line c_1 … c_n -> x = ⏎ c_1 … c_n, y = c_1 … c_n ⏎, both (N, T), T the longest line and one

    The end of a line (⏎, `\n`) begins and ends a sequence.  Shorter lines are filled up; what fills up is the token 0,
    counts in no loss and no metric, and changes nothing where a mask goes with it.  Empty lines are left out.
    Characters (or words) become tokens by a vocabulary of the training part.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA (UTF-8; .gz is unpacked)
        vocabulary: what a token is: characters, or words
        max_length: most tokens of a line; longer ones are an error

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.txt").write_text("Ann\nBo\n")
        ...     pool = TextLines("a.txt").load(DataFolders(folder))
        >>> pool.texts[0].units, pool.columns["x"].tolist(), pool.columns["y"].tolist()
        (['\n', 'A', 'B', 'n', 'o'], [[0, 1, 3, 3], [0, 2, 4, -1]], [[1, 3, 3, 0], [2, 4, 0, -1]])
    """

    def __init__(self, path: str, vocabulary: WholeUnits = "characters", max_length: PositiveInt = 1000) -> None:
        self.path, self.vocabulary, self.max_length = path, vocabulary, max_length

    def load(self, folders: DataFolders) -> Pool:
        """x and y (N, T) int64, numbers of units and -1 behind the end.

        Raises:
            DataError: when the file is not UTF-8, has no two lines, or one that is too long.
        """
        check_fits(self.vocabulary, "one_token_a_unit")
        file = folders.find(self.path)
        found = units_of([line.strip() for line in read_text(file).split("\n")], self.vocabulary)
        numbers = [number for number, line in enumerate(found, 1) if line]
        if len(numbers) < 2:
            raise DataError("the file has no lines to learn from", where=str(file), expected="at least 2")
        longest = max(numbers, key=lambda number: len(found[number - 1]))
        if len(found[longest - 1]) > self.max_length:
            expected, got = f"at most {self.max_length} tokens", str(len(found[longest - 1]))
            hint = "give a larger `max_length`, or take the source `text` for running text"
            raise DataError("the line is too long", where=f"{file}:{longest}", expected=expected, got=got, hint=hint)
        whole, units = numbered([["\n", *found[number - 1], "\n"] for number in numbers])
        x, y = whole[:, :-1].copy(), whole[:, 1:].copy()
        x[y == NOTHING] = NOTHING
        texts = Texts(("x", "y"), self.vocabulary, units, RUNNING)
        return Pool({"x": x, "y": y}, str(file), lines=np.array(numbers), texts=(texts,))


def check_fits(vocabulary: object, having: str) -> None:
    """Refuse a vocabulary that a source cannot take.

    Parameters:
        vocabulary: its spec
        having: what it must have: "one_token_a_unit" where windows are cut before, "of_words" where words are given

    Raises:
        SettingError: naming those that the source takes.
    """
    entry, _ = parse(vocabulary, "vocabulary")
    fitting = [name for name, other in entries("vocabulary").items() if hasattr(other.make, having)]
    if entry.name not in fitting:
        what, expected = "this vocabulary does not fit the source", " or ".join(fitting)
        error = SettingError(what, where="vocabulary", expected=expected, got=entry.name)
        raise error.about(vocabulary, "vocabulary")


def units_of(texts: list[str], vocabulary: object) -> list[list[str]]:
    """What each text is made of, as their vocabulary says.

    Parameters:
        texts: as they were read
        vocabulary: the spec of the vocabulary

    Raises:
        SettingError: when the pattern of words is none.
    """
    recipe: Recipe = create("vocabulary", vocabulary)
    try:
        return [recipe.split(text) for text in texts]
    except re.error as error:
        expected, got = "a regular expression", f"{error.pattern!r}: {error.msg}"
        raise SettingError("the pattern cannot be read", where="vocabulary", expected=expected, got=got).about(
            vocabulary, "vocabulary"
        ) from None


def read_text(file: Path) -> str:
    """The text of a file, with line ends as one character.

    Raises:
        DataError: when it is not UTF-8, with the line and what stands there.
        CorruptFileError: when its packing is damaged, or it holds zeros as no text does.
    """
    with stream(file) as (opened, most):
        data = bytearray()
        while piece := opened.read(1 << 20):
            data += piece
            if len(data) > most:
                raise too_large(file, most)
    return decoded(data, str(file))


def decoded(data: bytes | bytearray, file: str) -> str:
    """The text of a file's bytes; see `read_text`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = "save it as UTF-8: `iconv -f latin1 -t utf-8 IN > OUT` for Latin-1"
        got = f"byte 0x{data[error.start]:02x}"
        raise DataError("the text is not UTF-8", where=f"{file}:{line}", expected="UTF-8", got=got, hint=hint) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError("this is no plain text", where=f"{file}:{line}", expected="characters", got="a zero byte")
    return text.replace("\r\n", "\n").replace("\r", "\n")
