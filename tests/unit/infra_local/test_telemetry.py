"""Metrics and alarms on one machine: as CloudWatch would see them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.telemetry.alarms import AlarmBoard, State, Transition
from infra.local.telemetry.log_tail import LogTail
from infra.local.telemetry.metric_store import MetricStore
from shared import emf, metric_names
from shared.alarms import FAST_BURN, Alarm, FreshnessObjective, Missing, Signal
from shared.spec import ConsumerSpec, Source

DAY = 86_400.0


def spec(name: str = "toy", *alarms: Alarm) -> ConsumerSpec:
    quiet = Alarm("quiet", Signal.FUNCTION_ERRORS, "Sum", 1e9, "never")
    return ConsumerSpec(
        name=name,
        purpose="test",
        destination="nothing",
        source=Source.STREAM,
        alarms=alarms or (quiet,),
        burn_rates=(FAST_BURN,),
        freshness=FreshnessObjective(within_ms=1_000, target=0.99),
    )


def document(value: float, time: float, consumer: str = "toy") -> bytes:
    metric = emf.Metric("Freshness", "Milliseconds", [value])
    (line,) = emf.documents(
        metric_names.PIPELINE, int(time * 1000), {"Consumer": consumer}, [metric]
    )
    return line


def test_reads_each_document_once_and_no_half_line(tmp_path: Path) -> None:
    log = tmp_path / "toy.log"
    tail = LogTail(log)
    assert list(tail.documents()) == []
    line = document(5, 1)
    log.write_bytes(b"Traceback\n" + line + line[:20])
    assert [d["Freshness"] for d in tail.documents()] == [5]
    with log.open("ab") as more:
        more.write(line[20:] + b'not json "_aws"\n')
    assert [d["Freshness"] for d in tail.documents()] == [5]
    assert list(tail.documents()) == []


def test_the_store_sorts_and_sums() -> None:
    store = MetricStore(DAY)
    for time, value in ((10, 1.0), (30, 3.0), (20, 2.0)):
        store.put_document(json.loads(document(value, time)))
    assert list(store.window("Freshness", "toy", 10, 30)) == [1.0, 2.0]
    assert store.total("Freshness", "toy") == 6.0
    assert store.latest("Freshness", "toy") == 3.0
    assert store.latest("Freshness", "other") is None


def test_the_store_forgets_what_is_too_old() -> None:
    store = MetricStore(10)
    for time in range(1_000):
        store.put("m", "toy", time, 1.0)
    assert 10 <= len(store.window("m", "toy", 0, 1_000)) <= 21
    assert store.total("m", "toy") == 1_000


def states(found: Iterator[Transition]) -> dict[str, State]:
    return {transition.alarm: transition.state for transition in found}


def test_m_out_of_n() -> None:
    store = MetricStore(DAY)
    alarm = Alarm("errors", Signal.FUNCTION_ERRORS, "Sum", 0, "x", periods=3, breaching=2)
    board = AlarmBoard([spec("toy", alarm)], store)
    assert states(board.evaluate(600))["errors"] is State.OK
    store.put("FunctionErrors", "toy", 590, 1)
    assert states(board.evaluate(600)) == {}
    store.put("FunctionErrors", "toy", 530, 1)
    assert states(board.evaluate(600)) == {"errors": State.ALARM}
    assert states(board.evaluate(600)) == {}, "a state is told once"
    assert states(board.evaluate(800)) == {"errors": State.OK}


@pytest.mark.parametrize(
    ("missing", "state"),
    [
        (Missing.BREACHING, State.ALARM),
        (Missing.NOT_BREACHING, State.OK),
        (Missing.MISSING, None),
        (Missing.IGNORE, None),
    ],
)
def test_what_no_data_means_is_the_alarms_choice(missing: Missing, state: State | None) -> None:
    alarm = Alarm(
        "a", Signal.PIPELINE_METRIC, "SampleCount", 1, "x", "Freshness", missing=missing, below=True
    )
    board = AlarmBoard([spec("toy", alarm)], MetricStore(DAY))
    first = states(board.evaluate(0))
    assert first.get("a") in (State.OK, None), "nothing ran before the first evaluation"
    second = {**first, **states(board.evaluate(600))}
    assert second.get("a") is state


def test_burn_rate_needs_both_windows() -> None:
    store = MetricStore(DAY)
    board = AlarmBoard([spec()], store)
    for second in range(0, 3600, 10):
        store.put("Freshness", "toy", second, 10)
    assert states(board.evaluate(3600))["freshness-fast-burn"] is State.OK
    for second in range(3600, 3900, 10):
        store.put("Freshness", "toy", second, 5_000)
    # The last five minutes are all late, but of the hour only a twelfth: 8.3 times too fast.
    assert states(board.evaluate(3900)) == {}
    for second in range(3900, 4300, 10):
        store.put("Freshness", "toy", second, 5_000)
    assert states(board.evaluate(4300)) == {"freshness-fast-burn": State.ALARM}
    for second in range(4300, 4700, 10):
        store.put("Freshness", "toy", second, 10)
    assert states(board.evaluate(4700)) == {"freshness-fast-burn": State.OK}


def test_only_the_consumer_in_trouble_is_paged() -> None:
    store = MetricStore(DAY)
    alarm = Alarm("errors", Signal.FUNCTION_ERRORS, "Sum", 0, "x")
    board = AlarmBoard([spec("one", alarm), spec("two", alarm)], store, scale=0.1)
    list(board.evaluate(10))
    store.put("FunctionErrors", "two", 19, 1)
    assert [(t.consumer, t.alarm) for t in board.evaluate(20)] == [("two", "errors")]
