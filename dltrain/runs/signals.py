"""Ctrl-C and SIGTERM: the first asks the training to finish its step and save, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal came while nothing was under way that would have to be finished.

    Parameters:
        number: of the signal
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interruption:
    """While it is entered, the first SIGINT or SIGTERM only sets `requested`, which long work polls.

    Within `at_once` it raises `Stopped` too: reading data and compiling kernels leave nothing to be saved.
    The second one ends the process at once, with the shell's exit code (130 for SIGINT, 143 for SIGTERM).
    Python gives signals to the main thread only: entered in another one, it does nothing.

    Parameters:
        on_request: called with the signal's number at the first poll after it came, not within the handler,
            where printing could be in the middle of printing already

    Example:
        >>> with Interruption() as interruption:
        ...     signal.raise_signal(signal.SIGINT)
        ...     interruption.requested == signal.SIGINT, interruption.exit_code
        (True, 130)
    """

    def __init__(self, on_request: Callable[[int], object] | None = None) -> None:
        self.requested: int | None = None
        self._on_request = on_request
        self._before: dict[signal.Signals, Any] = {}
        self._at_once = False

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # None stands for a handler that was not installed from Python and cannot be put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def __bool__(self) -> bool:
        if self.requested is None:
            return False
        callback, self._on_request = self._on_request, None
        if callback is not None:
            callback(self.requested)
        return True

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, nothing has to be finished: a signal ends the work with an exception, wherever it is.

        Raises:
            Stopped: when a signal came, at the latest at the end: an exception within a finalizer would be lost.
        """
        self._at_once = True
        try:
            self._check()
            yield
        finally:
            self._at_once = False
        self._check()

    def _check(self) -> None:
        if self.requested is not None:
            raise Stopped(self.requested)

    @property
    def exit_code(self) -> int:
        """128 + number of the signal, as shells report it; 0 when none came."""
        return 0 if self.requested is None else 128 + self.requested

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested is not None:
            os._exit(128 + number)  # not sys.exit: a `finally` or an exception handler could hold it up
        self.requested = number
        if self._at_once:
            raise Stopped(number)
