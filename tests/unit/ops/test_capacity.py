"""Cost and size: the formulae against sums done by hand, and how the commands speak."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from consumers.registry import REGISTRY
from infra.aws.stage import STAGES
from ops.capacity import measured, prices
from ops.capacity.cost import Line, month
from ops.capacity.measured import MB_PER_CPU
from ops.capacity.reading import SINK_MS, duration_ms, largest_batch, reading
from ops.capacity.shards import kinesis_shards, table_shards
from ops.capacity.size import MOST_BUSY, plan
from ops.capacity.workload import MONTH_SECONDS, Workload
from ops.cli import main
from shared.entities import Kind
from shared.spec import ConsumerSpec, Grant

ROOT = Path(__file__).resolve().parents[3]
SPECS = {spec.name: spec for spec in REGISTRY}
PRICES, MEASURED = prices.load(), measured.load()
RATES = (0.01, 1, 100, 5_000, 100_000, 1_000_000)


def lines(rate: float = 100, stage: str = "prod") -> list[Line]:
    work = Workload(changes_per_second=rate)
    return month(REGISTRY, work, STAGES[stage], PRICES, MEASURED)


def dollars(made: list[Line], consumer: str, service: str, what: str = "") -> float:
    return sum(
        line.dollars
        for line in made
        if (line.consumer, line.service) == (consumer, service) and what in line.what
    )


def test_what_a_consumer_gets_is_what_its_filters_let_through() -> None:
    work = Workload(
        changes_per_second=1,
        shares={Kind.ORDER: 0.7, Kind.SCORE: 0.2, Kind.TOTAL: 0.1},
        insert_share=0.25,
    )
    assert work.share_of(SPECS["audit"]) == pytest.approx(1)
    assert work.share_of(SPECS["cache"]) == pytest.approx(1)
    assert work.share_of(SPECS["search"]) == pytest.approx(0.7)
    assert work.share_of(SPECS["totals"]) == pytest.approx(0.2)
    assert work.share_of(SPECS["metrics"]) == pytest.approx(0.7 + 0.2 * 0.25)


def test_write_units_per_score_fall_with_folding() -> None:
    """2 for the ledger's entry, and 2 for a total that several share."""
    for fold, units in ((1, 4.0), (10, 2.2), (100, 2.02)):
        work = Workload(changes_per_second=1e6 / MONTH_SECONDS, shares={Kind.SCORE: 1.0}, fold=fold)
        made = month(REGISTRY, work, STAGES["prod"], PRICES, MEASURED)
        paid = dollars(made, "totals", "DynamoDB", "ledger")
        assert paid == pytest.approx(units * PRICES["dynamodb_million_writes"])


def test_kinesis_is_paid_by_those_who_read_it() -> None:
    made = lines()
    assert not dollars(made, "audit", "Kinesis")
    assert not dollars(made, "totals", "Kinesis")
    work = Workload(changes_per_second=100)
    gigabytes = work.changes_per_month * 6 / 1024**2
    assert work.record_kb < 6, "rounded up to whole kB, as AWS does"
    read = {name: dollars(made, name, "Kinesis", "read") for name in ("cache", "search")}
    assert read["cache"] == pytest.approx(gigabytes * 0.05)
    assert read["search"] == pytest.approx(gigabytes * 0.04)
    written = [dollars(made, name, "Kinesis", "written") for name in ("cache", "search", "metrics")]
    assert sum(written) == pytest.approx(gigabytes * 0.08)


def test_lambda_is_paid_by_requests_and_time() -> None:
    work = Workload(changes_per_second=100)
    spec = SPECS["audit"]
    read = reading(spec, work, table_shards(work), MEASURED)
    runs = work.changes_per_month / read.batch
    made = lines()
    assert dollars(made, "audit", "Lambda", "requests") == pytest.approx(runs / 1e6 * 0.2)
    seconds = runs * read.duration_ms / 1000
    assert dollars(made, "audit", "Lambda", "duration") == pytest.approx(
        seconds * spec.memory_mb / 1024 * PRICES["lambda_gb_second"]
    )


def test_more_changes_cost_more_and_no_more_a_million() -> None:
    growing = [
        sum(line.dollars for line in lines(rate) if not line.fixed) / rate for rate in RATES[1:]
    ]
    assert growing == sorted(growing, reverse=True)
    fixed = {round(sum(line.dollars for line in lines(rate) if line.fixed), 6) for rate in RATES}
    assert len(fixed) == 1


def test_less_memory_makes_a_batch_last_longer() -> None:
    spec = SPECS["metrics"]
    quick, slow = (
        duration_ms(replace(spec, memory_mb=memory), 100, MEASURED) for memory in (1_769, 256)
    )
    assert slow > 5 * quick
    assert duration_ms(replace(spec, memory_mb=3_000), 100, MEASURED) == pytest.approx(quick)


