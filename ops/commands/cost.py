"""`fanout cost`: what a pipeline costs in AWS, per consumer and million changes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict

import click

from consumers.registry import REGISTRY
from infra.aws.stage import STAGES
from ops.capacity import measured, prices
from ops.capacity.cost import Line, month
from ops.capacity.options import item_kb_option
from ops.capacity.workload import Workload
from ops.console import console, print_json, table


@click.command()
@click.option(
    "--changes-per-second",
    default=100.0,
    show_default=True,
    type=click.FloatRange(min=0.001, max=1_000_000),
    help="Changes of the table, on average.",
)
@item_kb_option
@click.option(
    "--stage",
    default="prod",
    show_default=True,
    type=click.Choice(list(STAGES)),
    help="Whose OpenSearch domain to count.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every position as JSON.")
def cost(changes_per_second: float, item_kb: float, stage: str, as_json: bool) -> None:
    """Say what a pipeline costs in AWS: by consumer and service.

    Per million changes what grows with them, at this rate; per month what does not. Needs no
    account and asks nobody: prices come from one dated file, formulae stand in docs/cost.md. The
    table's own writes and storage are not counted: you pay them without Fanout too.

    \b
    Examples:
      fanout cost
      fanout cost --changes-per-second 2000 --item-kb 4
      fanout cost --stage dev --changes-per-second 1 --json | jq '.month_dollars'
    """
    work = Workload(changes_per_second=changes_per_second, item_kb=item_kb)
    asked, known = prices.load(), measured.load()
    lines = month(REGISTRY, work, STAGES[stage], asked, known)
    total = sum(line.dollars for line in lines)
    if as_json:
        print_json(
            {
                "prices": {"date": asked.date, "region": asked.region},
                "measured": {"date": known.date, "machine": known.machine},
                "changes_per_month": work.changes_per_month,
                "month_dollars": total,
                "lines": [asdict(line) for line in lines],
            }
        )
        return
    _print(lines, work)
    console().print(
        f"{work.changes_per_month / 1e6:,.0f} million changes a month: $ {total:,.2f}. "
        f"List prices of {asked.region} as noted by hand on {asked.date}: compare them with AWS's "
        f"before you decide. CPU times measured {known.date}."
    )


def _print(lines: Sequence[Line], work: Workload) -> None:
    """A row for each consumer and service."""
    grows: dict[tuple[str, str], float] = defaultdict(float)
    stays: dict[tuple[str, str], float] = defaultdict(float)
    for line in lines:
        (stays if line.fixed else grows)[line.consumer, line.service] += line.dollars
    millions = work.changes_per_month / 1e6
    rows: list[tuple[object, ...]] = []
    last = ""
    for key in dict.fromkeys((line.consumer, line.service) for line in lines):
        consumer, service = key
        per_million = grows[key] / millions
        month_dollars = grows[key] + stays[key]
        rows.append(
            (
                consumer if consumer != last else "",
                service,
                _dollars(per_million),
                _dollars(stays[key]),
                _dollars(month_dollars),
            )
        )
        last = consumer
    rows.append(
        (
            "in all",
            "",
            _dollars(sum(grows.values()) / millions),
            _dollars(sum(stays.values())),
            _dollars(sum(grows.values()) + sum(stays.values())),
        )
    )
    columns = ("consumer", "service", ">$ a million changes", ">$ fixed a month", ">$ a month")
    console().print(table("What it costs", columns, rows))


def _dollars(amount: float) -> str:
    if not amount:
        return "-"
    return f"{amount:,.4f}" if amount < 0.01 else f"{amount:,.2f}"
