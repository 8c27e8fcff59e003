"""dltrain warmup: compile all kernels now."""

from __future__ import annotations

from dltrain.cli import arguments
from dltrain.cli.base import command


@command("warmup")
@arguments.threads
def cli(threads: int | None, as_json: bool) -> None:
    """Compile all kernels now, instead of each at its first use; takes a minute or two, once for a machine.

    As many processes as there are threads compile beside each other.
    """
    import time

    from dltrain import kernels
    from dltrain.cli import output
    from dltrain.cli import threads as pool
    from dltrain.cli.progress import progress

    pool.prepare(threads)
    processes = threads or pool.default_threads()
    started = time.monotonic()
    with progress() as tell:
        names = kernels.warmup(processes, lambda done, total: tell(f"{done} of {total} kernels are ready"))
    seconds = time.monotonic() - started
    if as_json:
        output.emit({"kernels": len(names), "seconds": round(seconds, 3)})
    else:
        print(f"{len(names)} kernels are ready after {output.duration(seconds)}")
