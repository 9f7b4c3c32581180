"""`python -m bench`: measure, show, keep; and the guard."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench import guard as guarding
from bench import page as pages
from bench import plot, record, report, suites
from bench.figures import Figure, Scale
from bench.sameness import Different
from bench.side import SideFailed

_PLOT = record.ROOT / "docs" / "img" / "batch-size.svg"
_WIDTH = 140
_WHAT_TO_DO = """
What to do:
  python -m bench run SUITE     shows where the time goes, on both sides
  py-spy record / cProfile      on `python -m bench.worker`'s target shows why
If it is slower for a good reason, lower the floor in bench/SUITE.py and say the reason in the
commit; if only the machine was busy, run the guard again."""

_NAMES = ", ".join(suites.SUITES)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure Fanout against honest baselines, as ratios within one run.

    The baselines in bench/baseline are what a competent engineer writes with Powertools, boto3 and
    one batched call per batch. Both sides run in processes of their own, in turns, against
    servers on loopback that answer at once; before anything is timed, both must have written
    the same.

    \b
    python -m bench run                  everything (some minutes)
    python -m bench run handlers core    two suites
    python -m bench run --short decode   a quick look
    python -m bench guard                what a change must pass: ratios over their floors
    python -m bench page RESULTS         a kept run's figures into docs/performance.md
    """


@main.command(epilog=f"Suites: {_NAMES}.")
@click.argument("names", metavar="[SUITE]...", nargs=-1)
@click.option("--short", is_flag=True, help="Measure briefly: fewer rounds, one size of batch.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Also write figures here.")
@click.option("--keep", is_flag=True, help="Also keep them as bench/results/<commit>.json.")
@click.option("--plot", "draws", is_flag=True, help="Also draw docs/img/batch-size.svg.")
def run(names: Sequence[str], short: bool, path: Path | None, keep: bool, draws: bool) -> None:
    """Measure suites (all of them by default) and show value, goal, and where the time goes.

    A value is the median of the run. `x` says how many times faster ours is than the baseline;
    the numbers beside it are microseconds per record.

    Exit code 0 once everything is measured, whether goals are met or not; 1 if two sides did not
    write the same; 2 for a name that is no suite.
    """
    _refuse_unknown(names)
    if draws and (short or (names and "handlers" not in names)):
        raise click.UsageError("--plot needs the suite `handlers` in full")
    scale = Scale.SHORT if short else Scale.FULL
    figures = [figure for name in names or suites.SUITES for figure in _measure(name, scale)]
    report.render(figures, _console())
    document = record.document(figures, scale)
    targets = ([path] if path else []) + ([record.kept_path(document)] if keep else [])
    for target in targets:
        record.write(document, target)
        click.echo(f"wrote {target}")
    if draws:
        _PLOT.write_text(plot.draw(plot.costs_of(figures)), encoding="utf-8")
        click.echo(f"wrote {_PLOT}")


@main.command()
@click.argument("names", metavar="[SUITE]...", nargs=-1)
def guard(names: Sequence[str]) -> None:
    """Fail if a ratio is under its floor: the short form, about a minute.

    A suite that fails is measured up to twice more, and the median counts. Exit code 0 if all
    floors hold, 1 if one does not or two sides did not write the same, 2 for a name that is no
    suite.
    """
    _refuse_unknown(names)
    failed: list[guarding.Verdict] = []
    for name in names or guarding.GUARDED:
        try:
            verdicts = guarding.judge(name, _measure)
        except guarding.GuardsNothing as error:
            raise click.ClickException(str(error)) from error
        for verdict in verdicts:
            click.echo(f"{'ok  ' if verdict.figure.holds else 'SLOW'} {verdict.text}")
        failed += [verdict for verdict in verdicts if not verdict.figure.holds]
    if failed:
        click.echo(f"\n{len(failed)} ratios are under their floors.\n{_WHAT_TO_DO}", err=True)
        sys.exit(1)


@main.command()
@click.argument("results", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def page(results: Path) -> None:
    """Put the figures of a kept run into docs/performance.md.

    RESULTS is a file that `run --keep` wrote, such as bench/results/0123456789ab.json.
    """
    text = pages.PAGE.read_text(encoding="utf-8")
    pages.PAGE.write_text(pages.with_tables(text, results), encoding="utf-8")
    click.echo(f"wrote {pages.PAGE}")


def _refuse_unknown(names: Sequence[str]) -> None:
    if unknown := suites.unknown(names):
        raise click.UsageError(f"no such suite: {', '.join(unknown)}; there are {_NAMES}")


def _measure(name: str, scale: Scale) -> list[Figure]:
    """Measure one suite, showing that something is going on."""
    return _shown(f"measuring {name}", lambda: suites.measure(name, scale))


def _shown(what: str, work: Callable[[], list[Figure]]) -> list[Figure]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{what} ...", highlight=False)
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(what, total=None)
        try:
            return work()
        except (Different, SideFailed) as error:
            raise click.ClickException(str(error)) from error


def _console() -> Console:
    """A terminal as wide as it is; a file wide enough for the table."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


if __name__ == "__main__":
    main(prog_name="python -m bench")
