"""What the metrics read of an image, and what they refuse."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.metrics import reading
from shared.emf import MAX_MAGNITUDE
from shared.errors import Malformed

DAMAGED: list[Any] = [None, {}, [], "x", 7, {"X": "1"}, {"S": None}, {"S": 1}, {"N": 1}, {"M": []}]


def metadata(**times: Any) -> dict[str, Any]:
    return {"metadata": {"M": times}}


def test_text() -> None:
    assert reading.text_of({"status": {"S": "SHIPPED"}}, "status") == "SHIPPED"


@pytest.mark.parametrize("value", [*DAMAGED, {"S": ""}, {"N": "1"}])
def test_text_that_is_none(value: Any) -> None:
    with pytest.raises(Malformed, match=r"^status is absent") as caught:
        reading.text_of({"status": value}, "status")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0.0),
        ("-12.50", -12.5),
        ("328.90", 328.9),
        ("1E+100", 1e100),
        ("1E-130", 1e-130),
        ("0.1234567890123456789012345678901234567", 0.12345678901234568),
        ("99999999999999999999999999999999999999", 1e38),
    ],
)
def test_a_number_is_the_nearest_double(text: str, number: float) -> None:
    assert reading.number_of({"n": {"N": text}}, "n") == number


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=2).filter(lambda d: abs(d) < 10**13)
)
def test_money_keeps_its_cents(amount: Decimal) -> None:
    assert Decimal(repr(reading.number_of({"n": {"N": str(amount)}}, "n"))) == amount


@pytest.mark.parametrize(
    "value",
    [
        *DAMAGED,
        {"S": "12.50"},
        *(
            {"N": text}
            for text in ("", " 1", "1_0", "nan", "inf", "-Infinity", "0x10", "\u0661", "1e400")
        ),
    ],
)
def test_a_number_that_is_none(value: Any) -> None:
    with pytest.raises(Malformed, match=r"^n is absent, or no number that DynamoDB stores"):
        reading.number_of({"n": value}, "n")


@pytest.mark.parametrize(
    "text", ["1E+125", "-1E+125", "2348542582773833227889480596789337027400000000E+64"]
)
def test_a_number_beyond_cloudwatch(text: str) -> None:
    with pytest.raises(Malformed, match="beyond 2\\^360"):
        reading.number_of({"n": {"N": text}}, "n")


def test_the_largest_number_that_cloudwatch_takes() -> None:
    assert reading.number_of({"n": {"N": "2E+108"}}, "n") < MAX_MAGNITUDE


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ({"S": "2025-10-09T08:53:20Z"}, datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)),
        ({"S": "2025-10-09T08:53:20.125"}, datetime(2025, 10, 9, 8, 53, 20, 125_000, tzinfo=UTC)),
        (
            {"S": "2025-10-09T10:53:20+02:00"},
            datetime(2025, 10, 9, 10, 53, 20, tzinfo=timezone(timedelta(hours=2))),
        ),
        ({"N": "1760000000125"}, datetime(2025, 10, 9, 8, 53, 20, 125_000, tzinfo=UTC)),
        ({"N": "1.760000000125E12"}, datetime(2025, 10, 9, 8, 53, 20, 125_000, tzinfo=UTC)),
        ({"N": "0"}, datetime(1970, 1, 1, tzinfo=UTC)),
        ({"N": "253402300799999"}, datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
    ],
)
def test_times(value: Any, moment: datetime) -> None:
    assert reading.updated_at(metadata(updatedAt=value)) == moment
    assert reading.created_at(metadata(createdAt=value)) == moment


@pytest.mark.parametrize(
    "value",
    [
        *DAMAGED,
        *(
            {"S": text}
            for text in ("", "yesterday", "2025-13-01T00:00:00Z", "1760000000125", "\ud800")
        ),
        *({"N": text} for text in ("-1", "253402300800000", "1E+125", "nan", "x")),
    ],
)
def test_times_that_are_none(value: Any) -> None:
    with pytest.raises(Malformed, match=r"^metadata\.updatedAt is absent, or neither"):
        reading.updated_at(metadata(updatedAt=value))


@pytest.mark.parametrize("value", DAMAGED)
def test_an_order_without_metadata_has_no_times(value: Any) -> None:
    with pytest.raises(Malformed, match=r"^metadata\.createdAt"):
        reading.created_at({"metadata": value})


def test_a_duration_is_in_milliseconds_and_never_negative() -> None:
    early = datetime(2025, 1, 1, tzinfo=UTC)
    late = early + timedelta(days=1, microseconds=1)
    assert reading.milliseconds_between(early, late) == 86_400_000.001
    assert reading.milliseconds_between(late, early) == 0


@pytest.mark.parametrize("value", DAMAGED)
def test_damaged_context_means_no_retries(value: Any) -> None:
    assert reading.retry_count({"workflowContext": value}) is None
