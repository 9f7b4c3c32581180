"""The filter of totals: scores and heartbeats, and never what totals itself writes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.totals import SPEC
from consumers.totals.posting import fold, pack
from consumers.totals.projection import project
from consumers.totals.transaction import compose
from shared.entities import Kind
from shared.filters import compile_filter
from shared.spec import Grant, Source
from tests.support.records import Raw, heartbeat, order, score, stream_record
from tests.support.totals import contributions, records_of

FILTERS = [compile_filter(pattern) for pattern in SPEC.filters]


def passes(record: Raw) -> bool:
    return any(one.matches(record) for one in FILTERS)


def total(user: str, version: int) -> Raw:
    return {"PK": f"TOTAL#{user}", "SK": "TOTAL", "total": 5, "scores": 1, "version": version}


def test_scores_and_heartbeats_pass() -> None:
    assert passes(stream_record(None, score()))
    assert passes(stream_record(score(), score(value=2, version=2)))
    assert passes(stream_record(score(), None))
    assert passes(stream_record(None, heartbeat()))
    assert not passes(stream_record(None, order()))


@given(st.text(min_size=1))
def test_a_total_of_any_player_never_comes_back(user: str) -> None:
    for record in (
        stream_record(None, total(user, 1)),
        stream_record(total(user, 1), total(user, 2)),
        stream_record(total(user, 2), None),
    ):
        assert not passes(record)
        # Nor would one that slipped through be counted.
        assert project(records_of(record)[0]) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_whatever_is_written_into_the_table_is_a_total(user: str) -> None:
    (parcel,) = pack(fold(contributions(stream_record(None, score(user=user)))))
    actions, _ = compose(parcel, "table", "ledger", "now")
    written = [
        op for action in actions for op in json.loads(action).values() if op["TableName"] == "table"
    ]
    assert [op["Key"]["PK"]["S"] for op in written] == [Kind.TOTAL.value + user]
    assert not passes({"dynamodb": {"Keys": written[0]["Key"]}})


def test_the_loop_test_can_fail() -> None:
    loose = compile_filter('{"dynamodb": {"Keys": {"SK": {"S": [{"exists": true}]}}}}')
    assert loose.matches(stream_record(None, total("u", 1)))


def test_the_declaration() -> None:
    assert SPEC.name == "totals"
    assert SPEC.source is Source.STREAM
    assert SPEC.grants == (Grant.TOTALS_WRITE,)
    assert set(SPEC.settings) == {"table", "ledger_table"}


@pytest.mark.parametrize("kind", [Kind.ORDER, Kind.TOTAL, Kind.OTHER])
def test_only_two_kinds_pass(kind: Kind) -> None:
    assert not passes({"dynamodb": {"Keys": {"PK": {"S": f"{kind.value or 'X#'}1"}}}})
