"""dltrain sweep: find good settings of a config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import CONTEXT, Group, command
from dltrain.cli.sweep_table import finished, result

if TYPE_CHECKING:
    from dltrain.sweeps.folder import SweepFolder
    from dltrain.sweeps.trials import Trial, Trials

START = "start"


class SweepGroup(Group):
    """Commands of sweeps; whatever is none of them is the file of a sweep to be started."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command of the start before a file."""
        if args and args[0] not in (*self.commands, "--help", "-h"):
            args = [START, *args]
        return super().parse_args(ctx, args)


@click.group("sweep", cls=SweepGroup, context_settings=CONTEXT)
def cli() -> None:
    """Find good settings of a config: `dltrain sweep SWEEP.yaml`, or one of the commands below."""


def complete_sweep(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Folders, and the names of the sweeps."""
    from click.shell_completion import CompletionItem

    from dltrain.runs.naming import names
    from dltrain.sweeps.folder import is_sweep

    root = Path(ctx.params.get("runs") or "runs")
    found = [name for name in names(root) if name.startswith(incomplete) and is_sweep(root / name)]
    return [*map(CompletionItem, found), CompletionItem(incomplete, type="dir")]


of_sweep = click.argument("sweep", metavar="SWEEP_RUN", shell_complete=complete_sweep)
workers = click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Trials at a time."
)
fail_fast = click.option("--fail-fast", is_flag=True, help="End with the first trial that fails.")
trials = click.option("--trials", type=click.IntRange(1), metavar="N", help="How many, in place of the file's.")


@command(START)
@click.argument("file", metavar="SWEEP.yaml", type=click.Path())
@trials
@workers
@click.option("--resume", is_flag=True, help="Go on with the newest sweep of this name, if there is one.")
@fail_fast
@click.option("--storage", metavar="URL", help="Share the sweep with other machines: SQL, redis:// or file:///folder.")
@arguments.runs
@arguments.threads
@arguments.plugins
def start(file: str, trials: int | None, threads: int | None, as_json: bool, **options: Any) -> int:
    """Try settings of a config as SWEEP.yaml says, and tell which are the best.

    SWEEP.yaml names a config and its dimensions; `dltrain list dimensions` and `dltrain list samplers` show what they
    may be.  The threads are shared between the workers.

    Ctrl-C lets the trials that are under way save and exits; `dltrain sweep resume SWEEP_RUN` goes on.
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api

    overrides: dict[str, Any] = {} if trials is None else {"trials": trials}
    return finished(
        api.sweep(sweep_path(file), threads=threads, told=tell, begun=announce, **options, **overrides), as_json
    )


@command("resume")
@of_sweep
@trials
@workers
@fail_fast
@arguments.runs
@arguments.threads
@arguments.plugins
def resume(sweep: str, runs: str, trials: int | None, threads: int | None, as_json: bool, **options: Any) -> int:
    """Go on with a sweep that was stopped, or with more trials."""
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api

    return finished(
        api.resume_sweep(sweep, runs=runs, trials=trials, threads=threads, told=tell, begun=announce, **options),
        as_json,
    )


@command("worker")
@click.argument("sweep", metavar="SWEEP_RUN|URL", shell_complete=complete_sweep)
@click.option("--led", is_flag=True, hidden=True)
@fail_fast
@arguments.runs
@arguments.threads
@arguments.plugins
def worker(
    sweep: str,
    led: bool,
    fail_fast: bool,
    runs: str,
    threads: int | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> int:
    """Work on a sweep beside those who work on it already, from another terminal, until nothing is left to do.

    With the URL of a storage, from another machine: on the newest sweep in it, or with URL#NAME on that of this name.
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain.config.plugins import load_plugins
    from dltrain.sweeps.folder import SweepFolder
    from dltrain.sweeps.joining import is_url, joined
    from dltrain.sweeps.team import end_with_leader
    from dltrain.sweeps.worker import Worker

    if led:
        end_with_leader()
    load_plugins(plugins)
    folder = joined(sweep, runs) if is_url(sweep) else SweepFolder.find(sweep, runs)
    code = Worker(folder, fail_fast).work()
    if as_json:
        from dltrain.cli.output import emit

        emit({"sweep": str(folder.path)})
    return code


@command("status")
@of_sweep
@arguments.runs
def status(sweep: str, runs: str, as_json: bool) -> None:
    """Show how far a sweep is, and its best trials."""
    from dltrain import api

    finished(api.sweep_table(sweep, runs=runs), as_json)


@command("best")
@of_sweep
@click.option("--trial", type=click.IntRange(1), metavar="N", help="Another complete trial, as one of the front.")
@click.option("--write", type=click.Path(path_type=Path), metavar="FILE", help="Write the config of the best trial.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@arguments.runs
def best(sweep: str, trial: int | None, write: Path | None, force: bool, runs: str, as_json: bool) -> None:
    """Show the best trial of a sweep, or another one, and write its settings as a config."""
    from dltrain import api
    from dltrain.cli import output
    from dltrain.config.yaml_writer import flow

    found = api.best_of_sweep(sweep, runs=runs, trial=trial, write=write, force=force)
    if as_json:
        output.emit(found)
        return
    facts = [(path, flow(value)) for path, value in found["settings"].items()]
    facts += [(found["metric"], result(found))]
    facts += [(metric, output.number(v)) for metric, v in found["objectives"].items() if metric != found["metric"]]
    facts += [("runs", ", ".join(found["runs"]))]
    output.show(output.table([f"trial {found['trial']}", ""], facts))
    if found["front"]:
        output.show("", f"Pareto front: trials {', '.join(map(str, found['front']))}; --trial N shows one of them")
    if write is not None:
        output.note(f"wrote {write}; `dltrain fit {write}` trains it")


@command("report")
@of_sweep
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the pictures.")
@arguments.runs
def report(sweep: str, out: Path | None, runs: str, as_json: bool) -> None:
    """Show how much each dimension matters, and draw the course of a sweep and its dimensions as SVG files."""
    from dltrain import api
    from dltrain.cli import output

    found = api.report_of_sweep(sweep, runs=runs, out=out)
    if as_json:
        output.emit(found)
        return
    rows = [[path, f"{share:.0%}"] for path, share in found["importance"].items()]
    if rows:
        output.show(output.table(["dimension", "importance"], rows, right=["importance"]), "")
    else:
        output.show("too few trials are complete to say which dimensions matter", "")
    output.show(f"{found['folder']}: {', '.join(found['files'])}")


def announce(folder: SweepFolder) -> None:
    """Say where the sweep is."""
    from dltrain.cli.output import note

    note(f"sweep {folder.path}")


def tell(trial: Trial, trials: Trials) -> None:
    """One line for each trial that is over."""
    from dltrain.cli.output import note, number
    from dltrain.config.yaml_writer import flow

    over = sum(not other.running for other in trials)
    settings = ", ".join(f"{path.rpartition('.')[2]} {flow(value)}" for path, value in trial.settings.items())
    said = f"{trial.state}: {trial.reason}" if trial.reason else number(trial.value)
    note(f"{over:>4}  trial {trial.number}  {said}  ({settings})")


def sweep_path(text: str) -> Path:
    """The file of a sweep: a path, or one that comes with dltrain.

    Raises:
        UsageError: when there is neither.
    """
    from dltrain.config.shipped import shipped_sweeps
    from dltrain.errors import UsageError
    from dltrain.suggest import hint

    path, known = Path(text), shipped_sweeps()
    if path.exists() or text not in known:
        if not path.exists():
            advice = hint(text, [*known, *cli.commands], f"those that come with dltrain: {', '.join(known)}")
            raise UsageError("there is no such sweep", where=text, expected="a YAML file of a sweep", hint=advice)
        return path
    return known[text]


for _command in (start, resume, status, best, report, worker):
    cli.add_command(_command)
