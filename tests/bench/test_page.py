"""docs/performance.md shows what a kept run measured, and nothing else."""

import json
from pathlib import Path

import pytest

from bench import page, record
from bench.figures import Figure, Scale

FIGURES = [
    Figure(suite="handlers", name="a", value=12.0, unit="x", at_least=9.0, detail={"ours µs": 3.0}),
    Figure(suite="handlers", name="b", value=0.5, unit="x", at_least=9.0),
    Figure(suite="costs", name="c", value=2.2, unit="units/score"),
]


def test_the_page_shows_the_run_that_it_names() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    results = record.RESULTS / page.results_of(text)
    assert page.with_tables(text, results) == text, f"python -m bench page {results}"


def test_each_suite_has_a_table_and_goals_are_judged(tmp_path: Path) -> None:
    results = tmp_path / "0123.json"
    record.write(record.document(FIGURES, Scale.FULL), results)
    text = page.with_tables("before\n<!-- figures: x -->old<!-- end of figures -->\nafter", results)
    assert text.startswith("before\n<!-- figures: 0123.json -->\nMeasured on ")
    assert text.endswith("<!-- end of figures -->\nafter")
    assert "old" not in text
    assert "| a | 12 x | ≥ 9 | yes | ours µs 3 |" in text
    assert "| b | 0.50 x | ≥ 9 | **no** |  |" in text
    assert text.index("### handlers") < text.index("### costs")
    assert page.results_of(text) == "0123.json"


def test_changed_figures_are_noticed(tmp_path: Path) -> None:
    results = tmp_path / "0123.json"
    record.write(record.document(FIGURES, Scale.FULL), results)
    text = page.with_tables("<!-- figures: x --><!-- end of figures -->", results)
    kept = json.loads(results.read_text(encoding="utf-8"))
    kept["figures"][0]["value"] = 8.0
    record.write(kept, results)
    assert page.with_tables(text, results) != text


def test_a_page_without_figures_says_so() -> None:
    with pytest.raises(ValueError, match="has no line"):
        page.results_of("nothing")
