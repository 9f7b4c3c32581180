"""Names of entries and their keys: one slot per entry, and no two entries with a key in common."""

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cache_keys import (
    Cached,
    entry_name,
    entry_of,
    keys_of,
    lease_key,
    split_name,
    value_key,
)

KINDS = st.sampled_from(Cached)
# Any text, and much of what could confuse a key made of colons and braces.
IDS = st.text(min_size=1) | st.text("{}:aleso", min_size=1)


def slot(key: str) -> int:
    """The slot of a key, as the Redis cluster specification has it: CRC16-XMODEM of its tag."""
    raw = key.encode("utf-8", "surrogatepass")
    opened = raw.find(b"{")
    closed = raw.find(b"}", opened + 1)
    if opened >= 0 and closed > opened + 1:
        raw = raw[opened + 1 : closed]
    return binascii.crc_hqx(raw, 0) % 16_384


def test_the_keys_of_an_order() -> None:
    entry = entry_name(Cached.ORDER, "123")
    assert (entry, value_key(entry), lease_key(entry)) == (
        "order:123",
        "{order:123}",
        "{order:123}:lease",
    )
    assert keys_of(entry) == ("{order:123}", "{order:123}:lease")


@given(KINDS, IDS)
def test_an_invalidation_removes_the_keys_that_readers_use(kind: Cached, identity: str) -> None:
    entry = entry_name(kind, identity)
    assert keys_of(entry) == (value_key(entry), lease_key(entry))


def test_the_slot_is_the_specifications() -> None:
    assert slot("123456789") == 0x31C3, "the example of the specification"
    assert slot("{user1000}.following") == slot("{user1000}.followers") == slot("user1000")
    assert slot("foo{}{bar}") != slot("bar"), "an empty tag is none"


@given(KINDS, IDS)
def test_value_and_lease_share_a_slot(kind: Cached, identity: str) -> None:
    entry = entry_name(kind, identity)
    assert slot(value_key(entry)) == slot(lease_key(entry))


@given(st.tuples(KINDS, IDS), st.tuples(KINDS, IDS))
def test_different_entries_have_no_key_in_common(
    one: tuple[Cached, str], other: tuple[Cached, str]
) -> None:
    first, second = entry_name(*one), entry_name(*other)
    keys = {value_key(first), lease_key(first), value_key(second), lease_key(second)}
    assert len(keys) == (2 if one == other else 4)


@given(KINDS, IDS)
def test_a_name_can_be_read_back(kind: Cached, identity: str) -> None:
    entry = entry_name(kind, identity)
    assert split_name(entry) == (kind, identity)
    assert entry_of(value_key(entry)) == entry
    assert entry_of(lease_key(entry)) is None


@pytest.mark.parametrize("key", ["", "{", "{}", "x", "order:1", "{order}", "{order:}", "{cart:1}"])
def test_a_key_that_is_not_ours_is_no_entry(key: str) -> None:
    assert entry_of(key) is None


@pytest.mark.parametrize("entry", ["", "order", "order:", "cart:1", ":1"])
def test_a_name_that_is_not_ours_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="no entry of this cache"):
        split_name(entry)


def test_names_are_plain_text() -> None:
    assert type(entry_name(Cached.TOTAL, "u")) is str
