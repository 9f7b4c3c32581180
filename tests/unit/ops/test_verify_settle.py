"""Looking again: until all has settled, or nothing has for a while; nothing is excused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from ops.verify import settle as module
from ops.verify.findings import Damage, Finding, Verdict
from ops.verify.settle import settle
from shared.codec import RawImage
from shared.entities import Kind


class Clock:
    """A clock that only sleeping, and looking, moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


class Scripted:
    """A check whose items differ for as long as `differs` says."""

    needs_items = False

    def __init__(self, clock: Clock, differs: Callable[[str, float], bool], looks: float = 0.0):
        self.verdict = Verdict("scripted")
        self.looked_at: list[set[str]] = []
        self._clock, self._differs, self._seconds = clock, differs, looks

    def expect(self, kind: Kind, name: str, item: RawImage) -> None:
        raise AssertionError("only its suspects are looked at")

    def compare(self) -> Iterator[Finding]:
        raise AssertionError("only its suspects are looked at")

    def look_again(self, suspects: Sequence[Finding]) -> Iterator[Finding]:
        self._clock.sleep(self._seconds)
        self.looked_at.append({finding.item for finding in suspects})
        for found in suspects:
            if self._differs(found.item, self._clock.now):
                yield finding(found.item)


def finding(item: str) -> Finding:
    return Finding("scripted", item, Damage.STALE, "detail", "hint")


def run(
    check: Scripted, items: str, patience: float = 30.0, told: list[dict[str, int]] | None = None
) -> Verdict:
    def watch(left: Mapping[str, int]) -> None:
        if told is not None:
            told.append(dict(left))

    settle({check: [finding(item) for item in items]}, patience, watch)
    return check.verdict


def items_of(verdict: Verdict) -> list[str]:
    return [found.item for found in verdict.findings]


def test_nothing_differs_nothing_is_looked_at(clock: Clock) -> None:
    check = Scripted(clock, lambda *_: True)
    verdict = run(check, "")
    assert (items_of(verdict), verdict.rechecked, check.looked_at) == ([], 0, [])
    assert clock.now == 0


def test_what_settles_is_counted_and_no_finding(clock: Clock) -> None:
    check = Scripted(clock, lambda item, now: now < {"a": 1, "b": 5}[item])
    verdict = run(check, "ab")
    assert (items_of(verdict), verdict.rechecked) == ([], 2)


def test_only_what_still_differs_is_looked_at_again(clock: Clock) -> None:
    check = Scripted(clock, lambda item, now: item == "b" and now < 3)
    run(check, "ab")
    assert check.looked_at[0] == {"a", "b"}
    assert all(looked == {"b"} for looked in check.looked_at[1:])


def test_what_never_settles_is_found_after_the_patience(clock: Clock) -> None:
    verdict = run(Scripted(clock, lambda *_: True), "ab", patience=30)
    assert (items_of(verdict), verdict.rechecked) == (["a", "b"], 0)
    assert 30 <= clock.now < 33


def test_progress_renews_the_patience(clock: Clock) -> None:
    # Something settles every 20 s, so that the last one is waited for until the 80th.
    due = {"a": 20, "b": 40, "c": 60, "d": 80}
    verdict = run(Scripted(clock, lambda item, now: now < due[item]), "abcd", patience=30)
    assert (items_of(verdict), verdict.rechecked) == ([], 4)


def test_it_ends_although_looking_takes_longer_than_the_patience(clock: Clock) -> None:
    check = Scripted(clock, lambda *_: True, looks=100)
    assert items_of(run(check, "a", patience=30)) == ["a"]
    assert len(check.looked_at) == 1


def test_without_patience_each_suspect_is_still_looked_at_once(clock: Clock) -> None:
    check = Scripted(clock, lambda item, _: item == "b")
    verdict = run(check, "ab", patience=0)
    assert (items_of(verdict), verdict.rechecked) == (["b"], 1)
    assert check.looked_at == [{"a", "b"}]
    assert clock.now == 0


def test_the_last_look_is_at_the_end_of_the_patience_not_before(clock: Clock) -> None:
    verdict = run(Scripted(clock, lambda _, now: now < 29.9), "a", patience=30)
    assert items_of(verdict) == []


def test_each_round_is_told(clock: Clock) -> None:
    told: list[dict[str, int]] = []
    run(Scripted(clock, lambda item, _: item == "b"), "ab", patience=1, told=told)
    assert told[0] == {"scripted": 2}
    assert told[-1] == {"scripted": 1}
