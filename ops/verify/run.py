"""Verify a running pipeline: one scan of the table for all projections, then each by itself."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from consumers import metrics
from infra.local.deployment import Deployment
from infra.local.telemetry.log_tail import all_documents
from ops.traffic.reads import Source
from ops.verify.audit import AuditCheck
from ops.verify.cache import CacheCheck
from ops.verify.downloads import Downloads
from ops.verify.findings import Check, Verdict
from ops.verify.metrics import MetricsCheck
from ops.verify.search import SearchCheck
from ops.verify.settle import DEFAULT_PATIENCE_SECONDS, settle
from ops.verify.table import Table, item_name
from ops.verify.totals import TotalsCheck
from shared import entities
from shared.archive import Archive

PROJECTIONS = ("audit", "metrics", "cache", "search", "totals")
_TOLD_EVERY = 5_000

# Told what is being done, as in "reading the table: 5,000 items".
Tell = Callable[[str], None]


def _silence(_: str) -> None:
    """Tell nobody."""


def verify_all(
    deployment: Deployment,
    log_folder: Path,
    *,
    only: Collection[str] = (),
    patience: float = DEFAULT_PATIENCE_SECONDS,
    tell: Tell = _silence,
) -> list[Verdict]:
    """Compare projections with the table; returns one verdict each, in a fixed order.

    Args:
        deployment: what to verify; the process's environment must lead boto to its AWS.
        log_folder: where the workers' logs are, `<consumer>.log`; metrics are read from there.
        only: names of projections; none for all.
        patience: how long, in seconds, to look again while nothing settles.
        tell: told of the progress.

    Memory: a few hundred bytes for each item. Raises Unavailable if something to be
    compared does not answer.
    """
    with Downloads() as downloads:
        archive = Archive(deployment.bucket, downloads)
        checks = _checks(deployment, archive, log_folder / f"{metrics.SPEC.name}.log", only)
        _verify(checks, Table(deployment.table), patience, tell)
    return [check.verdict for check in checks]


def _verify(checks: Sequence[Check], table: Table, patience: float, tell: Tell) -> None:
    if shown := [check for check in checks if check.needs_items]:
        _show_items(table, shown, tell)
    suspects = {}
    for check in checks:
        tell(f"comparing {check.verdict.projection}")
        suspects[check] = list(check.compare())
    settle(suspects, patience, lambda left: tell(_left(left)))


def _show_items(table: Table, checks: Sequence[Check], tell: Tell) -> None:
    count = 0
    for count, item in enumerate(table.items(), 1):
        kind, name = entities.kind_of(item), item_name(item)
        for check in checks:
            check.expect(kind, name, item)
        if count % _TOLD_EVERY == 0:
            tell(f"reading the table: {count:,} items")
    tell(f"read the table: {count:,} items")


def _checks(
    deployment: Deployment, archive: Archive, printed: Path, only: Collection[str]
) -> list[Check]:
    table = Table(deployment.table)
    source = Source(deployment.table)
    makers: dict[str, Callable[[], Check]] = {
        "audit": lambda: AuditCheck(table, archive),
        "metrics": lambda: MetricsCheck(archive, lambda: all_documents(printed)),
        "cache": lambda: CacheCheck(table, source.load, deployment.cache_url),
        "search": lambda: SearchCheck(table, deployment.search_url),
        "totals": lambda: TotalsCheck(table, Table(deployment.ledger_table)),
    }
    return [makers[name]() for name in PROJECTIONS if name in (only or PROJECTIONS)]


def _left(left: Mapping[str, int]) -> str:
    parts = (f"{count:,} in {name}" for name, count in left.items() if count)
    return f"looking again at what differs: {', '.join(parts)}"
