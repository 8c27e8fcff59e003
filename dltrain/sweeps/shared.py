"""The journal of a sweep that several machines share, in a storage of the package Optuna.

The storage keeps a list of records for us, which every machine sees in the same order.  All else follows from that
order, which every reader goes through alike:

* whose *turn* it is to write: the earliest ticket that is drawn and not given back;
* who holds the *lease* of a trial: who took it last, in its turn;
* who is *gone*: of whom nothing was read for a while, not even that it lives.  Others give its ticket back and
  take its leases.

A process that was only held up may come back after that.  What it then writes in a turn that has ended, or of a trial
whose lease another one has, is passed over by all readers.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dltrain.errors import DltrainError, StorageError
from dltrain.sweeps.storage import Storage

TICKET, BACK, LEASE, RELEASE, ALIVE = "ticket", "back", "lease", "release", "alive"
BEAT = 15.0  # seconds between two signs of life
GONE = 90.0  # seconds without any after which a process counts as gone
PAUSE = 0.1  # seconds between two looks at whose turn it is


class SharedJournal:
    """All that happened in a sweep, in order, for workers on any machine.

    Parameters:
        storage: where the records lie
        gone: seconds without a sign of life after which a process counts as gone
    """

    poll = 1.0  # seconds between two looks of a leader

    def __init__(self, storage: Storage, gone: float = GONE) -> None:
        self.storage, self.gone = storage, gone
        self.who = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.place = 0  # records that were looked at
        self.waiting: list[dict[str, Any]] = []  # those of them that count, until they are read
        self.tickets: dict[int, str] = {}  # those that are drawn and not given back: {place: who}
        self.leases: dict[int, str] = {}  # {trial: who}
        self.seen: dict[str, float] = {}  # when something of a process was last read, by this machine's own clock
        self.turn: int | None = None  # this process' ticket
        self.beating: threading.Thread | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        """The records since the last call that count; all of them at first.

        Raises:
            StorageError: when the storage cannot be reached.
        """
        self._look()
        found, self.waiting = self.waiting, []
        yield from found

    def _look(self) -> None:
        for text in self.storage.since(self.place):
            record = json.loads(text)
            if self._counts(self.place, record):
                self.waiting.append({key: value for key, value in record.items() if key not in ("who", "turn")})
            self.place += 1

    def _counts(self, place: int, record: Mapping[str, Any]) -> bool:
        """Take in a record; returns whether it is one of the sweep's own that counts."""
        kind, who, trial = record["event"], record["who"], record.get("trial", 0)
        self.seen[who] = time.monotonic()
        in_turn = self._first() == record.get("turn", -1)
        if kind == TICKET:
            self.tickets[place] = who
        elif kind == BACK:
            self.tickets.pop(record["of"], None)
        elif kind == LEASE and in_turn:
            self.leases[trial] = who
        elif kind == RELEASE and self.leases.get(trial) == who:
            del self.leases[trial]
        own = kind not in (TICKET, BACK, LEASE, RELEASE, ALIVE)
        return own and in_turn and self.leases.get(trial, who) == who

    def _first(self) -> int | None:
        """The ticket whose turn it is."""
        return min(self.tickets, default=None)

    def _gone(self, who: str) -> bool:
        """Whether nothing was read of a process for so long that it is gone."""
        return who != self.who and time.monotonic() - self.seen[who] > self.gone

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """Within it no other process writes; gives the function that appends a record.

        Raises:
            StorageError: when the storage cannot be reached, or this process was held up so long that its turn ended.
        """
        self.turn = self._append({"event": TICKET})
        try:
            self._wait()
            yield self._append
            self._look()
            if self._first() != self.turn:
                hint = "start the worker again"
                raise StorageError("this worker was held up, and others go on without it", where=self.who, hint=hint)
        finally:
            turn, self.turn = self.turn, None
            self._append({"event": BACK, "of": turn})

    def _wait(self) -> None:
        """Wait for this process' turn; one that is gone loses its own."""
        while True:
            self._look()
            first = self._first()
            if first == self.turn or first is None:
                return
            if self._gone(self.tickets[first]):
                self._append({"event": BACK, "of": first})
            time.sleep(PAUSE)

    def _append(self, record: Mapping[str, Any]) -> int:
        from dltrain.runs import files

        turn = {} if self.turn is None else {"turn": self.turn}
        told = files.plain({**record, "who": self.who, **turn})
        return self.storage.append(json.dumps(told, allow_nan=False, ensure_ascii=False))

    def lease(self, trial: int) -> Lease | None:
        """The right to work on a trial, within `writing`; None while another process has it and lives."""
        holder = self.leases.get(trial)
        if holder is not None and not self._gone(holder):
            return None
        self._append({"event": LEASE, "trial": trial})
        self._look()
        if self.beating is None:
            self.beating = threading.Thread(target=self._beat, daemon=True)
            self.beating.start()
        return Lease(self, trial)

    def _beat(self) -> None:
        """Show that this process lives, until it ends."""
        while True:
            time.sleep(min(BEAT, self.gone / 6))
            try:
                self.storage.append(json.dumps({"event": ALIVE, "who": self.who}))
            except DltrainError:
                continue  # whoever works hears of it at the next record


@dataclass(frozen=True)
class Lease:
    """The right to work on a trial.

    Parameters:
        journal: that tells of it
        trial: its number
    """

    journal: SharedJournal
    trial: int

    def release(self) -> None:
        """Give it back."""
        self.journal._append({"event": RELEASE, "trial": self.trial})
