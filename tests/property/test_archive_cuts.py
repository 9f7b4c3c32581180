"""Any cut and repetition of a history gives the same archive; what is missing is always noticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.archive import Archive, Change, Damage, ItemChain, image_digest
from shared.archive_compression import lines_of
from shared.archive_format import from_line
from tests.support import archive
from tests.support import records as make
from tests.support.servers import aws_server

ITEMS = 4
Step = tuple[int, int]


@pytest.fixture(scope="module", autouse=True)
def servers() -> Iterator[None]:
    with aws_server() as servers, archive.clients_of(servers):
        yield


def history(steps: list[Step], *, reborn: bool = True) -> tuple[list[archive.Raw], dict[str, Any]]:
    """The stream that writers make, and the table that they leave.

    A step is an item and what is done to it: 0 deletes it where it is there, all else writes it.
    An item that was deleted comes back under the same key if it is `reborn`.
    """
    removals = [0] * ITEMS
    table: dict[str, Any] = {}
    versions: dict[str, int] = {}
    records = []
    for number, (which, what) in enumerate(steps):
        key = f"i{which}" if reborn else f"i{which}.{removals[which]}"
        old = table.get(key)
        versions[key] = versions.get(key, 0) + 1
        if what == 0 and old is not None:
            new = None
            del table[key]
            removals[which] += 1
        else:
            table[key] = new = make.score(key, value=what, version=versions[key])
        records.append(
            make.stream_record(
                old,
                new,
                sequence=number,
                event_id=f"e{number}",
                # An hour ends somewhere among them.
                created=make.CREATED // 3600 * 3600 + 3600 + (number - len(steps) // 2) * 7,
            )
        )
    return records, table


STEPS = st.lists(st.tuples(st.integers(0, ITEMS - 1), st.integers(0, 3)), min_size=1, max_size=24)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Step], list[tuple[int, int]]]:
    """A history, and the batches as which it is delivered.

    As Lambda does it: each batch begins at the checkpoint or, redelivered, before it.
    """
    steps = draw(STEPS)
    batches, reached = [], 0
    while reached < len(steps):
        start = draw(st.integers(0, reached))
        end = draw(st.integers(start + 1, min(len(steps), start + 10)))
        batches.append((start, end))
        reached = max(reached, end)
        if len(batches) > 12:
            batches.append((reached, len(steps)))
            reached = len(steps)
    return steps, [(start, end) for start, end in batches if start < end]


def written(batches: list[tuple[int, int]], records: list[archive.Raw]) -> str:
    bucket = archive.make_bucket()
    for start, end in batches:
        assert not archive.write(bucket, records[start:end]).unavailable
    return bucket


def raw_images(table: dict[str, Any]) -> dict[str, str | None]:
    return {f"SCORE#{key}": image_digest(make.raw_image(item)) for key, item in table.items()}


@settings(max_examples=40)
@given(deliveries())
def test_any_cut_gives_the_same_archive(given: tuple[list[Step], list[tuple[int, int]]]) -> None:
    steps, batches = given
    records, table = history(steps)
    reader = Archive(written(batches, records))

    read = archive.changes(reader.read())
    assert sorted(change.event_id for change in read) == sorted(r["eventID"] for r in records)
    by_id = {record["eventID"]: record["dynamodb"] for record in records}
    for change in read:
        assert change.new_raw == by_id[change.event_id].get("NewImage")
        assert change.old_raw == by_id[change.event_id].get("OldImage")

    last = {}
    for chain in reader.check():
        assert isinstance(chain, ItemChain)
        assert not chain.gaps
        mine = [
            r["eventID"] for r in records if r["dynamodb"]["Keys"]["PK"]["S"] == chain.item_key[0]
        ]
        assert [link.event_id for link in chain.links] == mine
        last[chain.item_key[0]] = chain.last_image
    assert {key: image for key, image in last.items() if image} == raw_images(table)
    assert last.keys() == {r["dynamodb"]["Keys"]["PK"]["S"] for r in records}


@settings(max_examples=40)
@given(deliveries(), st.data())
def test_whatever_object_is_lost_is_noticed(
    given: tuple[list[Step], list[tuple[int, int]]], data: st.DataObject
) -> None:
    steps, batches = given
    # A whole life that is lost, from INSERT to REMOVE, leaves no trace in the next one.
    records, table = history(steps, reborn=False)
    bucket = written(batches, records)
    lost = data.draw(st.sampled_from(archive.keys_in(bucket)))
    archive.remove(bucket, lost)
    kept = {
        from_line(line)["eventID"]
        for key in archive.keys_in(bucket)
        for line in lines_of(archive.body_of(bucket, key))
    }
    # The model: an item is whole if all its changes are still there.
    lives: dict[str, list[str]] = {}
    for record in records:
        lives.setdefault(record["dynamodb"]["Keys"]["PK"]["S"], []).append(record["eventID"])
    images = raw_images(table)
    found: dict[str, ItemChain] = {}
    for entry in Archive(bucket).check():
        assert isinstance(entry, ItemChain)
        found[entry.item_key[0]] = entry
    for key, life in lives.items():
        chain = found.get(key)
        if chain is None:
            # All of it is lost: the table tells, if the item is still there.
            assert not kept & set(life)
            continue
        sound = not chain.gaps and chain.last_image == images.get(key)
        assert sound == (set(life) <= kept), key


@settings(max_examples=15)
@given(deliveries(), st.data())
def test_a_damaged_object_is_named_and_costs_no_other(
    given: tuple[list[Step], list[tuple[int, int]]], data: st.DataObject
) -> None:
    steps, batches = given
    records, _ = history(steps)
    bucket = written(batches, records)
    hurt = data.draw(st.sampled_from(archive.keys_in(bucket)))
    body = bytearray(archive.body_of(bucket, hurt))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    archive.put(bucket, hurt, bytes(body))
    entries = list(Archive(bucket).read())
    assert [entry.object_key for entry in entries if isinstance(entry, Damage)] == [hurt]
    others = {
        from_line(line)["eventID"]
        for key in archive.keys_in(bucket)
        if key != hurt
        for line in lines_of(archive.body_of(bucket, key))
    }
    assert {entry.event_id for entry in entries if isinstance(entry, Change)} == others
