"""The loop: batches, steps, and what happens between them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import NumericsError
from dltrain.kernels import compiles_first
from dltrain.model.mode import Mode
from dltrain.optim import Moment
from dltrain.training import state
from dltrain.training.autopsy import ADVICE, not_finite
from dltrain.training.goal import Goal, lookup
from dltrain.training.hooks import Hook
from dltrain.training.limits import Limits
from dltrain.training.triggers import Every, Now

if TYPE_CHECKING:
    from dltrain.data import Loader
    from dltrain.data.prefetch import Prefetch
    from dltrain.tasks import Tally
    from dltrain.training.averaging import Averaging
    from dltrain.training.evaluation import Evaluator
    from dltrain.training.journal import Journal, NoJournal
    from dltrain.training.objective import Objective
    from dltrain.training.progress import Progress


class Trainer:
    """Trains a model until a limit is met, a hook stops it, or a signal arrives.

    Parameters:
        objective: graph, task and penalties
        optimizer: bound to the graph's vector
        loader: training batches
        validation: loader of the validation part, or None
        train_dev: loader of the part that is like the training part and held out from it, or None
        evaluator: for the validation part
        mode: of the training steps
        limits: how long
        hooks: early stopping …
        evaluate: when to evaluate
        checkpoint: when to save
        goal: what says which state is the best
        journal: keeps records and checkpoints
        progress: shows them
        micro_batch: the most examples that are in memory at once; a larger batch comes in several micro-batches
        constraints: what the kernels are brought back to after every update
        average: of the weights; evaluations and whoever uses the checkpoints take it
    """

    def __init__(
        self,
        *,
        objective: Objective,
        optimizer: Any,
        loader: Prefetch,
        validation: Loader | None,
        train_dev: Loader | None,
        evaluator: Evaluator,
        mode: Mode,
        limits: Limits,
        hooks: Sequence[Hook],
        evaluate: Every,
        checkpoint: Every,
        goal: Goal,
        journal: Journal | NoJournal,
        progress: Progress,
        micro_batch: int,
        constraints: Sequence[Any] = (),
        average: Averaging | None = None,
    ) -> None:
        self.objective, self.optimizer, self.loader, self.validation = objective, optimizer, loader, validation
        self.evaluator, self.mode, self.limits, self.hooks = evaluator, mode, limits, hooks
        self.evaluate, self.checkpoint, self.goal = evaluate, checkpoint, goal
        self.journal, self.progress = journal, progress
        self.micro_batch, self.constraints, self.average = micro_batch, constraints, average
        self.graph = objective.graph
        self.kernels = mode.kernels(self.graph.vector.value)
        self.tally = objective.task.tally()
        self.epoch = self.index = self.step = 0
        self.thawed = 0  # the epoch whose frozen parameters the graph knows
        self.rate = 0.0  # learning rate of the last step
        self.settled = True  # whether everything due after the last step is done
        self.started = time.monotonic()
        self.seconds = 0.0
        self.best: dict[str, Any] | None = None
        self.stopped: str | None = None
        self.restores_best = False  # whether the run ends with the best weights in place of the last
        self.held_out = {"train_dev": train_dev, "validation": validation}
        self.metrics: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
        self.measured_at = -1  # step of the newest metrics
        self.saved = -1  # step of the newest checkpoint
        self.total_steps = limits.total_steps(loader.steps_per_epoch)

    def run(self) -> str:
        """Train; returns why it ended: epochs, steps, time, early_stopping or signal."""
        with self.loader:
            return self._run()

    def _run(self) -> str:
        self.started = time.monotonic() - self.seconds
        limits, names = self.limits, self.tally.names
        compiling = compiles_first(self.mode.kernels(self.graph.vector.value))
        if compiling:
            self.progress.message("compiling the kernels, once on this machine: half a minute")
        self.progress.start(limits.epochs, self.total_steps, self.loader.steps_per_epoch, names, limits.seconds)
        if self.saved < 0:
            self.save()
        self._settle()
        # What leaves the finite numbers is named by the guard below; what is almost zero is taken for zero.
        with np.errstate(all="ignore"), flushed(self.kernels):
            try:
                if compiling and self._reason() is None:
                    with self.journal.at_once():  # half a minute, and the state before it is saved
                        self.train_step()
                    self._finish_step()
                while (reason := self._reason()) is None:
                    self.advance()
            except NumericsError:
                self.journal.write_held()
                raise
        if self.saved != self.step:
            self.save()
        if self.restores_best:
            self._restore_best()
        return reason

    def advance(self) -> None:
        """One step, and all that is due after it."""
        self.train_step()
        self._finish_step()

    def _finish_step(self) -> None:
        self.seconds = time.monotonic() - self.started
        self._settle()

    def train_step(self) -> None:
        """One batch: forward, loss, backward, update.

        Raises:
            NumericsError: when loss or gradient is not finite; the parameters are then still those before the step.
        """
        if self.epoch != self.thawed:
            self._thaw()
        batch = self.loader.batch(self.epoch, self.index, self.kernels)
        mode, vector, kernels = self.mode, self.graph.vector, self.kernels
        if self.index == 0 and self.loader.stateful:
            mode.states = {}
        value = None
        for number, part in enumerate(batch.pieces(self.micro_batch)):
            mode.begin(self.step, part.kind, number)
            value = self.objective(part, mode, value)
            if not (np.isfinite(value.loss) and kernels.all_finite(vector.grad)):
                raise not_finite(self.objective, part, mode, self.step)
            self.tally.add(value.loss, value.penalty, value.outputs, part, kernels)
        self.rate = self.optimizer.step(Moment(self.step, self.loader.steps_per_epoch, self.total_steps))
        for constraint in self.constraints:
            constraint.apply(self.graph.parameters.values(), kernels)
        self.graph.changed()
        if self.average is not None:
            self.average.update(self.step, self.loader.steps_per_epoch)
        self.step += 1
        self.index += 1
        self.settled = False

    def _thaw(self) -> None:
        """Tell the graph which parameters are frozen in this epoch."""
        if self.optimizer.thaws:
            self.graph.freeze(self.optimizer.frozen(self.graph.parameters, self.epoch))
        self.thawed = self.epoch

    def measured(self) -> dict[str, dict[str, float]]:
        """Metrics of the state the run ended with, which a limit in steps or time may have cut before its evaluation.

        They are not logged: a run that is continued logs what an unbroken one would have.
        """
        if self.measured_at == self.step or not self.tally.count:
            return self.metrics
        return {"train": self.tally.results(), "validation": {}, **(self._held_out() or {})}

    def _validate(self, part: Loader) -> Tally | None:
        """Measure the averaged weights where there is an average, else those that are trained; None on a signal."""
        with nullcontext() if self.average is None else self.average.applied():
            return self.evaluator.run(part)

    def stop(self, reason: str, restore_best: bool = False) -> None:
        """Ask for the end of the run after this step (for hooks).

        Parameters:
            reason: why
            restore_best: whether the last checkpoint shall hold the best weights instead of the last ones
        """
        self.stopped, self.restores_best = reason, restore_best

    def _restore_best(self) -> None:
        """Put the best weights in place of the last ones and save them; may be done again after a kill."""
        best = self.journal.best(self)
        if best is not None:
            arrays, meta = best
            state.load_weights(self, arrays, meta["average"])
            self.save()

    def set_clock(self, seconds: float) -> None:
        """Count the time, and the intervals of evaluations and checkpoints, from here."""
        self.seconds = self.evaluate.last = self.checkpoint.last = seconds

    def higher_is_better(self, monitor: str) -> bool:
        """Whether a larger value of `part.metric` is the better one."""
        return self.objective.task.higher_is_better(monitor.partition(".")[2])

    def save(self) -> None:
        """Write a checkpoint of this very state.

        Raises:
            NumericsError: when a parameter is not finite; such a state is never saved.
        """
        self._check_finite()
        self.journal.save(self)
        self.saved = self.step

    def _check_finite(self) -> None:
        graph = self.graph
        if not self.kernels.all_finite(graph.vector.value):
            path = next(p for p, t in graph.parameters.items() if not np.isfinite(t.value).all())
            what = f"the optimizer's last update made {path} non-finite"
            raise NumericsError(what, where=f"step {self.step}", expected="finite numbers", hint=ADVICE)
        for path, statistic in graph.statistics.items():
            if not np.isfinite(statistic.value).all():
                what = f"the running statistic {path} is no longer finite"
                raise NumericsError(what, where=f"step {self.step}", expected="finite numbers", hint=ADVICE)

    def _settle(self) -> None:
        """Do what is due after a step: show, evaluate, record, save.

        A signal may cut this short.  The state then says that the step is not settled, and a resumed run does it again.
        """
        if self.settled:
            return
        epoch_end = self.index == self.loader.steps_per_epoch
        now = Now(self.epoch + epoch_end, self.step, epoch_end, self.seconds)
        if self.seconds >= self.progress.next_poll:
            self.progress.step(now, self.tally, self.rate)
        evaluate, save, best = self.evaluate.due(now), self.checkpoint.due(now), False
        if epoch_end or evaluate:
            record = self._evaluate(now, evaluate)
            if record is None:
                return
            best = self._take(record, now)
        if epoch_end:
            self.epoch, self.index = now.epoch, 0
            self.tally.reset()
        self.settled = True
        if save:
            self.save()
        elif best:
            self._check_finite()
            self.journal.hold(self)

    def _evaluate(self, now: Now, evaluate: bool) -> dict[str, Any] | None:
        """The record of this step; None when a signal came before it was whole."""
        record: dict[str, Any] = {"epoch": now.epoch, "step": now.step, "learning_rate": self.rate}
        if now.epoch_end:
            record["train"] = self.tally.results()
        measured = self._held_out() if evaluate else {}
        return None if measured is None else record | measured

    def _held_out(self) -> dict[str, dict[str, float]] | None:
        """Metrics of the parts held out from training; None when a signal came before they were whole."""
        measured = {}
        for part, loader in self.held_out.items():
            tally = None if loader is None else self._validate(loader)
            if tally is not None:
                measured[part] = tally.results()
            elif loader is not None:
                return None
        return measured

    def _take(self, record: dict[str, Any], now: Now) -> bool:
        """Log a record, show it and let the hooks see it; returns whether it is the best so far."""
        self.metrics |= {part: values for part, values in record.items() if isinstance(values, dict)}
        self.measured_at = now.step
        self.journal.record(record)
        self.progress.evaluated(record, self.seconds)
        self.optimizer.observe(lambda name: self._seen(record, name or self.goal.metric))
        for hook in self.hooks:
            hook.after_evaluation(self, record)
        best = self.goal.best(record, self.best)
        self.best = best or self.best
        return best is not None

    def _seen(self, record: dict[str, Any], metric: str) -> tuple[float | None, bool]:
        return lookup(record, metric), self.higher_is_better(metric)

    def _reason(self) -> str | None:
        met = self.stopped or self.limits.met(self.epoch, self.step, self.seconds)
        return met or ("signal" if self.journal.interrupted() else None)

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Everything that the next step depends on: (arrays, JSON values)."""
        return state.state_of(self)

    def load_state(self, arrays: dict[str, Any], meta: dict[str, Any], where: str = "") -> None:
        """Go on from `state()`.

        Parameters:
            arrays: of the state
            meta: its JSON values
            where: the file it came from

        Raises:
            DltrainError: when it is the state of other hooks, or an older version of dltrain wrote it.
            CorruptFileError: when it is no moment of this run.
        """
        state.load_state(self, arrays, meta)
        state.check_position(self, where)


@contextmanager
def flushed(kernels: Any) -> Iterator[None]:
    """Subnormal numbers are taken for zero inside this context."""
    kernels.flush_subnormals(True)
    try:
        yield
    finally:
        kernels.flush_subnormals(False)
