"""dltrain warmup: compile all kernels now."""

from __future__ import annotations

from dltrain.cli import arguments
from dltrain.cli.base import command


@command("warmup")
@arguments.threads
def cli(threads: int | None, as_json: bool) -> None:
    """Compile all kernels now, instead of each at its first use; takes a minute or so, once for a machine."""
    import time

    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import kernels
    from dltrain.cli import output

    started = time.monotonic()
    names = kernels.warmup()
    seconds = time.monotonic() - started
    if as_json:
        output.emit({"kernels": len(names), "seconds": round(seconds, 3)})
    else:
        print(f"{len(names)} kernels are ready after {output.duration(seconds)}")
