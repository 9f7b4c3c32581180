"""The image chain: what fits, what does not, and what counts as the same image."""

import itertools
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from shared.archive_chain import Link, chain, from_row, image_digest, to_row
from shared.errors import Malformed
from tests.support import records as make

KEY = ("ORDER#o-1", "ORDER")


def life(*images: str | None, start: int = 1, kinesis: bool = False) -> list[Link]:
    """The changes that lead from image to image; None is no item."""
    return [
        Link(
            event_id=f"e-{number}",
            sequence=None if kinesis else 10**20 + number,
            created_us=(1_760_000_000 + number) * 1_000_000,
            version=number,
            old=old,
            new=new,
        )
        for number, (old, new) in enumerate(itertools.pairwise(images), start)
    ]


def broken(links: Sequence[Link], whole: bool = True) -> list[tuple[str | None, str]]:
    """Between which changes something is missing."""
    gaps = chain(KEY, links, whole).gaps
    assert all(gap.item_key == KEY for gap in gaps)
    return [(gap.after.event_id if gap.after else None, gap.before.event_id) for gap in gaps]


def test_a_whole_history_has_no_gap() -> None:
    links = life(None, "a", "b", "c", None, "d")
    found = chain(KEY, links, whole=True)
    assert list(found.links) == links
    assert not found.gaps
    assert found.last_image == "d"


def test_a_removed_item_has_no_last_image() -> None:
    assert chain(KEY, life(None, "a", None), whole=True).last_image is None


@pytest.mark.parametrize("missing", range(1, 4))
def test_a_missing_change_is_found_where_it_is(missing: int) -> None:
    links = life(None, "a", "b", "c", "d", "e")
    del links[missing]
    assert broken(links) == [(f"e-{missing}", f"e-{missing + 2}")]


def test_a_gap_says_what_was_expected_and_what_was_found() -> None:
    links = life(None, "a", "b", "c")
    (gap,) = chain(KEY, [links[0], links[2]], whole=True).gaps
    assert (gap.expected, gap.found) == ("a", "b")
    text = str(gap)
    for part in ("ORDER#o-1|ORDER", "version 1", "version 3", "eventID e-1", "eventID e-3"):
        assert part in text


def test_a_history_begins_with_an_insert() -> None:
    links = life(None, "a", "b", "c")[1:]
    assert broken(links) == [(None, "e-2")]
    assert "first changes are missing" in str(chain(KEY, links, whole=True).gaps[0])
    assert broken(links, whole=False) == []


def test_a_missing_removal_is_found() -> None:
    links = life(None, "a", None, "b")
    del links[1]
    assert broken(links) == [("e-1", "e-3")]
    assert "removal is missing" in str(chain(KEY, links, whole=True).gaps[0])


def test_each_gap_is_found() -> None:
    links = life(None, *"abcdefg")
    assert broken([links[0], *links[2:4], *links[5:]]) == [("e-1", "e-3"), ("e-4", "e-6")]


def test_repeats_and_any_order_of_arrival_change_nothing() -> None:
    links = life(None, "a", "b", None, "a", "c")
    shuffled = links * 3
    random.Random(5).shuffle(shuffled)
    assert chain(KEY, shuffled, whole=True) == chain(KEY, links, whole=True)


def test_two_changes_of_one_id_do_not_pass_for_a_repeat() -> None:
    links = life(None, "a", "b")
    forged = links[1]._replace(old="x", new="y")
    assert broken([*links, forged])
    assert broken([forged, *links])


def test_order_is_by_number_not_by_text() -> None:
    links = [
        Link("first", 9, 5, None, None, "a"),
        Link("second", 10, 5, None, "a", "b"),
    ]
    assert list(chain(KEY, links[::-1], whole=True).links) == links


def test_through_kinesis_time_gives_the_order() -> None:
    links = life(None, "a", "b", "c", None, kinesis=True)
    assert list(chain(KEY, links[::-1], whole=True).links) == links
    assert broken([links[0], links[2]]) == [("e-1", "e-3")]


def test_through_kinesis_changes_of_one_instant_follow_from_each_other() -> None:
    # Removed and made anew within a millisecond: the version starts again.
    moments = [None, "a", "b", None, "c", "d"]
    links = [
        link._replace(created_us=7_000, version=version)
        for link, version in zip(life(*moments, kinesis=True), (1, 2, 3, 1, 2), strict=True)
    ]
    found = chain(KEY, sorted(links, key=lambda link: link.version or 0), whole=True)
    assert list(found.links) == links
    assert not found.gaps


def test_a_source_that_was_moved_to_kinesis_is_one_history() -> None:
    before = life(None, "a", "b")
    after = life("b", "c", "d", start=3, kinesis=True)
    assert broken([*after, *before]) == []


def test_a_change_without_images_breaks_the_chain() -> None:
    links = life(None, "a", "b")
    assert broken([links[0], links[1]._replace(old=None, new=None)]) == [("e-1", "e-2")]


def digest(value: Any) -> str | None:
    return image_digest({"attribute": value})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"M": {"a": {"S": "1"}, "b": {"S": "2"}}}, {"M": {"b": {"S": "2"}, "a": {"S": "1"}}}),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}),
        ({"NS": ["1", "-5", "0.1"]}, {"NS": ["0.1", "1", "-5"]}),
        ({"BS": ["AA==", "/w=="]}, {"BS": [b"\xff", b"\x00"]}),
        ({"B": "AP8="}, {"B": b"\x00\xff"}),
        ({"L": [{"M": {"x": {"SS": ["a", "b"]}}}]}, {"L": [{"M": {"x": {"SS": ["b", "a"]}}}]}),
        ({"SS": ["\ud800", "a"]}, {"SS": ["a", "\ud800"]}),
    ],
)
def test_the_same_image_in_another_form_is_the_same(one: Any, other: Any) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            {"N": "12345678901234567890123456789012345678"},
            {"N": "12345678901234567890123456789012345679"},
        ),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
        ({"S": "1"}, {"N": "1"}),
        ({"SS": ["a"]}, {"SS": ["a", "b"]}),
        ({"S": ""}, {"NULL": True}),
        ({"S": '"SS":["b","a"]'}, {"S": '"SS":["a","b"]'}),
        ({"S": "\ud800"}, {"S": "\ud801"}),
        ({"M": {}}, {"L": []}),
    ],
)
def test_another_image_is_another(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


def test_no_item_has_no_digest() -> None:
    assert image_digest(None) is None
    assert image_digest({}) is not None


def test_a_whole_order_is_told_apart_by_its_last_digit() -> None:
    one = make.raw_image(make.order(totalAmount=Decimal("1E-130")))
    assert image_digest(one) == image_digest(dict(reversed(one.items())))
    assert image_digest(one) != image_digest({**one, "totalAmount": {"N": "2E-130"}})


def test_an_image_that_nothing_can_walk_is_said_to_be_so() -> None:
    bottomless: Any = {"S": "x"}
    for _ in range(5_000):
        bottomless = {"L": [bottomless]}
    with pytest.raises(Malformed, match="nested too deep"):
        digest(bottomless)


@pytest.mark.parametrize("sequence", [None, 0, 10**39])
def test_a_link_survives_being_put_aside(sequence: int | None) -> None:
    key = ("half \ud83d", "a pair")
    link = life(None, "a")[0]._replace(sequence=sequence)
    row = to_row(key, link)
    assert row.count(b"\n") == 1
    assert from_row(row) == (key, link)
