"""Error analysis by hand: a table of mistakes to tag, and what mending each tag could gain."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dltrain.diagnose.mistakes import Mistakes
from dltrain.errors import DataError

HEADER = ("id", "label", "prediction", "confidence", "loss", "tags", "right_label")
BY_HAND = ("tags", "right_label")  # columns that are left empty, for the reader


def as_csv(mistakes: Mistakes, kept: Mapping[str, Mapping[str, str]]) -> str:
    """A line for each mistake, worst first, with empty columns to fill in; what was filled in or added before is kept.

    Parameters:
        mistakes: all of them wrong
        kept: {id: its row} of an earlier file
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = HEADER if mistakes.texts is None else (*HEADER, "text")
    added = [name for name in next(iter(kept.values()), {}) if name not in header]
    writer.writerow((*header, *added))
    for k in range(len(mistakes)):
        earlier = kept.get(str(mistakes.ids[k]), {})
        confidence = "" if mistakes.confidence is None else f"{mistakes.confidence[k]:.4f}"
        facts = (mistakes.ids[k], mistakes.labels[k], mistakes.predictions[k], confidence, f"{mistakes.loss[k]:.4f}")
        by_hand = (earlier.get(column, "") for column in BY_HAND)
        texts = () if mistakes.texts is None else (mistakes.texts[k],)
        writer.writerow((*facts, *by_hand, *texts, *(earlier.get(column, "") for column in added)))
    return text.getvalue()


def read_tags(path: Path) -> dict[str, dict[str, str]]:
    """{id: row} of a table that was written by `as_csv` and filled in.

    Raises:
        DataError: when it is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            names = reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        hint = "save it as CSV in UTF-8"
        raise DataError(f"this is no table of text ({error})", where=str(path), hint=hint) from None
    except OSError as error:
        raise DataError(f"it cannot be read ({error.strerror})", where=str(path)) from None
    lacking = [name for name in HEADER if name not in names]
    if lacking:
        expected, hint = f"the columns {', '.join(HEADER)}", "let `dltrain errors` write it, and fill in `tags`"
        raise DataError(f"there is no column {lacking[0]!r}", where=f"{path}:1", expected=expected, hint=hint)
    found: dict[str, dict[str, str]] = {}
    for line, row in enumerate(rows, 2):
        if None in row or any(row[name] is None for name in HEADER):
            raise DataError("the line has another number of columns than the first", where=f"{path}:{line}")
        if row["id"] in found:
            raise DataError(f"id {row['id']} stands there twice", where=f"{path}:{line}")
        found[row["id"]] = row
    return found


def tags_of(row: Mapping[str, str]) -> list[str]:
    """The tags of a line, between semicolons.

    Example:
        >>> tags_of({"tags": "blurry; dark ;blurry"})
        ['blurry', 'dark']
    """
    return list(dict.fromkeys(tag.strip() for tag in row["tags"].split(";") if tag.strip()))


def is_tagged(row: Mapping[str, str]) -> bool:
    """Whether something was filled in."""
    return bool(tags_of(row) or row["right_label"].strip())


def analysis(table: Mapping[str, Mapping[str, str]], mistakes: Mistakes, where: str) -> dict[str, Any]:
    """What the tags say: the most that mending each could gain, and the error where labels were wrong.

    A tag that is on n of m examined mistakes could, mended, take away at most n/m of the error; a mistake may have
    several tags, so that these ceilings do not add up.  A mistake counts as examined when it has a tag or a right
    label.  Where the right label is the predicted one, the model was right and the label wrong.

    Parameters:
        table: the rows by id
        mistakes: of all examples of the part
        where: the table's file, for errors

    Returns:
        {examined, mistakes, error, ceilings: [{tag, count, share, points, left}], wrong_labels, corrected_error}; the
        points are percentage points of the error, and corrected_error is None where no label was wrong.

    Raises:
        DataError: when nothing is tagged, or a tagged example is none of the mistakes.

    Source: Ng: Machine learning yearning, 2018, chapters 14 to 19.
    """
    wrong = {str(mistakes.ids[k]) for k in range(len(mistakes)) if mistakes.wrong[k]}
    examined = {id: row for id, row in table.items() if is_tagged(row)}
    strange = next((id for id in examined if id not in wrong), None)
    if strange is not None:
        hint = "tag the table of this run, part and checkpoint"
        raise DataError(f"example {strange} is none of this run's mistakes", where=where, hint=hint)
    if not examined:
        expected, hint = "tags such as `blurry; dark` in the column `tags`", "a hundred mistakes are enough"
        raise DataError("nothing is tagged", where=where, expected=expected, hint=hint)
    counts = Counter(tag for row in examined.values() for tag in tags_of(row))
    error, count = mistakes.error, len(examined)
    ceilings = [
        {"tag": tag, "count": n, "share": n / count, "points": 100 * error * n / count, "left": error * (1 - n / count)}
        for tag, n in counts.most_common()
    ]
    excused = sum(row["right_label"].strip() == row["prediction"] for row in examined.values())
    mislabelled = sum(bool(row["right_label"].strip()) for row in examined.values())
    return {
        "examined": count,
        "mistakes": len(wrong),
        "error": error,
        "ceilings": ceilings,
        "wrong_labels": mislabelled,
        "corrected_error": error * (1 - excused / count) if mislabelled else None,
    }
