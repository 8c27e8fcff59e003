"""dltrain completion: the script that completes commands in a shell."""

from __future__ import annotations

import click

from dltrain.cli.base import command, root

SHELLS = ("bash", "zsh", "fish")

# Click's own script forgets the names where files are possible too.
BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value
    response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1")
    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            plain) COMPREPLY+=("$value") ;;
            file) COMPREPLY+=($(compgen -f -- "$value")); compopt -o filenames 2> /dev/null ;;
            dir) COMPREPLY+=($(compgen -d -- "$value")); compopt -o filenames 2> /dev/null ;;
        esac
    done
}

complete -F %(complete_func)s %(prog_name)s
"""


@command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def cli(shell: str, as_json: bool) -> None:
    """Print the script that completes commands, options, configs and runs in your shell.

    \b
    bash:  dltrain completion bash > ~/.local/share/bash-completion/completions/dltrain
    zsh:   dltrain completion zsh > ~/.zfunc/_dltrain       (a folder of $fpath)
    fish:  dltrain completion fish > ~/.config/fish/completions/dltrain.fish
    """
    from dltrain.cli.output import emit

    source = script(shell)
    if as_json:
        emit({"shell": shell, "script": source})
    else:
        print(source)


def script(shell: str) -> str:
    """The script for a shell."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    completion = made(root, {}, "dltrain", "_DLTRAIN_COMPLETE")
    # not completion.source(): for bash that starts a bash, to look at its version
    return (BASH if shell == "bash" else completion.source_template) % completion.source_vars()
