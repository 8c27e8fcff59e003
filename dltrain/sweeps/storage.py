"""A list of texts that many machines append to and see in one order, in a storage of the package Optuna.

A list is a study of Optuna, a text a trial of it: of all storages it gives trials their numbers one after the other,
whoever adds them at once.  The study's `dltrain` attribute holds what a machine needs to join.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dltrain.errors import StorageError, UsageError
from dltrain.sweeps.model_based import imported

ATTRIBUTE = "dltrain"
FOLDER = "file://"
PASSWORD = re.compile(  # after the name of an account, or as a parameter, also within one that is for ODBC
    r"(?i)(?<=://)([^:/?@]*:).*(?=@)|((?:[?&;]|%3B)(?:ssl)?(?:password|passwd|pwd)(?:=|%3D)).*?(?=[&#]|$)"
)
REDIS = ("redis://", "rediss://", "unix://")


class Storage:
    """The list of one sweep.

    Parameters:
        url: of the storage: of an SQL database as SQLAlchemy takes it, redis://…, or file:///path of a shared folder
        name: of the sweep; default: the newest
    """

    def __init__(self, url: str, name: str | None = None) -> None:
        self.url, self.backend = url, backend(url)
        with reached(url):
            found = self.backend.get_all_studies()
        studies = {study.study_name: study for study in found if ATTRIBUTE in study.user_attrs}
        known = sorted(studies, key=lambda study: studies[study]._study_id)
        if (name or (known or [""])[-1]) not in studies:
            hint = f"there are {', '.join(known)}" if known else "`dltrain sweep SWEEP.yaml --storage URL` begins one"
            raise UsageError("there is no such sweep in the storage", where=shown(url), got=name or "", hint=hint)
        self.name = name or known[-1]
        self.study = studies[self.name]._study_id

    @staticmethod
    def create(url: str, name: str, content: Any) -> Storage:
        """A new list.

        Parameters:
            url: of the storage
            name: of the sweep
            content: plain data that a machine needs to join

        Raises:
            UsageError: when there is one of this name.
            StorageError: when the storage cannot be reached.
        """
        optuna, made = imported(), backend(url)
        with reached(url):
            try:
                study = made.create_new_study([optuna.study.StudyDirection.MINIMIZE], name)
            except optuna.exceptions.DuplicatedStudyError:
                hint = f"`dltrain sweep worker URL#{name}` joins it; another `name` in the file begins another one"
                what = "this sweep is in the storage already"
                raise UsageError(what, where=shown(url), got=name, hint=hint) from None
            made.set_study_user_attr(study, ATTRIBUTE, content)
        return Storage(url, name)

    def content(self) -> Any:
        """What a machine needs to join."""
        with reached(self.url):
            return self.backend.get_study_user_attrs(self.study)[ATTRIBUTE]

    def append(self, text: str) -> int:
        """Append a text; returns its place, from 0.

        Raises:
            StorageError: when the storage cannot be reached.
        """
        trials = imported().trial
        state = trials.TrialState.COMPLETE
        made = trials.create_trial(state=state, value=0.0, user_attrs={ATTRIBUTE: text})
        with reached(self.url):
            trial = self.backend.create_new_trial(self.study, template_trial=made)
            return int(self.backend.get_trial(trial).number)

    def since(self, place: int) -> list[str]:
        """The texts from a place on, without gaps.

        Raises:
            StorageError: when the storage cannot be reached.
        """
        with reached(self.url):
            found = self.backend.get_all_trials(self.study, deepcopy=False)
        texts = {trial.number: trial.user_attrs[ATTRIBUTE] for trial in found if trial.number >= place}
        return [texts[number] for number in range(place, place + len(texts)) if number in texts]


def backend(url: str) -> Any:
    """Optuna's storage of a URL.

    Raises:
        UsageError: when a package is not installed.
        StorageError: when it cannot be reached.
    """
    optuna = imported()
    with reached(url):
        if url.startswith(FOLDER):
            from optuna.storages.journal import JournalFileBackend

            folder = Path(url.removeprefix(FOLDER))
            return optuna.storages.JournalStorage(JournalFileBackend(str(folder / "sweeps.log")))
        if url.startswith(REDIS):
            from optuna.storages.journal import JournalRedisBackend

            with warnings.catch_warnings():  # it says that it is experimental
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return optuna.storages.JournalStorage(JournalRedisBackend(url))
        from sqlalchemy.pool import NullPool  # no connection stays open between two uses, some seconds apart

        return optuna.storages.get_storage(optuna.storages.RDBStorage(url, engine_kwargs={"poolclass": NullPool}))


@contextmanager
def reached(url: str) -> Iterator[None]:
    """What the storage's packages say when it cannot be reached, as one sentence.

    Raises:
        UsageError: when a package is not installed.
        StorageError: when it cannot be reached.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except ImportError as error:
        hint = 'install the package of this database: `pip install "dltrain[postgresql]"` or `"dltrain[redis]"`'
        raise UsageError(f"a package is missing: {error}".partition("\n")[0], where=shown(url), hint=hint) from None
    except (OSError, SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        said = getattr(error, "strerror", None) or str(error.__cause__ or error).strip().partition("\n")[0]
        hint = "does the server run, and is the URL right?"
        raise StorageError(f"the storage cannot be used: {said}", where=shown(url), hint=hint) from None


def refuse_password(url: str) -> None:
    """Refuse a URL that holds a password: it would be written into the folder of the sweep.

    Raises:
        UsageError: with where the password belongs.
    """
    if shown(url) != url:
        what = "a password in a URL would be written into the sweep's folder"
        hint = "leave it to the database's own client: PostgreSQL's reads the file PGPASSFILE, or PGPASSWORD"
        raise UsageError(what, where=shown(url), expected="a URL without a password", hint=hint)


def shown(url: str) -> str:
    """A URL without its password.

    Example:
        >>> shown("postgresql://anna:secret@host/sweeps"), shown("file:///shared/a:b@c")
        ('postgresql://anna:…@host/sweeps', 'file:///shared/a:b@c')
        >>> shown("redis://host?password=secret&db=1")
        'redis://host?password=…&db=1'
    """
    return PASSWORD.sub(lambda found: f"{found[1] or found[2]}…", url)
