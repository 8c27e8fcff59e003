"""What the commands of sweeps print: the best trials, or the Pareto front, and how far a sweep is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEYS = (
    "sweep", "name", "metric", "higher", "sampler", "wanted", "running", "seconds", "counts", "trials", "best",
    "objectives", "front", "rounds",
)  # fmt: skip
SHOWN = 10  # best trials on the screen


def finished(found: Mapping[str, Any], as_json: bool) -> int:
    """Show a sweep, and return the exit code."""
    from dltrain.cli import output
    from dltrain.config.yaml_writer import flow

    if as_json:
        output.emit({key: found[key] for key in KEYS})
        return int(found.get("exit_code", 0))
    paths = list(dict.fromkeys(path for trial in found["trials"] for path in trial["settings"]))
    front = set(found["front"])
    ranked = [trial for trial in sorted_trials(found) if not front or trial["trial"] in front]
    others = [metric for metric in found["objectives"] if metric != found["metric"]]
    rounds = ["round"] if any(trial["round"] > 1 for trial in ranked) else []
    rows = []
    for trial in ranked if front else ranked[:SHOWN]:
        settings = [flow(trial["settings"][path]) if path in trial["settings"] else None for path in paths]
        values = [result(trial), *(output.number(trial["objectives"][metric]) for metric in others)]
        rows.append([trial["trial"], *(trial[key] for key in rounds), *settings, *values])
    if front:
        output.show("Pareto front: of these trials none is better than another in all objectives", "")
    if rows:
        headers = ["trial", *rounds, *paths, found["metric"], *others]
        output.show(output.table(headers, rows, right=["trial", *rounds, found["metric"], *others]))
    output.show(*summary(found))
    return int(found.get("exit_code", 0))


def sorted_trials(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The complete trials, best first."""
    from dltrain.sweeps.trials import COMPLETE
    from dltrain.training.goal import merit

    complete = [trial for trial in found["trials"] if trial["state"] == COMPLETE]
    return sorted(complete, key=lambda trial: merit(trial["violation"], trial["value"], found["higher"]))


def summary(found: Mapping[str, Any]) -> list[str]:
    """How far a sweep is, why trials failed, and what comes next."""
    from dltrain.cli.output import duration

    counts = found["counts"]
    parts = [f"{counts[state]} {state}" for state in counts if counts[state]]
    wanted = "" if found["wanted"] is None else f" of {found['wanted']}"
    lines = [
        "",
        f"{len(found['trials'])}{wanted} trials ({', '.join(parts) or 'none yet'}), {duration(found['seconds'])}",
    ]
    reasons: dict[str, list[int]] = {}
    for trial in found["trials"]:
        if trial["state"] == "failed":
            reasons.setdefault(trial["reason"], []).append(trial["trial"])
    for reason, numbers in list(reasons.items())[:5]:
        lines.append(f"failed   {', '.join(map(str, numbers[:8]))}{', …' if len(numbers) > 8 else ''}: {reason}")
    lines.append(f"sweep    {found['sweep']}")
    return lines


def result(trial: Mapping[str, Any]) -> str:
    """The value of a trial in words."""
    from dltrain.cli.output import number

    deviation = "" if trial["deviation"] is None else f" ± {number(trial['deviation'])}"
    return number(trial["value"]) + deviation + (", bounds missed" if trial["violation"] else "")
