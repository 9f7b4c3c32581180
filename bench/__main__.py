"""`python -m bench`: measure, show, keep; and the guard."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench import record, report, suites
from bench.figures import Figure, Scale


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure Fanout against honest baselines, as ratios within one run.

    The baselines in bench/baseline are what a competent engineer writes with Powertools, boto3 and
    one batched call per batch. Both sides run in processes of their own, in turns, against
    servers on loopback that answer at once; before anything is timed, both must have written
    the same.

    \b
    python -m bench run                  everything, as `make bench` does (some minutes)
    python -m bench run handlers core    two suites
    python -m bench run --short decode   a quick look
    python -m bench guard                what a change must pass: ratios over their floors
    """


@main.command()
@click.argument("names", metavar="[SUITE]...", nargs=-1)
@click.option("--short", is_flag=True, help="Measure briefly: fewer rounds, one size of batch.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Also write figures here.")
@click.option("--keep", is_flag=True, help="Also keep them as bench/results/<commit>.json.")
def run(names: Sequence[str], short: bool, path: Path | None, keep: bool) -> None:
    """Measure suites and show a table: value, goal, and where the time goes.

    \b
    Suites: decode, core, filters, handlers, cold_start, pipeline, verify, costs; all by default.
    A value is the median of the run; `x` says how many times faster ours is than the baseline.

    Exit code 0 once everything is measured, whether goals are met or not; 2 for a name that is no
    suite.
    """
    if unknown := suites.unknown(names):
        known = ", ".join(suites.SUITES)
        raise click.UsageError(f"no such suite: {', '.join(unknown)}; there are {known}")
    scale = Scale.SHORT if short else Scale.FULL
    figures = _measured(names or suites.SUITES, scale)
    report.render(figures, Console())
    document = record.document(figures, scale)
    for target in [path] * (path is not None) + [record.kept_path(document)] * keep:
        assert target is not None
        record.write(document, target)
        click.echo(f"wrote {target}")


def _measured(names: Sequence[str], scale: Scale) -> list[Figure]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    figures: list[Figure] = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for name in names:
            task = progress.add_task(f"measuring {name}", total=None)
            figures += suites.measure(name, scale)
            progress.remove_task(task)
    return figures


if __name__ == "__main__":
    sys.exit(main())
