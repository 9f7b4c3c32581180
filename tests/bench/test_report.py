"""Figures for people and for later: table, JSON, plot, and the command that makes them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from rich.console import Console

from bench import __main__ as cli
from bench import plot, record, report, suites
from bench.figures import Figure, Scale

SVG = "{http://www.w3.org/2000/svg}"


def handler_figure(consumer: str, records: int, ours: float, baseline: float) -> Figure:
    return Figure(
        suite="handlers",
        name=f"{consumer}, {records:,} records",
        value=baseline / ours,
        unit="x",
        at_least=9.0,
        floor=4.0,
        detail={"ours µs/record": ours, "baseline µs/record": baseline},
        note="the server's share is half",
    )


FIGURES = [
    handler_figure(consumer, records, ours, ours * 8)
    for consumer in ("audit", "cache")
    for records, ours in ((10, 50.0), (100, 12.5), (1_000, 9.0), (10_000, 9.5))
]


def test_the_table_shows_value_goal_floor_detail_and_note() -> None:
    out = io.StringIO()
    report.render(FIGURES[:1], Console(file=out, width=160))
    text = out.getvalue()
    for part in ("audit, 10 records", "8 x", "≥ 9", "4", "baseline µs/record 400", "half"):
        assert part in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (99.96, "100.0"), (12.34, "12.3"), (1.234, "1.23"), (7.0, "7")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert report.number_text(value) == text


def test_a_document_says_what_it_was_measured_on(tmp_path: Path) -> None:
    document = record.document(FIGURES, Scale.FULL)
    record.write(document, tmp_path / "deep" / "figures.json")
    read = json.loads((tmp_path / "deep" / "figures.json").read_text(encoding="utf-8"))
    assert read == document
    assert read["figures"][0]["met"] is False
    assert read["figures"][0]["detail"]["ours µs/record"] == 50.0
    assert {"commit", "measured", "python", "machine", "scale"} <= read.keys()


def test_a_document_is_kept_under_its_commit() -> None:
    document = record.document([], Scale.SHORT)
    assert record.kept_path(document).name == f"{record.commit()}.json"
    assert record.kept_path(document).parent.name == "results"


def test_the_plot_has_a_panel_and_two_lines_for_each_consumer() -> None:
    root = ET.fromstring(plot.draw(plot.costs_of(FIGURES)))
    texts = [node.text for node in root.iter(f"{SVG}text")]
    for text in ("audit", "cache", "µs per record", "records in a batch", "ours", "10k"):
        assert text in texts
    assert len(list(root.iter(f"{SVG}rect"))) == 2
    kinds = [node.get("class") for node in root.iter(f"{SVG}circle")]
    assert kinds.count("ours") == kinds.count("baseline") == 8
    style = root.find(f"{SVG}style")
    assert style is not None
    assert "prefers-color-scheme: dark" in (style.text or "")


def test_in_the_plot_what_costs_more_stands_higher() -> None:
    root = ET.fromstring(plot.draw(plot.costs_of(FIGURES)))
    ys = {
        kind: [float(n.get("cy", "")) for n in root.iter(f"{SVG}circle") if n.get("class") == kind]
        for kind in ("ours", "baseline")
    }
    assert all(theirs < ours for ours, theirs in zip(ys["ours"], ys["baseline"], strict=True))
    assert ys["ours"][0] < ys["ours"][1]  # ten records cost more each than a hundred


def test_without_handlers_there_is_nothing_to_plot() -> None:
    with pytest.raises(ValueError, match="no handler"):
        plot.draw(plot.costs_of([Figure(suite="core", name="x", value=1.0, unit="x")]))


def test_the_command_measures_what_is_asked_and_writes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def measure(name: str, scale: Scale) -> list[Figure]:
        asked.append((name, scale))
        return FIGURES

    monkeypatch.setattr(suites, "measure", measure)
    target = tmp_path / "figures.json"
    arguments = ["run", "handlers", "--short", "--json", str(target)]
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 0, result.output
    assert asked == [("handlers", Scale.SHORT)]
    assert "audit, 10 records" in result.stdout
    assert json.loads(target.read_text(encoding="utf-8"))["scale"] == "short"


@pytest.mark.parametrize("command", ["run", "guard"])
def test_an_unknown_suite_is_a_usage_error_that_names_the_known(command: str) -> None:
    result = CliRunner().invoke(cli.main, [command, "handler"])
    assert result.exit_code == 2
    assert "handlers" in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["guard", "--help"]])
def test_help_teaches(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 0
    assert "ratio" in result.stdout or "baseline" in result.stdout


def test_a_plot_needs_all_sizes() -> None:
    assert CliRunner().invoke(cli.main, ["run", "core", "--plot"]).exit_code == 2
    assert CliRunner().invoke(cli.main, ["run", "--short", "--plot"]).exit_code == 2


@pytest.mark.parametrize("name", suites.SUITES)
def test_each_suite_measures(name: str) -> None:
    import importlib

    assert callable(importlib.import_module(f"bench.{name}").measure)


def test_a_suite_is_found_by_name_only() -> None:
    with pytest.raises(KeyError):
        suites.measure("figures", Scale.SHORT)
