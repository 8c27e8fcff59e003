"""dltrain generate: texts that a trained language model writes."""

from __future__ import annotations

import click

from dltrain.cli import arguments
from dltrain.cli.base import command


@command("generate")
@arguments.run
@click.option("--prompt", default="", metavar="TEXT", help="What the text begins with; default the start of a line.")
@click.option("--length", type=click.IntRange(1, 1_000_000), default=500, help="Characters to write; default 500.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 100),
    default=1.0,
    help="Below 1: safer, above 1: bolder; 0: always the likeliest.  Default 1.",
)
@click.option("--top-k", type=click.IntRange(1), metavar="K", help="Draw among the K likeliest characters only.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Another seed, another text.  Default 0.")
@click.option("--lines", type=click.IntRange(1, 100_000), metavar="N", help="Write N texts that end with their line.")
@arguments.checkpoint
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(
    run: str,
    prompt: str,
    length: int,
    temperature: float,
    top_k: int | None,
    seed: int,
    lines: int | None,
    checkpoint: str,
    runs: str,
    threads: int | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a text with a trained language model.

    RUN is a run folder, or the name of a run (its newest).  With --lines each text ends where its line does, as names
    do; they have the seeds from --seed on.
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli import output

    result = api.generate(
        run,
        prompt,
        length=length,
        temperature=temperature,
        top_k=top_k,
        seed=seed,
        lines=lines,
        checkpoint=checkpoint,
        runs=runs,
        plugins=plugins,
    )
    if as_json:
        output.emit(result)
    else:
        for text in result["texts"]:
            click.echo(prompt + text)
