"""dltrain warmup: compile all kernels now."""

from __future__ import annotations

from dltrain.cli import arguments
from dltrain.cli.base import command


@command("warmup")
@arguments.threads
def cli(threads: int | None, as_json: bool) -> None:
    """Compile all kernels now, instead of each at its first use; takes a minute or so, once for a machine."""
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain.cli import output
    from dltrain.kernels import namespace

    namespace("compiled")  # says what to do where Numba is absent
    from dltrain.kernels.compiled.warmup import is_cached, warm_up

    if not is_cached():
        output.note("compiling …")
    seconds = warm_up()
    if as_json:
        output.emit({"seconds": round(seconds, 3)})
    else:
        print(f"all kernels are ready after {output.duration(seconds)}")
