"""Texts with a label each: a folder for each class, a table, or a file for each class."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from dltrain.data.examples import Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.tables import Column
from dltrain.data.text_entries import Columns, Entry, in_folders, in_lines, in_table, pool_of_texts
from dltrain.data.vocabulary import Vocabularies
from dltrain.registry import register
from dltrain.types import PositiveInt

Delimiter = Literal["auto", ",", ";", "|", "tab"]


@register("source", "text_folder")
class TextFolder:
    """Texts (.txt, UTF-8) below a folder or in a .tar.gz, a file each, with a folder for each class.

    Outer folders named train, val and test are those parts.

    Parameters:
        path: the folder or archive, relative to the config, ./data or $DLTRAIN_DATA
        vocabulary: what a token is: words, characters or byte_pairs
        max_length: most words (characters) of a text; what is behind them is cut off, counted and told
        validation_path: a folder or archive that is the validation part
        test_path: a folder or archive that is the test part

    Example:
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name, text in (("bad", "so dull"), ("good", "so good!")):
        ...         Path(folder, "set", name).mkdir(parents=True)
        ...         _ = Path(folder, "set", name, "1.txt").write_text(text)
        ...     pool = TextFolder("set").load(DataFolders(folder))
        >>> pool.columns["y"].tolist(), pool.texts[0].units, pool.columns["x"].tolist()
        (['bad', 'good'], ['!', 'dull', 'good', 'so'], [[3, 1, -1], [3, 2, 0]])

    Source: the layout is that of Pang, Lee: A sentimental education, 2004.
    """

    def __init__(
        self,
        path: str,
        vocabulary: Vocabularies = "words",
        max_length: PositiveInt = 256,
        validation_path: str | None = None,
        test_path: str | None = None,
    ) -> None:
        self.path, self.vocabulary, self.max_length = path, vocabulary, max_length
        self.validation_path, self.test_path = validation_path, test_path

    def load(self, folders: DataFolders) -> Pool:
        """x (N, T) int64 numbers of units, y (N,) labels as text.

        Raises:
            SettingError: when a path is not there.
            DataError: when a text is empty, not UTF-8, or lies in no folder of a class.
        """
        entries = list(in_folders(folders.find_any(self.path), parts=True))
        for part, path in (("validation", self.validation_path), ("test", self.test_path)):
            if path is not None:
                entries += [replace(entry, part=part) for entry in in_folders(folders.find_any(path))]
        return pool_of_texts(entries, self.path, self.vocabulary, self.max_length, folders)


@register("source", "text_table")
class TextTable:
    """Texts and their labels in two columns of a table (.csv, .tsv; UTF-8; .gz is unpacked).

    Columns are named by the header, or by position: 0 is the first, -1 the last.  In files of commas an entry may stand
    in double quotes; between tabs quotes are characters.  Further columns are passed over.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA
        text: the column with the text
        label: the column with the label
        vocabulary: what a token is: words, characters or byte_pairs
        max_length: most words (characters) of a text; what is behind them is cut off, counted and told
        header: whether the first line holds names; auto: where a column is named
        delimiter: what stands between columns; auto: a tab in files that end in .tsv or .tsv.gz, else a comma
        classes: labels in the order of the class numbers; left out: by the alphabet
        validation_path: a file that is the validation part
        test_path: a file that is the test part

    Example:
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.tsv").write_text('so "good"\\t1\\nso dull\\t0\\n')
        ...     pool = TextTable("a.tsv", vocabulary={"words": {"pattern": r"\\S+"}}).load(DataFolders(folder))
        >>> pool.columns["y"].tolist(), pool.texts[0].units
        (['1', '0'], ['"good"', 'dull', 'so'])

    Source: Y. Shafranovich: Common format and MIME type for comma-separated values, RFC 4180, 2005.
    """

    def __init__(
        self,
        path: str,
        text: Column = 0,
        label: Column = 1,
        vocabulary: Vocabularies = "words",
        max_length: PositiveInt = 256,
        header: bool | Literal["auto"] = "auto",
        delimiter: Delimiter = "auto",
        classes: list[str | int] | None = None,
        validation_path: str | None = None,
        test_path: str | None = None,
    ) -> None:
        self.path, self.text, self.label, self.vocabulary, self.max_length = path, text, label, vocabulary, max_length
        self.header, self.delimiter, self.classes = header, delimiter, classes
        self.validation_path, self.test_path = validation_path, test_path

    def load(self, folders: DataFolders) -> Pool:
        """x (N, T) int64 numbers of units, y (N,) labels as text.

        Raises:
            SettingError: when a path or a column is not there.
            DataError: when a row has too few entries, a text is empty, or the file is not UTF-8.
        """
        columns = Columns(self.text, self.label, self.header, self.delimiter)
        entries: list[Entry] = []
        for part, path in (("train", self.path), ("validation", self.validation_path), ("test", self.test_path)):
            if path is not None:
                entries += [replace(entry, part=part) for entry in in_table(folders.find(path), columns)]
        pool = pool_of_texts(entries, self.path, self.vocabulary, self.max_length, folders)
        layout = {**pool.layout, "table": columns.plain()}
        return replace(pool, classes=self.classes and list(self.classes), layout=layout)


@register("source", "text_files")
class TextFiles:
    """Texts in a file for each class, a text a line (UTF-8; .gz is unpacked).

    Parameters:
        classes: {class: its file}, relative to the config, ./data or $DLTRAIN_DATA
        vocabulary: what a token is: words, characters or byte_pairs
        max_length: most words (characters) of a text; what is behind them is cut off, counted and told

    Example:
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name, text in (("neg", "so dull\\n"), ("pos", "so good\\nso nice\\n")):
        ...         _ = Path(folder, name).write_text(text)
        ...     pool = TextFiles({"bad": "neg", "good": "pos"}).load(DataFolders(folder))
        >>> pool.columns["y"].tolist(), pool.place(2).rpartition("/")[2]
        (['bad', 'good', 'good'], 'pos:2')

    Source: the layout is that of Pang, Lee: Seeing stars, 2005.
    """

    def __init__(
        self, classes: dict[str, str], vocabulary: Vocabularies = "words", max_length: PositiveInt = 256
    ) -> None:
        self.classes, self.vocabulary, self.max_length = classes, vocabulary, max_length

    def load(self, folders: DataFolders) -> Pool:
        """x (N, T) int64 numbers of units, y (N,) labels as text.

        Raises:
            SettingError: when a path is not there, or there are not two classes.
            DataError: when a line is empty, or a file is not UTF-8.
        """
        if len(self.classes) < 2:
            error = SettingError("a class is missing", where="classes", expected="two or more, with a file each")
            raise error.about(self.classes, "classes")
        entries = [entry for name, path in self.classes.items() for entry in in_lines(folders.find(path), str(name))]
        where = ", ".join(self.classes.values())
        pool = pool_of_texts(entries, where, self.vocabulary, self.max_length, folders)
        return replace(pool, classes=[str(name) for name in self.classes])
