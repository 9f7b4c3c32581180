"""Hours of the event source mapping, simulated: nothing lost, nothing out of order.

The whole day: `make simulate`.
"""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from infra.local.mapping import reader
from infra.local.mapping.kinesis import Disorder
from infra.local.mapping.shared_stream import SharedStream
from tests.simulation.day import PLANS
from tests.support import simulation_shards
from tests.support.simulation import World
from tests.support.simulation_consumer import Plan
from tests.support.simulation_scenario import Report, Scenario

HOURS = Scenario(1, 1.5, PLANS, reshard_minutes=4, trouble_minutes=1)


def play(scenario: Scenario, folder: Path, patch: pytest.MonkeyPatch) -> Report:
    return World(scenario, folder, patch).run()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hours_of_faults_and_reshardings_lose_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    report = play(replace(HOURS, seed=seed), folder, monkeypatch)
    # It shows nothing unless much happens.
    assert report.changes > 1_000
    assert report.reshardings > 10
    assert report.restarts > 0
    assert sum(report.faults.values()) > 200
    for figures in report.consumers.values():
        assert figures["delivered"] > 200
        assert figures["gaps"] == figures["lost"] == 0
    # Records that can never be taken ended where they should.
    assert report.consumers["limited"]["discarded"] > 0
    assert report.consumers["kinesis"]["discarded"] > 0


def test_nothing_is_kept_of_shards_that_nobody_reads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(replace(HOURS, seed=5, hours=1, reshard_minutes=2), folder, monkeypatch)
    world.run()
    gc.collect()
    shared = world.streams["shared"]
    assert isinstance(shared, SharedStream)
    read = {reader.shard_id for subject in world.subjects for reader in subject.readers}
    # Parts of a Kinesis shard are read as one.
    assert set(shared._tails) <= {shard_id.partition(".")[0] for shard_id in read}
    assert len(world.table.shards) > 2 * len(shared._tails) > 0


def test_without_merges_as_dynamodb_does_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = play(replace(HOURS, seed=4, merges=False), folder, monkeypatch)
    assert report.consumers["strict"]["delivered"] > 300


def test_when_nothing_goes_wrong_each_change_is_delivered_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = (Plan("shared"), Plan("alone", "alone"), Plan("k", "kinesis", disorder=Disorder(0, 0)))
    report = play(replace(HOURS, plans=plans, calm=True), folder, monkeypatch)
    assert report.restarts == sum(report.faults.values()) == 0
    assert report.reshardings > 10
    wanted = {name: figures["delivered"] for name, figures in report.consumers.items()}
    assert len(set(wanted.values())) == 1
    assert all(not figures["repeated"] for figures in report.consumers.values())


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that keeps an hour instead of a day."""
    monkeypatch.setattr(simulation_shards, "RETENTION_SECONDS", 3_600.0)
    monkeypatch.setattr(reader, "_KEPT_SECONDS", 3_450.0)


AWAY = (
    Plan("strict"),
    Plan("gone", away_hours=(0.5, 2.0)),
    Plan("gone long", away_hours=(0.5, 2.6)),
    Plan("gone kinesis", "kinesis", disorder=Disorder(), away_hours=(0.6, 2.5)),
)


@pytest.mark.usefixtures("short_memory")
def test_who_was_away_too_long_is_told_and_loses_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = Scenario(1, 3, AWAY, reshard_minutes=10, trouble_minutes=3)
    report = play(scenario, folder, monkeypatch)
    assert report.consumers["strict"]["gaps"] == 0
    for plan in AWAY[1:]:
        figures = report.consumers[plan.name]
        assert figures["lost"] > 0
        assert 0 < figures["gaps"] < 20
