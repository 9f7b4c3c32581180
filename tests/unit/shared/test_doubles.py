"""Doubles: exactly what DynamoDB stores is taken, and nothing is rounded twice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codec import decode_number
from shared.doubles import nearest_double
from shared.errors import Malformed

# Whatever could be a number, and much that nearly is one.
NEARLY = st.text("0123456789.+-eE_ \u0661n", max_size=45) | st.from_regex(
    r"[+-]?[0-9]{0,40}\.?[0-9]{0,5}([eE][+-]?[0-9]{1,3})?", fullmatch=True
)


def taken(read: Any, body: Any) -> float | None:
    try:
        return float(read(body))
    except Malformed:
        return None


@given(NEARLY)
def test_it_takes_what_the_codec_takes_and_gives_its_double(body: str) -> None:
    assert taken(nearest_double, body) == taken(decode_number, body)


REFUSED: list[Any] = [None, 1, 1.5, b"1", "", ".", "1.2.3", "\u0661", " 1", "1_0", "\u00b2"]


@pytest.mark.parametrize("body", REFUSED)
def test_what_is_no_number_is_refused(body: Any) -> None:
    with pytest.raises(Malformed):
        nearest_double(body)


@pytest.mark.parametrize(
    ("body", "double"),
    [("328.90", 328.9), ("5.", 5.0), (".5", 0.5), ("-7", -7.0), ("1E+125", 1e125), ("007", 7.0)],
)
def test_a_number(body: str, double: float) -> None:
    assert nearest_double(body) == double
