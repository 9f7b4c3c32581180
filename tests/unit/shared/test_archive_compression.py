"""Compressed objects: the same every time, and damage never goes unseen."""

import pytest

from shared.archive_compression import DAMAGE, compress, lines_of

LINES = [b'{"line":%d,"text":"the quick brown fox"}\n' % number for number in range(5_000)]
BODY = compress(LINES)


def test_lines_come_back() -> None:
    assert list(lines_of(BODY)) == LINES
    assert list(lines_of(compress([]))) == []


def test_the_same_lines_give_the_same_bytes() -> None:
    assert compress(iter(LINES)) == BODY
    assert compress(LINES[1:]) != BODY


def test_it_is_worth_it() -> None:
    assert len(BODY) < len(b"".join(LINES)) / 5


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(BODY[:3], id="a few bytes"),
        pytest.param(BODY[: len(BODY) // 2], id="half"),
        pytest.param(BODY[:-1], id="a byte short"),
        pytest.param(BODY + b"x", id="a byte long"),
        pytest.param(b"".join(LINES), id="not compressed"),
    ],
)
def test_damage_is_noticed(body: bytes) -> None:
    with pytest.raises(DAMAGE):
        list(lines_of(body))


def test_a_changed_bit_is_noticed_wherever_it_is() -> None:
    # Not every place: bits of the header say only how it was packed.
    for place in range(10, len(BODY), 97):
        damaged = bytearray(BODY)
        damaged[place] ^= 1
        with pytest.raises(DAMAGE):
            list(lines_of(bytes(damaged)))
