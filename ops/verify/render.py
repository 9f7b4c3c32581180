"""Verdicts for people: the parity table, then each finding with its next step."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from ops.console import table
from ops.verify.findings import Damage, Finding, Verdict

# More than this of one projection tell nobody more; --json has them all.
SHOWN = 20
_COLUMNS = (
    "projection", ">checked", *(f">{damage}" for damage in Damage), ">rechecked", "note",
)  # fmt: skip


def is_parity(verdicts: Iterable[Verdict]) -> bool:
    """Whether nothing at all was found."""
    return not any(verdict.findings for verdict in verdicts)


def render(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Print the parity table and what was found."""
    console.print(table("Parity with the table", _COLUMNS, [_row(entry) for entry in verdicts]))
    for verdict in verdicts:
        for finding in verdict.findings[:SHOWN]:
            _print(console, finding)
        if (more := len(verdict.findings) - SHOWN) > 0:
            console.print(f"\n… and {more:,} more in {verdict.projection}: --json lists them all")
    if is_parity(verdicts):
        console.print("[green]Parity:[/] every projection says what the table says.")


def _row(verdict: Verdict) -> list[str]:
    counts = (verdict.count(damage) for damage in Damage)
    return [
        verdict.projection,
        f"{verdict.checked:,}",
        *(f"[bold red]{count:,}[/]" if count else "0" for count in counts),
        f"{verdict.rechecked:,}",
        verdict.note,
    ]


def _print(console: Console, finding: Finding) -> None:
    head, *lines = _lines(finding)
    console.print(f"\n[bold red]{finding.damage}[/] {finding.projection}: [bold]{head}[/]")
    for line in lines:
        console.print(Padding(line, (0, 0, 0, 2)))


def _lines(finding: Finding) -> Iterator[str]:
    """What stands in a finding may come from anywhere: none of it is markup."""
    yield escape(finding.item)
    yield escape(finding.detail)
    yield f"[dim]next:[/] {escape(finding.hint)}"
