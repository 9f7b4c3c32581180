"""A share of `make fuzz` in every run, the kept corpus whole, and proof that both see faults."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from shared import scalars
from shared.parking import DeadLetterQueue, Letter
from tests.fuzz import bulk
from tests.fuzz.guided import CORPUS, Guided
from tests.fuzz.targets import TARGETS

_RUNS = 500
_SECONDS = 20.0


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_and_what_comes_of_it_holds(name: str) -> None:
    found = Guided(name, seed=1)
    kept = len(list((CORPUS / name).iterdir()))
    assert found.runs == kept > 0
    found.run(_SECONDS, most=kept + _RUNS)
    assert found.runs > kept


def test_every_corpus_has_a_target_and_is_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 500_000


def test_no_record_is_lost_or_blocks() -> None:
    tally = bulk.run(range(40))
    assert tally.records == 40 * (bulk.BATCH + bulk.CONTROLS)
    for name, counts in tally.outcomes.items():
        assert counts["written"] > 100, name
        assert counts["parked"] > 100, name
        assert counts["written"] + counts["passed"] + counts["parked"] == tally.records


def test_the_guided_fuzzer_sees_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    # As it was once: an exponent beyond Python's own left as an error of another tree.
    monkeypatch.setattr(scalars, "_in_range", Decimal)
    with pytest.raises(ArithmeticError) as caught:
        Guided("decode", seed=1)
    assert "target decode, input b'" in caught.value.__notes__[0]


def test_the_bulk_run_sees_a_record_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    park = DeadLetterQueue.park

    def forgetful(self: DeadLetterQueue, letters: Sequence[Letter]) -> Any:
        return park(self, letters[1:])

    monkeypatch.setattr(DeadLetterQueue, "park", forgetful)
    with pytest.raises(AssertionError, match="parked") as caught:
        bulk.run(range(3))
    assert "seed " in caught.value.__notes__[0]


def test_the_bulk_run_sees_a_record_that_is_parked_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.json_text.json_text", lambda value: "{}")
    with pytest.raises(AssertionError, match="what was not delivered"):
        bulk.run(range(3))
