"""Figures for people: one table, ratios with their goals, and where the time goes."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.figures import Figure

_SHOWN = 3


def render(figures: Sequence[Figure], console: Console) -> None:
    """Print the table, and the notes under it."""
    table = Table(title="Benchmarks: ratios to the baseline of the same run", title_justify="left")
    table.add_column("suite")
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("goal", justify="right", no_wrap=True)
    table.add_column("floor", justify="right", no_wrap=True)
    table.add_column("where the time goes", overflow="fold", ratio=1)
    notes: list[str] = []
    suite = ""
    for figure in figures:
        if figure.suite != suite and suite:
            table.add_section()
        table.add_row(
            "" if figure.suite == suite else figure.suite,
            figure.name,
            _value(figure),
            goal_text(figure),
            "" if figure.floor is None else f"{figure.floor:,.2f}",
            detail_text(figure),
        )
        suite = figure.suite
        if figure.note:
            notes.append(f"{figure.suite}, {figure.name}: {figure.note}")
    console.print(table)
    for note in notes:
        console.print(f"[dim]- {note}[/]", highlight=False)


def _value(figure: Figure) -> str:
    colour = {True: "green", False: "yellow", None: "default"}[figure.is_met]
    return f"[{colour}]{number_text(figure.value)} {figure.unit}[/]"


def goal_text(figure: Figure) -> str:
    """The goal, such as `≥ 9`; empty if there is none."""
    if figure.at_least is not None:
        return f"≥ {figure.at_least:g}"
    return "" if figure.at_most is None else f"≤ {figure.at_most:g}"


def detail_text(figure: Figure) -> str:
    """The first further numbers; all of them are in the JSON."""
    shown = list(figure.detail.items())[:_SHOWN]
    return ", ".join(f"{name} {number_text(value)}" for name, value in shown)


def number_text(value: float) -> str:
    """Three digits that matter."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
