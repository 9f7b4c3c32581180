"""What the metrics should say against what was printed: equal after any repetition, and no less."""

import io
import random
from contextlib import redirect_stdout
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.metrics.parity import (
    Printed,
    Tally,
    differing_items,
    document_counts,
    expected,
    expected_counts,
    tally,
)
from consumers.metrics.projection import project
from consumers.metrics.sink import MetricsSink
from shared.clock import Deadline
from shared.entities import ORDER_STATUSES
from shared.envelopes import read_records
from shared.records import Record
from tests.support.emf_rules import checked_documents
from tests.support.records import event, heartbeat, kinesis_record, order, score, stream_record

Document = dict[str, Any]
WORKFLOW = ("WorkflowType", "ORDER")


def history(orders: int, seed: int = 1) -> list[tuple[Any, Any]]:
    """Changes (old, new) of orders on random ways through the statuses, and of scores."""
    rng = random.Random(seed)
    changes: list[tuple[Any, Any]] = [(None, heartbeat())]
    for number in range(orders):
        amount = Decimal(rng.randint(1, 10**6)).scaleb(-2)
        before, minute = None, 0
        for _ in range(rng.randint(1, 6)):
            status = "PENDING_VALIDATION" if before is None else rng.choice(ORDER_STATUSES)
            minute += rng.randint(0, 9)
            times = {
                "createdAt": "2025-10-09T08:00:00Z",
                "updatedAt": f"2025-10-09T08:{minute:02}:00.{rng.randint(0, 999):03}Z",
            }
            after = order(f"o-{number}", status=status, totalAmount=amount, metadata=times)
            changes.append((before, after))
            before = after
        changes.append((None, score(f"s-{number}", value=rng.randint(0, 999))))
    return changes


def records(changes: list[tuple[Any, Any]], *, kinesis: bool = False) -> list[Record]:
    make = kinesis_record if kinesis else stream_record
    raw = [make(old, new, sequence=place + 1) for place, (old, new) in enumerate(changes)]
    return [record for record in read_records(event(*raw)) if isinstance(record, Record)]


def printed(delivered: list[Record], cuts: list[tuple[int, int, bool]]) -> list[Document]:
    """The documents of batches [start, end); True: the worker dies after it, as by SIGKILL."""
    output = io.BytesIO()
    sink = MetricsSink()
    with redirect_stdout(io.TextIOWrapper(output, write_through=True)) as text:
        for start, end, dies in cuts:
            operations = [project(record) for record in delivered[start:end]]
            sink.write([operation for operation in operations if operation], Deadline(60))
            if dies:
                sink = MetricsSink()
        text.detach()  # else it would close `output`
    return checked_documents(output.getvalue())


def test_sums_are_exact_by_series() -> None:
    changes = [(None, order(f"o-{n}", totalAmount=Decimal("0.1"))) for n in range(1_000)]
    changes.append((None, order("large", totalAmount=Decimal("1E+100"))))
    counts = expected_counts(records(changes))
    card = (("PaymentMethod", "CARD"),)
    assert counts["OrderValue", card] == Tally(1_001, Decimal(10**100 + 100))
    assert counts["OrdersCreated", card] == Tally(1_001, Decimal(1_001))
    assert counts["WorkflowStarted", (WORKFLOW,)] == Tally(1_001, Decimal(1_001))


def test_what_is_parked_is_not_expected() -> None:
    counts = expected_counts(records([(None, order("a", totalAmount="12")), (None, order("b"))]))
    assert counts["OrdersCreated", (("PaymentMethod", "CARD"),)].count == 1


def test_documents_of_other_namespaces_are_passed_by() -> None:
    other = {"_aws": {"CloudWatchMetrics": [{"Namespace": "Fanout/Pipeline"}]}}
    assert document_counts([other]) == {}


def test_printed_equals_expected_across_envelopes() -> None:
    changes = history(120)
    delivered = records(changes, kinesis=True)
    documents = printed(delivered, [(0, 300, False), (300, len(delivered), False)])
    archive = expected_counts(records(changes))
    assert document_counts(documents) == archive
    assert len(archive) > 20, "the history touches most series"


@given(st.data())
def test_any_cut_repetition_and_death_gives_the_same(data: st.DataObject) -> None:
    """A worker that dies is redelivered what it had, in any cut; Kinesis repeats anything later."""
    delivered = records(history(12, seed=data.draw(st.integers(0, 99))))
    cuts: list[tuple[int, int, bool]] = []
    position = 0
    while position < len(delivered):
        end = data.draw(st.integers(position + 1, len(delivered)))
        dies = data.draw(st.booleans()) and len(cuts) < 9
        cuts.append((position, end, dies))
        if data.draw(st.booleans()):
            cuts.append((data.draw(st.integers(0, end - 1)), end, False))
        position = position if dies else end
    assert document_counts(printed(delivered, cuts)) == expected_counts(delivered)


def test_repeats_are_told() -> None:
    delivered = records([(None, score(f"s-{n}")) for n in range(3)])
    reader = Printed()
    documents = printed(delivered, [(0, 2, True), (0, 3, False)])
    assert tally(reader.contributions(documents)) == expected_counts(delivered)
    assert reader.repeats == 4, "two scores, each with its count and its value"


def test_one_lost_document_is_found_with_its_items() -> None:
    delivered = records(history(40))
    documents = printed(delivered, [(0, len(delivered), False)])
    should = expected_counts(delivered)
    for lost in range(len(documents)):
        rest = documents[:lost] + documents[lost + 1 :]
        does = document_counts(rest)
        differ = frozenset(key for key in should if should[key] != does.get(key))
        metrics = documents[lost]["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        assert len(differ) == len(metrics)
        items = differing_items(expected(delivered), Printed().contributions(rest), differ)
        assert items.keys() == set(documents[lost]["items"])
        assert all(count < 0 for count in items.values())


def test_a_changed_value_and_a_ghost_are_found() -> None:
    delivered = records([(None, score("s-1", value=5)), (None, score("s-2", value=6))])
    (document,) = printed(delivered, [(0, 2, False)])
    series = frozenset(expected_counts(delivered))
    changed = {**document, "ScoreValue": [5.0, 7.0]}
    assert document_counts([changed]) != expected_counts(delivered)
    assert differing_items(expected(delivered), Printed().contributions([changed]), series) == {
        "SCORE#s-2": 0
    }
    ghost = {**document, "items": ["SCORE#s-9"], "eventIds": ["x"], "ScoresSubmitted": 1}
    ghost["ScoreValue"] = 1.0
    found = Printed().contributions([document, ghost])
    assert differing_items(expected(delivered), found, series) == {"SCORE#s-9": 2}


@pytest.mark.parametrize(
    "damage", [{"ScoresSubmitted": 3}, {"ScoreValue": [1.0]}, {"eventIds": ["a"]}, {"items": []}]
)
def test_a_document_that_contradicts_itself_is_no_document(damage: Document) -> None:
    delivered = records([(None, score("s-1")), (None, score("s-2"))])
    (document,) = printed(delivered, [(0, 2, False)])
    with pytest.raises(ValueError, match=r"a document|zip"):
        document_counts([{**document, **damage}])
