"""All commands with their modules and one line each, and the page that lists them.

The page needs no import but this one, so that `dltrain --help` answers at once.
"""

from __future__ import annotations

# name -> (module that holds it, its line)
COMMANDS: dict[str, tuple[str, str]] = {
    "fit": ("dltrain.cli.fit", "Train from a config."),
    "resume": ("dltrain.cli.resume", "Go on with a run that was stopped."),
    "evaluate": ("dltrain.cli.evaluate", "Measure a trained run on a part of its data, or on other data."),
    "predict": ("dltrain.cli.predict", "Say what a trained run makes of new samples."),
    "errors": ("dltrain.cli.errors", "Show which examples a run gets wrong, and what mending them could gain."),
    "diagnose": ("dltrain.cli.diagnose", "Say what holds a run back, bias or variance, and what to try next."),
    "threshold": ("dltrain.cli.threshold", "Tune from which probability on a run says yes."),
    "calibrate": ("dltrain.cli.calibrate", "Let the probabilities of a run say how often they are right."),
    "replay": ("dltrain.cli.replay", "Run the step that left the finite numbers again, to the very operation."),
    "report": ("dltrain.cli.report", "Write everything about a run or a sweep on one page of HTML."),
    "ui": ("dltrain.cli.ui", "Show all runs in the browser while they train."),
    "generate": ("dltrain.cli.generate", "Write a text with a trained language model."),
    "convert": ("dltrain.cli.convert", "Turn a trained classifier into one that takes pictures of any size."),
    "gradcheck": ("dltrain.cli.gradcheck", "Prove the gradients of a config or run by numerical ones."),
    "trace": ("dltrain.cli.trace", "Show forward and backward by hand: of a network, or of an expression."),
    "check": ("dltrain.cli.check", "Build a config and try one step; show layers, sizes and costs."),
    "doctor": ("dltrain.cli.doctor", "Examine a config before its training: doubtful settings, and trials."),
    "preview": ("dltrain.cli.preview", "See what a config means before it is trained: its schedules, its first batch."),
    "show": ("dltrain.cli.show", "Look into a trained network: filters, activations, what its answers hang on."),
    "explore": ("dltrain.cli.explore", "Look at the data of a config: components, clusters, maps."),
    "sweep": ("dltrain.cli.sweep", "Find good settings of a config by many trials."),
    "lr-find": ("dltrain.cli.lr_find", "Find a learning rate for a config."),
    "learning-curve": ("dltrain.cli.learning_curve", "See whether more data would help."),
    "explain": ("dltrain.cli.explain", "Where every value of a config comes from, or what a name or key means."),
    "list": ("dltrain.cli.list", "What a config may name: layers, losses, optimizers, …, shipped configs."),
    "init": ("dltrain.cli.init", "Write a shipped config to start from."),
    "schema": ("dltrain.cli.schema", "Print the JSON Schema of a config, for editors."),
    "runs": ("dltrain.cli.runs", "List, show, compare and remove runs."),
    "data": ("dltrain.cli.data", "List data sources, show what one holds, examine it, fetch public ones."),
    "warmup": ("dltrain.cli.warmup", "Compile all kernels now instead of at their first use."),
    "completion": ("dltrain.cli.completion", "Print the script that completes commands in your shell."),
}

OVERVIEW = """\
Usage: dltrain COMMAND [ARGUMENT]…

Train, check and explain neural networks from one YAML file.

Commands:
{commands}

Options:
  --help      This page; after a command, the page of that command.
  --version   The version of dltrain.
  --debug     After an error, show the traceback too.
  --json      With any command: print one JSON object and nothing else.

Start with `dltrain fit digits-mlp`, or `dltrain init digits-mlp` for a config of your own.
"""


def overview() -> str:
    """The page of `dltrain --help`."""
    width = max(map(len, COMMANDS))
    return OVERVIEW.format(commands="\n".join(f"  {name:<{width}}  {line}" for name, (_, line) in COMMANDS.items()))
