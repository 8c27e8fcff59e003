"""Plain text: read as characters, cut into sequences, numbered by a vocabulary of the training part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders
from dltrain.data.opening import stream, too_large
from dltrain.errors import DataError
from dltrain.registry import register
from dltrain.types import PositiveInt

UNKNOWN, UNKNOWN_NAME = 0, "<unknown>"  # the token of characters that the training part does not have
NOTHING = -1  # in place of a character, where a short sequence is filled up


@register("source", "text")
class Text:
    """A plain text, cut into windows one after the other; each character's target is the one behind it.

    characters c_0 c_1 … -> x (N, T) with x[n, t] = c_{nT + t}, y (N, T) with y[n, t] = c_{nT + t + 1}

    What is left at the end and fills no window is left out.  Characters become tokens by a vocabulary of the training
    part, in the order of Unicode; token 0 stands for those that it does not have.  Windows that follow each other are
    alike, so take `split: chronological`: validation and test are then the end of the text.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA (UTF-8; .gz is unpacked)
        steps: characters T of a window

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.txt").write_text("to be or not")
        ...     pool = Text("a.txt", steps=5).load(DataFolders(folder))
        >>> ["".join(map(chr, row)) for row in pool.columns["x"]], ["".join(map(chr, row)) for row in pool.columns["y"]]
        (['to be', ' or n'], ['o be ', 'or no'])

    Source: Karpathy, Johnson, Fei-Fei: Visualizing and understanding recurrent networks, 2015.
    """

    def __init__(self, path: str, steps: PositiveInt = 100) -> None:
        self.path, self.steps = path, steps

    def load(self, folders: DataFolders) -> Pool:
        """x and y (N, T) int64, the numbers of characters in Unicode.

        Raises:
            DataError: when the file is not UTF-8, or shorter than two windows.
        """
        file = folders.find(self.path)
        codes = codes_of(read_text(file))
        count = (len(codes) - 1) // self.steps
        if count < 2:
            expected, got = f"at least {2 * self.steps + 1} characters, two windows", f"{len(codes)}"
            raise DataError("the text is too short", where=str(file), expected=expected, got=got)
        size = count * self.steps
        x, y = codes[:size].reshape(count, -1), codes[1 : size + 1].reshape(count, -1)
        return Pool({"x": x, "y": y, "time": np.arange(count, dtype=np.float64)}, str(file))


@register("source", "text_lines")
class TextLines:
    r"""A text of one sequence a line, such as a list of names; each character's target is the one behind it.

    line c_1 … c_n -> x = ⏎ c_1 … c_n, y = c_1 … c_n ⏎, both (N, T), T the longest line and one

    The end of a line (⏎, `\n`) begins and ends a sequence.  Shorter lines are filled up; what fills up is the token 0,
    counts in no loss and no metric, and changes nothing where a mask goes with it.  Empty lines are left out.
    Characters become tokens by a vocabulary of the training part.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA (UTF-8; .gz is unpacked)
        lower_case: make all letters small
        max_length: longest line, in characters; longer ones are an error

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.txt").write_text("Ann\nBo\n")
        ...     pool = TextLines("a.txt").load(DataFolders(folder))
        >>> pool.columns["x"].tolist(), pool.columns["y"].tolist()
        ([[10, 65, 110, 110], [10, 66, 111, -1]], [[65, 110, 110, 10], [66, 111, 10, -1]])
    """

    def __init__(self, path: str, lower_case: bool = False, max_length: PositiveInt = 1000) -> None:
        self.path, self.lower_case, self.max_length = path, lower_case, max_length

    def load(self, folders: DataFolders) -> Pool:
        """x and y (N, T) int64, the numbers of characters in Unicode and -1 behind the end.

        Raises:
            DataError: when the file is not UTF-8, has no two lines, or one that is too long.
        """
        file = folders.find(self.path)
        text = read_text(file)
        lines = [line.strip() for line in (text.lower() if self.lower_case else text).split("\n")]
        numbers = [number for number, line in enumerate(lines, 1) if line]
        if len(numbers) < 2:
            raise DataError("the file has no lines to learn from", where=str(file), expected="at least 2")
        longest = max(numbers, key=lambda number: len(lines[number - 1]))
        steps = len(lines[longest - 1]) + 1
        if steps > self.max_length + 1:
            expected, got = f"at most {self.max_length} characters", str(steps - 1)
            hint = "give a larger `max_length`, or take the source `text` for running text"
            raise DataError("the line is too long", where=f"{file}:{longest}", expected=expected, got=got, hint=hint)
        whole = np.full((len(numbers), steps + 1), NOTHING, np.int64)
        for row, number in zip(whole, numbers, strict=True):
            line = codes_of(f"\n{lines[number - 1]}\n")
            row[: len(line)] = line
        x, y = whole[:, :-1].copy(), whole[:, 1:].copy()
        x[y == NOTHING] = NOTHING
        return Pool({"x": x, "y": y}, str(file), lines=np.array(numbers))


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


def codes_of(text: str) -> Array:
    """Characters as their numbers in Unicode (n,) int64.

    Example:
        >>> codes_of("aé").tolist()
        [97, 233]
    """
    return np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.int64)


def vocabulary(codes: Array) -> list[str]:
    """The names of all tokens: the unknown one first, then the characters in the order of Unicode.

    Example:
        >>> vocabulary(codes_of("abba"))
        ['<unknown>', 'a', 'b']
    """
    found = np.unique(codes)
    return [UNKNOWN_NAME, *(chr(code) for code in found[found != NOTHING])]


def tokens_of(codes: Array, names: list[str]) -> Array:
    """Characters as tokens, int64; 0 for those that are unknown, and for what fills up a sequence.

    Example:
        >>> tokens_of(codes_of("cab"), ["<unknown>", "a", "b"]).tolist()
        [0, 1, 2]
    """
    known = np.array([ord(name) for name in names[1:]], np.int64)
    if not len(known):
        return np.zeros(codes.shape, np.int64)
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return np.where(known[place] == codes, place + 1, UNKNOWN)


def tokenized(columns: dict[str, Array], train: Array) -> tuple[dict[str, Array], list[str]]:
    """Columns of characters as tokens, and the vocabulary of the training part.

    Parameters:
        columns: "x" and "y" (N, T)
        train: positions of the training examples

    Returns:
        x from 0 on, y with -1 where nothing is to be learned; and the names of the tokens.
    """
    names = vocabulary(np.concatenate([columns["x"][train].reshape(-1), columns["y"][train].reshape(-1)]))
    y = np.where(columns["y"] == NOTHING, NOTHING, tokens_of(columns["y"], names))
    return {**columns, "x": tokens_of(columns["x"], names), "y": y}, names
