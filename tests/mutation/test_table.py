"""The mutation table is up to date. `make mutate` runs it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutation.mutant import Mutant
from tests.mutation.run import ROOT, Verdict, applied, copied_tree, try_mutant
from tests.mutation.table import MUTANTS

_rows = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.safeguard)


@_rows
def test_a_row_applies_to_the_code_as_it_is(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    changed = applied(mutant, text)
    assert changed is not None, "the text is not there exactly once: write the row anew"
    assert changed != text
    ast.parse(changed)


@_rows
def test_a_row_names_tests_that_exist(mutant: Mutant) -> None:
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), path
        assert not name or f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), test


def test_no_safeguard_is_named_twice() -> None:
    assert len({mutant.safeguard for mutant in MUTANTS}) == len(MUTANTS)


TOY = ("tests/unit/consumers/search/test_projection.py",)


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with copied_tree() as copied:
        yield copied


@pytest.mark.parametrize(
    ("before", "after", "tests", "verdict"),
    [
        ('{"$or"', '{"$and"', TOY, Verdict.STALE),
        ("tombstone", "tombstones", TOY, Verdict.STALE),  # stands there more than once
        ("        return None\n", "        return None  # as it was\n", TOY, Verdict.SURVIVED),
        ("        return None\n", "        raise ValueError\n", TOY, Verdict.CAUGHT),
        ("        return None\n", "        raise ValueError\n", ("tests/none.py",), Verdict.BROKEN),
    ],
)
def test_the_runner_tells_what_came_of_a_mutant(
    tree: Path, before: str, after: str, tests: tuple[str, ...], verdict: Verdict
) -> None:
    mutant = Mutant("a toy", "consumers/search/projection.py", before, after, tests)
    text = (tree / mutant.file).read_text(encoding="utf-8")
    assert try_mutant(tree, mutant).verdict is verdict
    assert (tree / mutant.file).read_text(encoding="utf-8") == text
