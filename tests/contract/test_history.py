"""`fanout history`: an item's life from a real archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.local.servers import LocalServers
from ops.commands.history import history as command
from tests.support import archive
from tests.support.records import order, score
from tests.support.small_pipeline import SmallPipeline, small_pipeline
from tests.support.verifying import lived_in, servers_for_a_module

servers = pytest.fixture(scope="module")(servers_for_a_module)


@pytest.fixture(scope="module")
def pipeline(
    servers: LocalServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallPipeline]:
    """One order, edited and cancelled; one score, corrected; each change an archive object."""
    with small_pipeline(servers, tmp_path_factory.mktemp("history") / "state") as made:
        lived_in(made, orders=2, scores=4)
        customer = {"name": "Grace Hopper", "email": "grace@example.org", "phone": "+1"}
        write(
            made,
            order("o-1", 1),
            order("o-1", 2, status="VALIDATED"),
            order("o-1", 3, status="VALIDATED", customer=customer),
            None,
        )
        write(made, score("s-1", "u-1", 5), score("s-1", "u-1", Decimal("7.5"), 2))
        yield made


def write(pipeline: SmallPipeline, first: dict[str, Any], *others: dict[str, Any] | None) -> None:
    pipeline.table.create(first)
    pipeline.settle()
    before = first
    for after in others:
        pipeline.table.replace(before, after)
        pipeline.settle()
        before = after or before


def run(pipeline: SmallPipeline, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["--state", str(pipeline.folder), *arguments])


def lives(pipeline: SmallPipeline, *arguments: str) -> Any:
    result = run(pipeline, "--json", *arguments)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def paths(step: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {entry["path"]: (entry["old"], entry["new"]) for entry in step["differences"]}


@pytest.mark.parametrize("name", ["o-1", "ORDER#o-1|ORDER"])
def test_an_order_from_creation_to_removal(pipeline: SmallPipeline, name: str) -> None:
    (life,) = lives(pipeline, name)
    assert life["item"] == "ORDER#o-1|ORDER"
    steps = life["steps"]
    assert [step["change"] for step in steps] == ["INSERT", "MODIFY", "MODIFY", "REMOVE"]
    assert [step["version"] for step in steps] == [1, 2, 3, 4]
    assert paths(steps[0])["totalAmount"] == (None, "328.9")
    assert paths(steps[1]) == {
        "metadata.version": ("1", "2"),
        "status": ('"PENDING_VALIDATION"', '"VALIDATED"'),
    }
    assert not any(step["gap"] for step in steps)
    assert len({step["event_id"] for step in steps}) == 4


def test_personal_attributes_are_masked_unless_asked_for(pipeline: SmallPipeline) -> None:
    everything = run(pipeline, "o-1").stdout + run(pipeline, "o-1", "--json").stdout
    for personal in ("Ada", "Grace", "example.org", "Square"):
        assert personal not in everything
    (life,) = lives(pipeline, "o-1")
    assert paths(life["steps"][2])["customer.name"] == ("•••", "•••")
    (life,) = lives(pipeline, "o-1", "--show-personal")
    assert paths(life["steps"][2])["customer.name"] == ('"Ada Lovelace"', '"Grace Hopper"')


@pytest.mark.parametrize("name", ["s-1", "SCORE#s-1|USER#u-1"])
def test_a_score(pipeline: SmallPipeline, name: str) -> None:
    (life,) = lives(pipeline, name)
    assert life["item"] == "SCORE#s-1|USER#u-1"
    assert paths(life["steps"][1])["Score"] == ("5", "7.5")


def test_a_user_stands_for_the_users_total(pipeline: SmallPipeline) -> None:
    (life,) = lives(pipeline, "u-1")
    assert life["item"] == "TOTAL#u-1|TOTAL"
    assert paths(life["steps"][1])["total"] == ("5", "7.5")


def test_for_people(pipeline: SmallPipeline) -> None:
    result = run(pipeline, "o-1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "ORDER#o-1|ORDER"
    assert sum("created, version 1" in line for line in lines) == 1
    assert sum("removed, version 4" in line for line in lines) == 1
    assert '      status: "PENDING_VALIDATION" → "VALIDATED"' in [line.rstrip() for line in lines]
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", ["nobody", "ORDER#o-1|USER#x", "[bold]", "a|", "|"])
def test_nothing_found(pipeline: SmallPipeline, name: str) -> None:
    result = run(pipeline, name)
    assert result.exit_code == 1
    assert f"knows no item {name}" in result.stdout
    result = run(pipeline, "--json", name)
    assert (result.exit_code, json.loads(result.stdout)) == (1, [])


def test_wrong_use(tmp_path: Path) -> None:
    assert CliRunner().invoke(command, []).exit_code == 2
    assert CliRunner().invoke(command, ["x", "--state", str(tmp_path)]).exit_code == 2


def test_a_gap_is_marked_where_a_change_is_missing(pipeline: SmallPipeline) -> None:
    states = [order("o-gap", version, totalAmount=version) for version in (1, 2, 3)]
    write(pipeline, *states)
    bucket = pipeline.deployment.bucket
    (life,) = lives(pipeline, "o-gap")
    gone = life["steps"][1]["archived_in"].rpartition(":")[0]
    body = archive.body_of(bucket, gone)
    archive.remove(bucket, gone)
    (life,) = lives(pipeline, "o-gap")
    assert [bool(step["gap"]) for step in life["steps"]] == [False, True]
    assert "version 1" in life["steps"][1]["gap"]
    assert "⚠ gap: a change is missing after version 1" in run(pipeline, "o-gap").stdout
    archive.put(bucket, gone, body[:-4] + b"####")
    (life,) = lives(pipeline, "o-gap")
    assert life["unreadable"] == [
        f"{gone}: the object's bytes are not those that its name stands for"
    ]
    assert "cannot be read" in run(pipeline, "o-gap").stdout
