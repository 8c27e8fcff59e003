"""Dates as people write them, and in the form of ISO 8601: a translation that can be learned in minutes."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from dltrain.data.examples import Pool
from dltrain.data.folders import DataFolders
from dltrain.data.pairs import pool_of
from dltrain.data.synthetic import Samples
from dltrain.registry import register
from dltrain.seeds import generator
from dltrain.types import NonNegativeInt

FIRST, LAST = datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th …

    Example:
        >>> [ordinal(number) for number in (1, 12, 23)]
        ['1st', '12th', '23rd']
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(0 if 10 < number < 14 else number % 10, "th")
    return f"{number}{ending}"


def month(date: datetime.date) -> str:
    """Its month in words."""
    return MONTHS[date.month - 1]


FORMS: tuple[Callable[[datetime.date], str], ...] = (
    lambda d: f"{d.day} {month(d)} {d.year}",
    lambda d: f"{d.day} {month(d)[:3]} {d.year}",
    lambda d: f"{month(d)} {d.day}, {d.year}",
    lambda d: f"{month(d)[:3]} {d.day} {d.year}",
    lambda d: f"{month(d).title()} {ordinal(d.day)}, {d.year}",
    lambda d: f"the {ordinal(d.day)} of {month(d)}, {d.year}",
    lambda d: f"{DAYS[d.weekday()]}, {d.day} {month(d)} {d.year}",
    lambda d: f"{DAYS[d.weekday()].title()} {month(d).title()} {d.day}, {d.year}",
    lambda d: f"{d.day:02}.{d.month:02}.{d.year}",
    lambda d: f"{d.day}.{d.month}.{d.year}",
    lambda d: f"{d.month}/{d.day}/{d.year}",
    lambda d: f"{d.year}/{d.month:02}/{d.day:02}",
    lambda d: f"{d.day}-{month(d)[:3].upper()}-{d.year}",
    lambda d: f"{d.year} {month(d)} {d.day}",
)


@register("source", "dates")
class Dates:
    """Dates from 1950 to 2049 in fourteen forms, and in that of ISO 8601; every character is a token.

    9.5.1998, may 9 1998, the 9th of may, 1998 -> 1998-05-09        x (N, S), given and y (N, 11)

    With points the day comes first, with slashes the month.

    Parameters:
        samples: how many
        seed: of the dates; they are the same in every run, whatever the run's seed

    Example:
        >>> pool = Dates(samples=8).load(DataFolders())
        >>> texts = {name: some.units for some in pool.texts for name in some.columns}
        >>> ["".join(texts[name][code] for code in pool.columns[name][0] if code >= 0) for name in ("x", "y")]
        ['7 nov 1969', '1969-11-07<end>']

    Source: after the exercise in Ng, Katanforoosh: Sequence models (deeplearning.ai), 2018.
    """

    def __init__(self, samples: Samples = 10_000, seed: NonNegativeInt = 0) -> None:
        self.samples, self.seed = samples, seed

    def load(self, folders: DataFolders) -> Pool:
        """x, given and y, numbers of characters and -1 behind the end of a text."""
        draw = generator(self.seed, "dates")
        days = draw.integers(0, (LAST - FIRST).days + 1, self.samples)
        forms = draw.integers(0, len(FORMS), self.samples)
        dates = [FIRST + datetime.timedelta(int(day)) for day in days]
        written = [FORMS[form](date) for form, date in zip(forms, dates, strict=True)]
        return pool_of(written, [date.isoformat() for date in dates], ("characters", "characters"), "dates")