def test_totals_waits_for_a_transaction_where_four_under_way_hold_the_batch() -> None:
    spec = SPECS["totals"]

    def waits(batch: float) -> float:
        costs, _ = MEASURED.of("totals")
        return (
            duration_ms(spec, batch, MEASURED) - costs.cpu_ms(batch) * MB_PER_CPU / spec.memory_mb
        )

    assert waits(10) == pytest.approx(waits(360)) == pytest.approx(SINK_MS[Grant.TOTALS_WRITE])
    assert waits(720) == pytest.approx(2 * waits(360))


def test_a_batch_fits_into_an_invocation() -> None:
    work = Workload(changes_per_second=1, item_kb=400)
    assert 1 <= largest_batch(SPECS["search"], work) < 6
    assert largest_batch(SPECS["search"], Workload(changes_per_second=1, item_kb=0.1)) == 1_000


def test_shards_take_what_is_written_and_read() -> None:
    assert kinesis_shards(Workload(changes_per_second=10, item_kb=1)) == 1
    assert kinesis_shards(Workload(changes_per_second=5_500, item_kb=0.1)) == 6
    work = Workload(changes_per_second=1_000, item_kb=10)
    written = kinesis_shards(work)
    assert written == -(-1_000 * work.record_kb // 1024)
    assert kinesis_shards(work, shared_readers=2) == written
    assert kinesis_shards(work, shared_readers=4) == pytest.approx(2 * written, abs=1)
    assert table_shards(Workload(changes_per_second=2_500, item_kb=2)) == 5


@pytest.mark.parametrize("rate", RATES)
def test_a_plan_leaves_room_and_its_settings_are_a_spec(rate: float) -> None:
    made = plan(REGISTRY, Workload(changes_per_second=rate), MEASURED)
    for each in made.consumers:
        assert isinstance(each.spec, ConsumerSpec)
        assert each.busy <= MOST_BUSY
        assert each.meets
        assert each.freshness_ms > 0
        assert each.spec.source is SPECS[each.name].source
    used = [quota.used for quota in made.quotas]
    assert used == sorted(used, reverse=True)
    assert all(quota.remedy for quota in made.quotas)


def test_the_first_quota_is_named() -> None:
    made = plan(REGISTRY, Workload(changes_per_second=1_000_000), MEASURED)
    assert made.quotas[0].name.startswith("DynamoDB: write units")
    assert made.quotas[0].used > 1
    assert made.kinesis_shards >= 1_000


def test_a_slow_consumer_gets_more_places_then_more_shards() -> None:
    slow = replace(MEASURED.consumers["cache"], record_ms=20.0)
    known = replace(MEASURED, consumers={**MEASURED.consumers, "cache": slow})
    work = Workload(changes_per_second=200)
    made = plan(REGISTRY, work, known)
    cache = next(each for each in made.consumers if each.name == "cache")
    assert cache.spec.parallelization > 1
    assert cache.busy <= MOST_BUSY
    assert made.kinesis_shards > plan(REGISTRY, work, MEASURED).kinesis_shards


def test_a_consumer_that_was_never_measured_counts_as_the_dearest() -> None:
    costs, own = MEASURED.of("unheard-of")
    assert not own
    assert costs.cpu_ms(100) == max(each.cpu_ms(100) for each in MEASURED.consumers.values())


def test_every_consumer_is_measured_and_every_price_is_used() -> None:
    assert set(MEASURED.consumers) == set(SPECS)
    source = "".join(path.read_text() for path in (ROOT / "ops" / "capacity").glob("*.py"))
    instances = {sizes.search_instance for sizes in STAGES.values()}
    for name in PRICES.values:
        kind, _, instance = name.partition(":")
        assert kind in source
        assert not instance or instance in instances | {"m7g.medium.search"}
    assert date.fromisoformat(PRICES.date).year >= 2026


def test_the_page_explains_every_service_and_price() -> None:
    page = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    for line in lines():
        assert line.service in page
    for name in PRICES.values:
        assert f"`{name.partition(':')[0]}" in page, name


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.output


def test_cost_speaks_plainly_and_in_json() -> None:
    code, told = run("cost", "--changes-per-second", "10")
    assert code == 0
    assert re.search(r"26 million changes a month: \$ [\d,]+\.\d\d", told)
    assert PRICES.date in told
    code, told = run("cost", "--json", "--stage", "dev")
    document = json.loads(told)
    assert code == 0
    assert document["month_dollars"] == pytest.approx(
        sum(line["dollars"] for line in document["lines"])
    )


def test_size_says_what_ends_first_and_fails_when_it_has() -> None:
    code, told = run("size", "--changes-per-second", "100")
    assert code == 0
    assert "is reached first" in told
    code, told = run("size", "--changes-per-second", "1000000", "--json")
    assert code == 1
    document = json.loads(told)
    assert document["quotas"][0]["used"] > 1
    assert {each["name"] for each in document["consumers"]} == set(SPECS)


@pytest.mark.parametrize("wrong", [("cost", "--stage", "x"), ("size",), ("size", "--item-kb", "0")])
def test_wrong_use_is_told(wrong: tuple[str, ...]) -> None:
    assert run(*wrong)[0] == 2
