"""dltrain ui: all runs in the browser, while they train."""

from __future__ import annotations

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

PORT = 8765


@command("ui")
@arguments.runs
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Where; 0: a free one.")
@click.option("--open", "opened", is_flag=True, help="Show it in the browser.")
def cli(runs: str, port: int, opened: bool, as_json: bool) -> int:
    """Show all runs in the browser, with curves that grow while they train, until Ctrl-C.

    The page is for this machine only: its address, which is printed, has a token that others do not know.  Nothing can
    be changed through it.
    """
    import sys
    from pathlib import Path
    from threading import Thread

    from dltrain.cli.output import emit, note
    from dltrain.pages.server import Server
    from dltrain.runs.signals import Interruption

    with Interruption() as stop:
        server = Server(Path(runs), port)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
        if as_json:
            emit({"url": server.url, "runs": str(Path(runs).absolute())})
        else:
            print(server.url)
            note("Ctrl-C ends it")
        sys.stdout.flush()
        if opened:
            import webbrowser

            webbrowser.open(server.url)
        wait(stop)
        server.shutdown()
        server.server_close()
    return stop.exit_code


def wait(stop: object) -> None:
    """Wait for a signal."""
    import time

    while not stop:
        time.sleep(0.1)
