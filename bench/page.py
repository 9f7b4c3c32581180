"""The tables of docs/performance.md, from the kept figures of one run."""

import json
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.record import ROOT
from bench.report import detail_text, goal_text, number_text

PAGE = ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- figures: {} -->", "<!-- end of figures -->"
_MARK = "<!-- figures: "
_MET = {True: "yes", False: "**no**", None: ""}


def tables(document: dict[str, Any]) -> str:
    """One table for each suite of a document of `bench.record`, and what it was measured on."""
    day, python, scale = document["measured"][:10], document["python"], document["scale"]
    lines = [f"Measured on {day}: {document['machine']}, Python {python}, the {scale} form."]
    suite = ""
    for kept in document["figures"]:
        figure = Figure(**{name: value for name, value in kept.items() if name != "met"})
        if figure.suite != suite:
            suite = figure.suite
            lines += ["", f"### {suite}", "", "| figure | value | goal | met | detail |"]
            lines.append("|---|---:|---:|---|---|")
        cells = (
            figure.name,
            f"{number_text(figure.value)} {figure.unit}",
            goal_text(figure),
            _MET[figure.is_met],
            detail_text(figure),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def with_tables(page: str, results: Path) -> str:
    """The page with the tables of a results file in place of those it has."""
    head, _, rest = page.partition(_MARK)
    tail = rest.partition(_END)[2]
    document = json.loads(results.read_text(encoding="utf-8"))
    return f"{head}{_BEGIN.format(results.name)}\n{tables(document)}\n{_END}{tail}"


def results_of(page: str) -> str:
    """The name of the results file that the page shows. Raises ValueError if it shows none."""
    name = page.partition(_MARK)[2].partition(" -->")[0]
    if not name:
        raise ValueError(f"{PAGE.name} has no line {_MARK}NAME -->")
    return name
