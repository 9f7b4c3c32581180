"""`fanout size`: how large a pipeline has to be, and which quota of AWS ends it first."""

from dataclasses import asdict
from typing import Any

import click

from consumers.registry import REGISTRY
from ops.capacity import measured
from ops.capacity.options import item_kb_option
from ops.capacity.size import ConsumerSize, Plan, plan
from ops.capacity.workload import Workload
from ops.commands.status import duration
from ops.console import FOUND, console, print_json, table

_COLUMNS = (
    "consumer", ">shards", ">parallel", ">window", ">batch", ">records/s",
    ">concurrency", ">busy", ">freshness", "objective",
)  # fmt: skip


@click.command()
@click.option(
    "--changes-per-second",
    required=True,
    type=click.FloatRange(min=0.001, max=1_000_000),
    help="Changes of the table, at the peak.",
)
@item_kb_option
@click.option(
    "--stored-orders",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(min=0),
    help="Orders in the search index.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def size(changes_per_second: float, item_kb: float, stored_orders: int, as_json: bool) -> None:
    """Size a pipeline: shards, batches, windows, concurrency, search nodes, quotas.

    Set what it says in the consumers' SPECs (parallelization, window_seconds) and in
    infra/aws/stage.py (shards, nodes). busy: the share of time in which a consumer works; half
    of it is kept for catching up after an outage. Reckoned from measured CPU times and documented
    limits (docs/cost.md): try it before you trust it.

    \b
    Exit code: 0 fine; 1 a quota is too small, or an objective would not be met.

    \b
    Examples:
      fanout size --changes-per-second 500
      fanout size --changes-per-second 100000 --item-kb 4 --stored-orders 200000000
      fanout size --changes-per-second 20000 --json | jq '.quotas[0]'
    """
    work = Workload(
        changes_per_second=changes_per_second, item_kb=item_kb, stored_orders=stored_orders
    )
    made = plan(REGISTRY, work, measured.load())
    if as_json:
        print_json(_document(made))
    else:
        _print(made)
    if made.quotas[0].used > 1 or not all(each.meets for each in made.consumers):
        raise SystemExit(FOUND)


def _print(made: Plan) -> None:
    shown = console()
    shown.print(table("Consumers", _COLUMNS, [_row(each) for each in made.consumers]))
    shown.print(
        f"Kinesis: {made.kinesis_shards:,} shards. "
        f"Table's stream: at least {made.table_shards:,} shards, which DynamoDB makes by itself. "
        f"OpenSearch: {made.search_nodes:,} data nodes, index of {made.search_shards:,} shards."
    )
    rows = [
        (quota.name, f"{quota.needed:,.1f}", f"{quota.limit:,}", f"{quota.used:.0%}")
        for quota in made.quotas[:6]
    ]
    columns = ("quota", ">needed", ">by default", ">used")
    shown.print(table("Quotas of AWS, the tightest first", columns, rows))
    first = made.quotas[0]
    verb = "is too small" if first.used > 1 else "is reached first"
    shown.print(f"{first.name} {verb}: {first.remedy}.")


def _row(each: ConsumerSize) -> tuple[object, ...]:
    known = "" if each.read.measured else " (not measured: as the dearest)"
    fresh = duration(each.freshness_ms) if each.busy < 1 else "falls behind"
    return (
        each.name + known,
        f"{each.shards:,}",
        each.spec.parallelization,
        f"{each.spec.window_seconds} s",
        f"{each.read.batch:,.0f}",
        f"{each.read.served_per_second:,.0f}",
        f"{each.read.concurrency:,.1f}",
        f"{each.busy:.0%}",
        fresh,
        "met" if each.meets else f"missed: {duration(each.spec.freshness.within_ms)}",
    )


def _document(made: Plan) -> dict[str, Any]:
    return {
        "kinesis_shards": made.kinesis_shards,
        "table_shards": made.table_shards,
        "search_nodes": made.search_nodes,
        "search_shards": made.search_shards,
        "consumers": [
            {
                "name": each.name,
                "source": each.spec.source.value,
                "shards": each.shards,
                "parallelization": each.spec.parallelization,
                "batch_size": each.spec.batch_size,
                "window_seconds": each.spec.window_seconds,
                "records_per_batch": each.read.batch,
                "records_per_second": each.read.served_per_second,
                "concurrency": each.read.concurrency,
                "busy": each.busy,
                "freshness_ms": each.freshness_ms if each.busy < 1 else None,
                "meets_objective": each.meets,
                "measured": each.read.measured,
            }
            for each in made.consumers
        ],
        "quotas": [{**asdict(quota), "used": quota.used} for quota in made.quotas],
    }
