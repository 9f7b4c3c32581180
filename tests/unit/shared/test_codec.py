"""Values: every type exactly, everything else refused."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codec import decode_image, decode_number, decode_value
from shared.encoding import encode_image, encode_value
from shared.errors import Malformed

DECODED: list[tuple[dict[str, Any], Any]] = [
    ({"S": ""}, ""),
    ({"S": "Zoë"}, "Zoë"),
    ({"NULL": True}, None),
    ({"NULL": False}, None),
    ({"BOOL": False}, False),
    ({"N": "1.25"}, Decimal("1.25")),
    ({"N": "-0"}, Decimal(0)),
    ({"B": "Zm9vYmFy"}, b"foobar"),
    ({"BS": ["Zm8="]}, {b"fo"}),
    ({"SS": ["foo", "bar"]}, {"foo", "bar"}),
    ({"NS": ["9007199254740996", "1.50"]}, {Decimal(9007199254740996), Decimal("1.5")}),
    ({"L": [{"N": "1"}, {"S": "x"}, {"L": []}]}, [Decimal(1), "x", []]),
    ({"M": {"a": {"M": {"b": {"N": "1"}}}}}, {"a": {"b": Decimal(1)}}),
]

# Accepted and refused numbers: DynamoDB's limits, as scylladb's test_number.py checks on AWS.
NUMBERS = [
    "1e10", "1e125", "9.99999999e125", "1e-130", "+3", ".123", "0001.23", "-17.4E37", "0e5",
    "3.1415926535897932384626433832795028841", "31415926535897932384626433832795028841e30",
    "1" + "0" * 125,
]  # fmt: skip
NO_NUMBERS = [
    "1e126", "11e125", "1e-131", "0.9e-130", "5e-324", "NaN", "Infinity", "-Infinity", "dog", "",
    " 1", "1 ", "1_000", "\u0661", "0x1", "1e", "--1", "3.14159265358979323846264338327950288419",
    "314159265358979323846264338327950288419e30",
]  # fmt: skip

REFUSED: list[Any] = [
    {}, {"A": "data"}, {"LS": []}, {"S": None}, {"S": 1}, {"N": 123}, {"N": None}, {"B": "not!"},
    {"B": "Zg"}, {"B": 1}, {"BOOL": "true"}, {"NULL": "yes"}, {"L": {}}, {"M": []}, {"SS": "a"},
    {"NS": [1]}, {"S": "a", "N": "1"}, "text", None, ["S"], {"M": {"a": None}}, {"L": [{"X": 1}]},
]  # fmt: skip


@pytest.mark.parametrize(("raw", "value"), DECODED)
def test_decodes_every_type(raw: dict[str, Any], value: Any) -> None:
    assert decode_value(raw) == value
    assert type(decode_value(raw)) in (type(value), frozenset)


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_exact(text: str) -> None:
    assert decode_number(text) == Decimal(text)
    assert decode_number(text).as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_refuses_what_is_no_number_of_dynamodb(text: str) -> None:
    with pytest.raises(Malformed):
        decode_number(text)


@pytest.mark.parametrize("raw", REFUSED, ids=repr)
def test_refuses_what_dynamodb_never_sends(raw: Any) -> None:
    with pytest.raises(Malformed) as caught:
        decode_value(raw)
    assert caught.value.hint


def test_an_error_names_the_attribute_and_not_its_value() -> None:
    with pytest.raises(Malformed) as caught:
        decode_image({"customer": {"M": {"email": {"N": "ada@example.org"}}}})
    assert "customer: email:" in caught.value.reason
    assert "ada" not in str(caught.value)


def test_refuses_hostile_nesting() -> None:
    raw: Any = {"S": "x"}
    for _ in range(100_000):
        raw = {"L": [raw]}
    with pytest.raises(Malformed, match="nested"):
        decode_value(raw)


ATTRIBUTES = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.binary()
    | st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=9
    )
    | st.sets(st.text(), min_size=1)
    | st.sets(st.binary(), min_size=1)
    | st.sets(st.integers(-(10**30), 10**30).map(Decimal), min_size=1),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), ATTRIBUTES))
def test_what_is_encoded_decodes_to_itself(item: dict[str, Any]) -> None:
    raw = encode_image(item)
    assert decode_image(raw) == item
    assert decode_image(json.loads(json.dumps(raw))) == item


@pytest.mark.parametrize(
    "value", [1.25, Decimal("NaN"), Decimal("Infinity"), object(), set(), {1, "a"}]
)
def test_encodes_nothing_inexact(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_value(value)


def test_agrees_with_all_recorded_vectors(shared_testdata: Path) -> None:
    seen = 0
    for line in (shared_testdata / "codec_vectors.jsonl").read_text().splitlines():
        vector = json.loads(line)
        kind, given_, expected = vector["kind"], vector["input"], str(vector["expected"])
        match kind:
            case "number-accepted":
                assert decode_number(given_) == Decimal(given_), line
            case "number-rejected":
                _refuses({"N": given_}, line)
            case "json-number-not-string":
                _refuses(given_, line)
            case "canonical-N (DynamoDB output form, hence stream form)":
                assert decode_number(given_) == Decimal(expected), line
                assert decode_number(expected) == Decimal(expected), line
            case "decode-number-lossless" if given_["N"] != "5e-324":
                assert str(decode_value(given_)) == str(Decimal(expected)), line
            case "decode" if expected == "error":
                _refuses(given_, line)
            case "ns-normalised-equality":
                assert len(decode_value({"NS": given_})) == 3, line
            case "decode" | "boto3-trap" if isinstance(given_, dict):
                decode_value(given_)
            case "encode" if expected.startswith("error"):
                with pytest.raises((TypeError, ValueError)):
                    encode_value(eval(given_, {"Decimal": Decimal}))
            case _:
                continue
        seen += 1
    assert seen > 85


def _refuses(raw: Any, line: str) -> None:
    try:
        value = decode_value(raw)
    except Malformed:
        return
    pytest.fail(f"decoded to {value!r}: {line}")
