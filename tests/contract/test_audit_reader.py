"""The archive read back from S3: each change once, gaps and damage by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from infra.local.servers import LocalServers
from shared import archive_store
from shared.archive import Archive, Damage, ItemChain, image_digest
from shared.archive_compression import compress, lines_of
from shared.archive_format import object_key
from shared.codec import decode_image
from shared.errors import Unavailable
from tests.support import archive
from tests.support import records as make

HOUR = 3_600
CREATED_MS = make.CREATED * 1000


@pytest.fixture(scope="module", autouse=True)
def clients(servers: LocalServers) -> Iterator[None]:
    with archive.clients_of(servers):
        yield


@pytest.fixture
def bucket() -> str:
    return archive.make_bucket()


def life(item: str, changes: int, first: int = 1, every: float = 60.0) -> list[archive.Raw]:
    """An order that is made and changed, once every so many seconds."""
    states = [None, *(make.order(item, version=n) for n in range(1, changes + 1))]
    return [
        make.stream_record(
            old,
            new,
            sequence=first + n,
            event_id=f"{item}-{n + 1}",
            created=make.CREATED + n * every,
        )
        for n, (old, new) in enumerate(itertools.pairwise(states))
    ]


def ids(bucket: str, *span: int | None) -> list[str]:
    return [change.event_id for change in archive.changes(Archive(bucket).read(*span))]


def chains(bucket: str, **options: Any) -> dict[str, ItemChain]:
    found = list(Archive(bucket).check(**options))
    assert not [entry for entry in found if isinstance(entry, Damage)]
    return {entry.item_key[0]: entry for entry in found if isinstance(entry, ItemChain)}


def test_other_cuts_of_the_same_records_are_only_repeats(bucket: str) -> None:
    records = life("a", 6)
    for cut in (records, records[:2], records[1:4], records[3:], records[::-1]):
        archive.write(bucket, cut)
    assert len(archive.keys_in(bucket)) == 5
    assert sorted(ids(bucket)) == [f"a-{n}" for n in range(1, 7)]
    (chain,) = chains(bucket).values()
    assert [link.event_id for link in chain.links] == [f"a-{n}" for n in range(1, 7)]
    assert not chain.gaps


def test_a_deleted_object_is_a_gap_with_a_name(bucket: str) -> None:
    of_b = life("b", 5, 50)
    for batch in ([*life("a", 4), *of_b[:1]], of_b[1:3], of_b[3:]):
        archive.write(bucket, batch)
    middle = archive.keys_in(bucket)[1]
    archive.remove(bucket, middle)
    found = chains(bucket)
    assert not found["ORDER#a"].gaps
    (gap,) = found["ORDER#b"].gaps
    assert gap.item_key == ("ORDER#b", "ORDER")
    assert gap.after is not None
    assert (gap.after.event_id, gap.before.event_id) == ("b-1", "b-4")
    assert gap.expected == image_digest(make.raw_image(make.order("b", version=1)))
    assert gap.found == image_digest(make.raw_image(make.order("b", version=3)))
    assert Archive(bucket).history(("ORDER#b", "ORDER")).gaps == (gap,)


def test_the_last_image_is_the_item_in_the_table(bucket: str) -> None:
    archive.write(bucket, life("a", 3))
    removal = make.stream_record(make.order("b"), None, sequence=9)
    archive.write(bucket, [*life("b", 1), removal])
    found = chains(bucket)
    assert found["ORDER#a"].last_image == image_digest(make.raw_image(make.order("a", version=3)))
    assert found["ORDER#b"].last_image is None
    assert not found["ORDER#b"].gaps


def test_corrupt_objects_are_named_and_the_rest_is_read(bucket: str) -> None:
    for item in "abcd":
        archive.write(bucket, life(item, 3, ord(item)))
    first, second, third, _ = archive.keys_in(bucket)
    whole = archive.body_of(bucket, first)
    archive.put(bucket, first, whole[: len(whole) // 2])
    flipped = bytearray(archive.body_of(bucket, second))
    flipped[len(flipped) // 2] ^= 4
    archive.put(bucket, second, bytes(flipped))
    archive.put(bucket, third, b"")
    damaged = [first, second, third]
    for entries in (Archive(bucket).read(), Archive(bucket).check()):
        found = [entry for entry in entries if isinstance(entry, Damage)]
        assert [entry.object_key for entry in found] == damaged
        assert all(entry.line is None and entry.reason for entry in found)
    assert ids_of_changes(bucket) == ["d-1", "d-2", "d-3"]
    history = Archive(bucket).history(("ORDER#d", "ORDER"))
    assert [entry.object_key for entry in history.damage] == damaged


def test_forged_content_is_damage_though_it_is_well_formed(bucket: str) -> None:
    archive.write(bucket, life("a", 3))
    (key,) = archive.keys_in(bucket)
    lines = list(lines_of(archive.body_of(bucket, key)))
    archive.put(bucket, key, compress(lines[:2]))
    (damage,) = Archive(bucket).read()
    assert isinstance(damage, Damage)
    assert damage.object_key == key


def test_not_a_line_of_a_damaged_object_is_believed(bucket: str) -> None:
    archive.write(bucket, life("a", 2_000, every=0))
    (key,) = archive.keys_in(bucket)
    body = archive.body_of(bucket, key)
    archive.put(bucket, key, body[:-4])
    (damage,) = Archive(bucket).read()
    assert isinstance(damage, Damage)


def ids_of_changes(bucket: str) -> list[str]:
    entries = Archive(bucket).read()
    return [entry.event_id for entry in entries if not isinstance(entry, Damage)]


def lay(bucket: str, lines: list[bytes], hour: int = make.CREATED // HOUR) -> str:
    """An object that is whole, with these lines."""
    body = compress(lines)
    key = object_key(hour, "1", "2", sha256(body).hexdigest())
    archive.put(bucket, key, body)
    return key


def test_unreadable_lines_are_named_and_the_rest_is_read(bucket: str) -> None:
    archive.write(bucket, life("a", 2))
    (key,) = archive.keys_in(bucket)
    good, also_good = lines_of(archive.body_of(bucket, key))
    archive.remove(bucket, key)
    key = lay(bucket, [good, b'{"eventID": "e\n', b"\n", b"{}\n", also_good])
    entries = list(Archive(bucket).read())
    damage = [entry for entry in entries if isinstance(entry, Damage)]
    assert [(entry.object_key, entry.line) for entry in damage] == [(key, 2), (key, 3), (key, 4)]
    assert "line 2" in str(damage[0])
    assert ids_of_changes(bucket) == ["a-1", "a-2"]
    # The same when only some lines are looked at.
    assert list(Archive(bucket).history(("ORDER#b", "ORDER")).damage) == damage[:2]


def test_an_object_that_is_none_of_ours_is_named(bucket: str) -> None:
    archive.write(bucket, life("a", 1))
    archive.put(bucket, "audit/notes.txt", b"hello")
    archive.put(bucket, "parked/audit/not-ours.json", b"{}")
    found = [entry for entry in Archive(bucket).read() if isinstance(entry, Damage)]
    assert [entry.object_key for entry in found] == ["audit/notes.txt"]


def test_an_object_in_the_folder_of_another_hour_is_named(bucket: str) -> None:
    archive.write(bucket, life("a", 1))
    (key,) = archive.keys_in(bucket)
    stray = key.replace("hour=08", "hour=09")
    assert stray != key
    archive.put(bucket, stray, archive.body_of(bucket, key))
    (damage,) = [entry for entry in Archive(bucket).read() if isinstance(entry, Damage)]
    assert (damage.object_key, damage.line) == (stray, 1)


def test_an_object_that_goes_while_we_read_is_named(bucket: str) -> None:
    archive.write(bucket, life("a", 1))
    archive.write(bucket, life("b", 1, 5))
    entries = Archive(bucket).read()
    next(entries)
    gone = archive.keys_in(bucket)[1]
    archive.remove(bucket, gone)
    (damage,) = list(entries)
    assert isinstance(damage, Damage)
    assert damage.object_key == gone


def test_a_range_of_time(bucket: str) -> None:
    records = life("a", 8, every=1800.0)
    for cut in (records[:3], records[2:6], records[6:]):
        archive.write(bucket, cut)
    assert ids(bucket) == [f"a-{n}" for n in range(1, 9)]
    at = [CREATED_MS + n * 1_800_000 for n in range(8)]
    assert ids(bucket, at[3]) == [f"a-{n}" for n in range(4, 9)]
    assert ids(bucket, None, at[3]) == ["a-1", "a-2", "a-3"]
    assert ids(bucket, at[2], at[5]) == ["a-3", "a-4", "a-5"]
    assert ids(bucket, at[2] + 1, at[2] + 2) == []
    assert ids(bucket, at[7] + 10**9) == []
    later = chains(bucket, start_ms=at[3])["ORDER#a"]
    assert not later.gaps, "a range need not begin with an INSERT"
    assert chains(bucket, start_ms=at[3], whole=True)["ORDER#a"].gaps


def test_only_the_hours_of_the_range_are_fetched(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = life("a", 4, every=float(HOUR))
    archive.write(bucket, records)
    keys = archive.keys_in(bucket)
    # What lies outside may even be broken.
    archive.put(bucket, keys[0], b"broken")
    archive.put(bucket, keys[3], b"broken")
    start = CREATED_MS + 3_600_000
    assert ids(bucket, start, start + 7_200_000 - CREATED_MS % 3_600_000) == ["a-2", "a-3"]


def test_more_objects_than_a_page_of_the_listing(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_store, "PAGE_SIZE", 3)
    records = life("a", 10)
    for record in records:
        archive.write(bucket, [record])
    assert ids(bucket) == [f"a-{n}" for n in range(1, 11)]


def test_an_items_life_change_by_change(bucket: str) -> None:
    mixed = [
        each
        for pair in zip(life("a", 5), life("a-longer-key", 5, 40), strict=True)
        for each in pair
    ]
    for cut in (mixed[6:], mixed[:4], mixed[2:8]):
        archive.write(bucket, cut)
    history = Archive(bucket).history(("ORDER#a", "ORDER"))
    assert [change.event_id for change in history.changes] == [f"a-{n}" for n in range(1, 6)]
    assert [change.version for change in history.changes] == [1, 2, 3, 4, 5]
    assert history.changes[0].old is None
    assert history.changes[4].new is not None
    assert history.changes[4].new.decode() == make.order("a", version=5)
    assert not history.gaps
    assert not history.damage


def test_an_item_that_never_was_has_no_life(bucket: str) -> None:
    archive.write(bucket, life("a", 2))
    history = Archive(bucket).history(("ORDER#b", "ORDER"))
    assert (history.changes, history.gaps, history.damage) == ((), (), ())


@pytest.mark.parametrize("key", ["Zoë", 'quo"te', "back\\slash", "new\nline", "half \ud83d", "/"])
def test_odd_keys_are_found_again(bucket: str, key: str) -> None:
    item = {"PK": f"X#{key}", "SK": "X", "version": 1, "odd": "\ud800"}
    plain = {"PK": f"X#{key}", "SK": "X", "version": 2}
    records = [
        make.stream_record(None, item, sequence=1),
        make.stream_record(item, plain, sequence=2),
        make.stream_record(plain, {**plain, "version": 3}, sequence=3),
        *life("other", 2, 10),
    ]
    archive.write(bucket, records)
    history = Archive(bucket).history((f"X#{key}", "X"))
    assert [change.version for change in history.changes] == [1, 2, 3]
    assert not history.gaps
    assert chains(bucket, only={(f"X#{key}", "X")}).keys() == {f"X#{key}"}


def test_some_items_alone(bucket: str) -> None:
    items = [f"i{n}" for n in range(20)]
    for number, item in enumerate(items):
        archive.write(bucket, life(item, 2, number * 10))
    for some in (items[:2], items[:15]):
        wanted = {(f"ORDER#{item}", "ORDER") for item in some}
        assert {key for key, _ in wanted} == set(chains(bucket, only=wanted))
    assert chains(bucket, only=set()) == {}


def test_every_type_survives_the_whole_way(bucket: str) -> None:
    item = make.score(
        digits=Decimal("1234567890.1234567890123456789012345678"),
        huge=Decimal("9.9999999999999999999999999999999999999E+125"),
        binary=bytes(range(256)),
        texts={"a", "é", "\u2028"},
        numbers={Decimal(1), Decimal("-0.000000000000000000001")},
        binaries={b"\x00", b"\xff" * 300},
        nested={"list": [None, True, {"deep": [b"x", ""]}]},
    )
    entry = make.stream_record(None, item)
    archive.write(bucket, [entry])
    (change,) = archive.changes(Archive(bucket).read())
    raw = entry["dynamodb"]["NewImage"]
    assert change.new_raw == raw
    assert list(change.new_raw) == list(raw)
    assert change.new is not None
    assert change.new.decode() == decode_image(raw)
    assert change.new["digits"] == item["digits"]
    assert change.new["binary"] == item["binary"]


def test_both_sources_in_one_archive(bucket: str) -> None:
    states = [None, *(make.order("k", version=n) for n in range(1, 5))]
    records = [
        make.kinesis_record(
            old, new, sequence=20 - n, event_id=f"k-{n + 1}", created=make.CREATED + n / 1000
        )
        for n, (old, new) in enumerate(itertools.pairwise(states))
    ]
    archive.write(bucket, [*life("s", 3), *records[::-1], records[1]])
    found = chains(bucket)
    assert [link.event_id for link in found["ORDER#k"].links] == ["k-1", "k-2", "k-3", "k-4"]
    assert not found["ORDER#k"].gaps
    assert not found["ORDER#s"].gaps


def test_an_empty_archive_is_empty(bucket: str) -> None:
    assert list(Archive(bucket).objects()) == []
    assert list(Archive(bucket).read()) == []
    assert list(Archive(bucket).check()) == []


def test_a_missing_bucket_is_said_to_be_missing() -> None:
    with pytest.raises(Unavailable, match="NoSuchBucket"):
        list(Archive("no-such-bucket").read())
