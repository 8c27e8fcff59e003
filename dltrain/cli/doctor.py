"""dltrain doctor: examine a config before its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dltrain.cli import arguments
from dltrain.cli.base import command

FAULT_FOUND = 3
SIGNS = {"fault": ("✗", "red"), "doubt": ("!", "yellow"), "fine": ("✓", "green"), "skipped": ("-", "dim")}


@command("doctor")
@arguments.config
@arguments.sets
@arguments.threads
@arguments.plugins
def cli(config: str, sets: tuple[str, ...], threads: int | None, plugins: tuple[str, ...], as_json: bool) -> int:
    """Examine a config before its training, in less than a minute: doubtful settings, and trials.

    The trials train for some seconds: a few examples must be learned by heart, inputs must matter, shuffled labels
    must not help.  Each line names its rule: `dltrain explain RULE` is its page, and `waive: {RULE: reason}` in the
    config silences it.  Exit code 3 means that a fault was found.

    CONFIG is a YAML file, or the name of a config that comes with dltrain (`dltrain list configs`).
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit
    from dltrain.cli.progress import progress

    with progress() as tell:
        found = api.doctor(arguments.config_path(config), sets=sets, plugins=plugins, tell=tell)
    if as_json:
        emit(found)
    else:
        show(found)
    return 0 if found["passed"] else FAULT_FOUND


def show(found: Mapping[str, Any]) -> None:
    """Print a line for each verdict, what to do below those that ask for it, and how many there are of each kind."""
    from dltrain.cli import output

    for verdict in found["verdicts"]:
        show_verdict(verdict, verdict["waived"])
    open_ones = [verdict for verdict in found["verdicts"] if not verdict["waived"]]
    count = {kind: sum(verdict["severity"] == kind for verdict in open_ones) for kind in SIGNS}
    counted = f"{plural(count['fault'], 'fault')}, {plural(count['doubt'], 'doubt')}, {count['fine']} fine"
    output.show("", f"{found['experiment']}: {counted}, in {output.duration(found['seconds'])}")
    if count["fault"] or count["doubt"]:
        first = next(v["rule"] for v in open_ones if v["severity"] in ("fault", "doubt"))
        output.show("", f"`dltrain explain {first}` says more; `waive: {{{first}: reason}}` in the config silences it")


def show_verdict(verdict: Mapping[str, Any], waived: str | None = None) -> None:
    """Print a verdict, and below it what to do, or why it is waived."""
    from rich.padding import Padding
    from rich.text import Text

    from dltrain.cli import output

    sign, colour = SIGNS["skipped" if waived else verdict["severity"]]
    output.show(Text.assemble((sign, colour), " ", (verdict["rule"], "bold"), f": {verdict['what']}"))
    remark = f"waived: {waived}" if waived else verdict["advice"]
    if remark:
        output.show(Padding(Text(remark), (0, 0, 0, 4), expand=False))


def plural(count: int, word: str) -> str:
    """1 fault, 2 faults, no fault.

    Example:
        >>> plural(0, "fault"), plural(1, "fault"), plural(2, "fault")
        ('no fault', '1 fault', '2 faults')
    """
    return f"no {word}" if not count else f"{count} {word}{'s' * (count > 1)}"
