"""An item that changes between any two looks: whole as long as the archive keeps up with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from infra.local.servers import LocalServers
from ops.verify.audit import AuditCheck
from ops.verify.findings import Damage
from ops.verify.table import Table, item_name
from shared import entities
from shared.archive import Archive
from shared.codec import RawImage
from shared.heartbeat import write_heartbeat
from tests.support.small_pipeline import SmallPipeline, small_pipeline
from tests.support.verifying import servers_for_a_module

servers = pytest.fixture(scope="module")(servers_for_a_module)
BEAT = "HEARTBEAT#main|HEARTBEAT"


@pytest.fixture
def pipeline(servers: LocalServers, tmp_path: Path) -> Iterator[SmallPipeline]:
    with small_pipeline(servers, tmp_path / "state") as made:
        write_heartbeat(made.deployment.table)
        made.settle()
        yield made


class MovingTable(Table):
    """Whatever is read from it has changed by the time that the reader looks elsewhere."""

    def __init__(self, name: str, move: Callable[[], object]) -> None:
        super().__init__(name)
        self._move = move

    def named(self, names: Iterable[str]) -> Iterator[tuple[str, RawImage]]:
        found = list(super().named(names))
        self._move()
        return iter(found)


def left_after_one_look(pipeline: SmallPipeline, move: Callable[[], object]) -> list[Damage]:
    """What an audit check still finds, of items that moved once since the scan."""
    table = MovingTable(pipeline.deployment.table, move)
    check = AuditCheck(table, Archive(pipeline.deployment.bucket))
    for item in Table(pipeline.deployment.table).items():
        check.expect(entities.kind_of(item), item_name(item), item)
    move()
    suspects = list(check.compare())
    assert [finding.item for finding in suspects] == [BEAT]
    return [finding.damage for finding in check.look_again(suspects)]


def test_an_archive_that_is_past_what_the_table_had_is_whole(pipeline: SmallPipeline) -> None:
    def move() -> None:
        write_heartbeat(pipeline.deployment.table)
        pipeline.deliver()

    assert left_after_one_look(pipeline, move) == []


def test_an_archive_that_has_fallen_behind_is_not(pipeline: SmallPipeline) -> None:
    write_heartbeat(pipeline.deployment.table)
    pipeline.skip()

    def move() -> None:
        write_heartbeat(pipeline.deployment.table)

    assert left_after_one_look(pipeline, move) == [Damage.STALE]


def test_nor_is_one_with_a_gap(pipeline: SmallPipeline) -> None:
    def move() -> None:
        write_heartbeat(pipeline.deployment.table)
        pipeline.deliver()

    write_heartbeat(pipeline.deployment.table)
    pipeline.skip()
    assert left_after_one_look(pipeline, move) == [Damage.GAP]
