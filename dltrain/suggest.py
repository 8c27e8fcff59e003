"""Did you mean …?  The nearest known name to one that is not known; serves error messages only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from dltrain.synonyms import NOTES, SYNONYMS

LISTED = 8  # names of a file that an error shows


def normal(name: str) -> str:
    """A name without capitals, hyphens and camel case: `batchSize` -> `batch_size`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\s._-]+", "_", spaced).strip("_").lower()


def distance(a: str, b: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour, to get from `a` to `b`.

    Example:
        >>> distance("epohcs", "epochs"), distance("droput", "dropout")
        (1, 1)

    Source: optimal string alignment; L. Boytsov, "Indexing methods for approximate dictionary
        searching", 2011.
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most likely meant, or None.

    Example:
        >>> closest("lr", ["learning_rate", "beta_1"]), closest("batchSize", ["batch_size", "epochs"])
        ('learning_rate', 'batch_size')
        >>> closest("zebra", ["batch_size", "epochs"]) is None
        True
    """
    names, written = [k for k in known if isinstance(k, str)], normal(str(name)[:80])
    same = [k for k in names if normal(k).replace("_", "") == written.replace("_", "")]
    if same or not written:
        return same[0] if same else None
    for synonym in SYNONYMS.get(written, ()):
        if synonym in names:
            return synonym
    targets = [(normal(k), k) for k in names if len(k) <= 80]
    targets += [(synonym, k) for synonym, ks in SYNONYMS.items() for k in ks[:1] if k in names and len(synonym) > 3]
    scores = sorted((distance(written, target), index) for index, (target, _) in enumerate(targets))
    if scores:
        steps, index = scores[0]
        longer = max(len(written), len(targets[index][0]))  # one letter for another is another name, not a slip
        if steps <= max(1, (len(written) + 1) // 3) and 2 * steps <= longer:
            return targets[index][1]
    if len(written) < 3:
        return None
    inside = [k for k in names if normal(k).startswith(written) or (len(k) > 3 and written.startswith(normal(k)))]
    return min(inside, key=len) if inside else None


def listed(names: Iterable[str]) -> str:
    """Some names from a file, as an error shows them: what cannot be printed is escaped.

    Example:
        >>> listed(["x", "y" + chr(27)]).isprintable()
        True
    """
    return ", ".join(name if name.isprintable() else repr(name) for name in islice(names, LISTED))


def hint(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of an error's sentence: `did you mean …?`, with a note where the meaning differs.

    Example:
        >>> hint("keep_prob", ["rate"])
        "did you mean 'rate'? (rate is the share that is dropped: 1 − keep_prob)"
    """
    near = closest(name, known)
    if near is None:
        return otherwise
    note = NOTES.get(normal(str(name)))
    return f"did you mean {near!r}?" + (f" ({note})" if note and near in note else "")
