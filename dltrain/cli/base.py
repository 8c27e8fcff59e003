"""How commands are made and found."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import click

from dltrain import __version__
from dltrain.cli.commands import COMMANDS, overview

CONTEXT = {"help_option_names": ["--help", "-h"], "max_content_width": 100}


class Group(click.Group):
    """Commands that are imported when they are asked for.

    Parameters:
        lazy: {name: (module that holds the command under the attribute `cli`, its line)}
        page: the help page; default Click's
    """

    lazy: Mapping[str, tuple[str, str]] = {}
    page: Callable[[], str] | None = None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the page."""
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now; None when there is none."""
        if cmd_name in self.lazy:
            command = importlib.import_module(self.lazy[cmd_name][0]).cli
            assert isinstance(command, click.Command)
            return command
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name.

        Raises:
            UsageError: when there is none, with the nearest name.
        """
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            from dltrain.suggest import hint

            advice = hint(args[0], self.list_commands(ctx), f"`{ctx.command_path} --help` lists them")
            raise click.UsageError(f"there is no command {args[0]!r}; {advice}", ctx)
        return (None if command is None else args[0]), command, args[1:]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help page."""
        if self.page is not None:
            formatter.write(self.page())
        else:
            click.Command.format_help(self, ctx, formatter)


def _with_common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    # both are read by main() too, which must know them when the command line itself is wrong
    return _debug(_json("as_json", True)(function))


def _json(name: str, exposed: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--json",
        name,
        is_flag=True,
        expose_value=exposed,
        callback=_remembered,
        help="Print one JSON object and nothing else.",
    )


def _debug(function: Callable[..., Any]) -> Callable[..., Any]:
    text = "After an error, show the traceback."
    return click.option("--debug", is_flag=True, expose_value=False, help=text)(function)


def _remembered(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Whether --json was given here or before the command."""
    ctx.meta["dltrain.json"] = value or ctx.meta.get("dltrain.json", False)
    return bool(ctx.meta["dltrain.json"])


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: makes a function a command that takes --json (as `as_json`) and --debug.

    The function's docstring is the help page; it returns nothing, or an exit code.

    Parameters:
        name: of the command
    """
    return lambda function: click.command(name, context_settings=CONTEXT)(_with_common_options(function))


def group(name: str) -> Callable[[Callable[..., Any]], Group]:
    """Decorator: makes a function a group of commands, which are added to it with `add_command`.

    Parameters:
        name: of the group
    """
    made = click.group(name, cls=Group, context_settings=CONTEXT)
    return lambda function: made(_json("before", False)(_debug(function)))


@click.group("dltrain", cls=Group, context_settings=CONTEXT)
@click.version_option(__version__, message="dltrain %(version)s")
@_json("before", False)
@_debug
def root() -> None:
    """Train, check and explain neural networks from one YAML file."""


root.lazy, root.page = COMMANDS, overview
