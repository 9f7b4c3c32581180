"""The verdict of a run under faults: each thing that must not be makes it fail, with its reason."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from ops.chaos.faults import Kind
from ops.chaos.recovery import Recovery
from ops.chaos.report import ConsumerReport, KindReport, Report, render_report
from ops.verify.findings import Damage, Finding, Verdict

CONSUMER = ConsumerReport("cache", 100, 10, 2, 1, 0, 3, (0.5, 1.0, 2.0), 0, 0, 0)
GOOD = Report(
    seed=7,
    planned=2,
    kinds=[KindReport(Kind.CUT, injected=1, touched=3), KindReport(Kind.LATE, missed=1)],
    consumers=[CONSUMER],
    restarts={"aws": 1},
    written={"orders": 5},
    reads=9,
    hit_ratio=0.5,
    faults_seconds=3.0,
    drained_seconds=1.0,
    verdicts=[Verdict("cache", checked=4)],
)
FINDING = Finding("cache", "order/o-1", Damage.STALE, "is older", "look")


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (replace(GOOD, drained_seconds=None), "caught up"),
        (replace(GOOD, verdicts=[Verdict("cache", 4, [FINDING])]), "differs from the table"),
        (replace(GOOD, verdicts=[Verdict("cache", 0)]), "nothing was there to compare"),
        (replace(GOOD, consumers=[replace(CONSUMER, parked=1)]), "parked by cache"),
        (replace(GOOD, consumers=[replace(CONSUMER, given_up=1)]), "given up by cache"),
    ],
)
def test_what_must_not_be_fails_the_run(report: Report, reason: str) -> None:
    (found,) = report.faults_found()
    assert reason in found
    assert report.document()["passed"] is False


def test_a_good_run_passes() -> None:
    assert GOOD.faults_found() == []
    document = GOOD.document()
    assert (document["passed"], document["injected"], document["planned"]) == (True, 1, 2)


def test_the_tables_show_it() -> None:
    screen = Console(width=140, record=True, file=StringIO())
    render_report(screen, GOOD)
    text = screen.export_text()
    for shown in ("cut", "late", "seed 7", "2.0 s", "aws 1", "1 of 2 in 3.0 s", "Parity"):
        assert shown in text


def test_what_met_nothing_has_missed() -> None:
    report = KindReport(Kind.CUT)
    for target, touched in (("aws", 2), ("cache", 0), ("aws", 1)):
        report.add(target, touched)
    assert report == KindReport(Kind.CUT, 2, 1, 3, {"aws": 2})


def test_recovery_is_from_the_end_of_a_fault_to_having_caught_up() -> None:
    moments = {"cache": 0, "search": 0}
    recovery = Recovery(lambda: moments)
    recovery.fault_over()
    recovery.look()
    assert recovery.seconds("cache") is None
    assert recovery.unrecovered("cache") == 1
    moments["cache"] = 1 << 60
    recovery.look()
    found = recovery.seconds("cache")
    assert found is not None
    assert all(seconds >= 0 for seconds in found)
    assert (recovery.unrecovered("cache"), recovery.unrecovered("search")) == (0, 1)
