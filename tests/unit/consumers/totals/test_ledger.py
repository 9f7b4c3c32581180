"""Names, numbers and entries of the ledger."""

from __future__ import annotations

import json
from dataclasses import astuple
from decimal import Decimal, Inexact
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.totals.ledger import (
    LedgerEntry,
    entry_json,
    exact_sum,
    ledger_key,
    number_text,
    quoted,
    read_entry,
    source_key,
)
from shared.codec import decode_number

ids = st.text(st.sampled_from("ab|%7C#USER2"), max_size=12)
digits = st.integers(-(10**38) + 1, 10**38 - 1)
# As text: arithmetic would round to Python's 28 digits.
numbers = st.builds(
    lambda number, scale: Decimal(f"{number}E{scale}"), digits, st.integers(-92, 88)
)


def test_a_source_is_readable() -> None:
    assert source_key("SCORE#s-1", "USER#u-1") == "SCORE#s-1|USER#u-1"
    assert ledger_key("SCORE#s-1|USER#u-1") == {"PK": {"S": "APPLIED#SCORE#s-1|USER#u-1"}}


@given(ids, ids, ids, ids)
def test_no_two_scores_share_a_source(s1: str, u1: str, s2: str, u2: str) -> None:
    same = (s1, u1) == (s2, u2)
    one, two = (source_key(f"SCORE#{s}", f"USER#{u}") for s, u in ((s1, u1), (s2, u2)))
    assert (one == two) is same


def test_the_separator_within_an_id_is_told_from_the_separator() -> None:
    assert source_key("SCORE#a|USER#b", "USER#c") != source_key("SCORE#a", "USER#b|USER#c")
    assert source_key("SCORE#a|b", "USER#c") != source_key("SCORE#a%7Cb", "USER#c")


def test_a_very_long_source_still_fits_into_a_key() -> None:
    longest = source_key("SCORE#" + "s" * 2_042, "USER#" + "\u00e9" * 509)
    assert len(longest.encode()) < 100
    assert longest != source_key("SCORE#" + "s" * 2_042, "USER#" + "\u00e9" * 508)


def test_what_is_no_unicode_text_has_no_source() -> None:
    with pytest.raises(UnicodeEncodeError):
        source_key("SCORE#\ud800", "USER#u")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("-0.00", "0"),
        ("0E+20", "0"),
        ("1.50", "1.5"),
        ("100", "100"),
        ("1E+2", "100"),
        ("-12.000", "-12"),
        ("1E-3", "0.001"),
    ],
)
def test_numbers_are_written_plainly(value: str, text: str) -> None:
    assert number_text(Decimal(value)) == text


@given(numbers)
def test_a_number_survives_its_text(value: Decimal) -> None:
    text = number_text(value)
    assert decode_number(text) == value
    assert "E" not in text


@given(st.lists(numbers, max_size=20), st.randoms())
def test_a_sum_is_exact_in_any_order(values: list[Decimal], random: object) -> None:
    shuffled = values[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Fraction(exact_sum(shuffled)) == sum(map(Fraction, values))


def test_a_sum_that_cannot_be_exact_is_an_error() -> None:
    with pytest.raises(Inexact):
        exact_sum([Decimal("1E+500"), Decimal(1)])


def test_an_entry_survives_its_item() -> None:
    entry = LedgerEntry(Decimal("-12.50"), 7, live=True)
    source, user = 'SCORE#"é\\|USER#\n\U0001f3b2', "\n\U0001f3b2"
    item = json.loads(entry_json(source, quoted(user), *astuple(entry)))
    assert read_entry(item) == entry
    assert item["user"] == {"S": user}
    assert item["PK"] == ledger_key(source)["PK"]
