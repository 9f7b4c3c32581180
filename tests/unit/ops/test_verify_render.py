"""Verdicts as people see them."""

from __future__ import annotations

import io

from rich.console import Console

from ops.verify.findings import Damage, Finding, Verdict
from ops.verify.render import SHOWN, is_parity, render


def rendered(*verdicts: Verdict) -> str:
    output = io.StringIO()
    render(Console(file=output, width=120, highlight=False), verdicts)
    return output.getvalue()


def finding(item: str, damage: Damage = Damage.STALE) -> Finding:
    return Finding("search", item, damage, f"what {item} is", "what to do")


def row_of(output: str, projection: str) -> list[str]:
    line = next(line for line in output.splitlines() if projection in line)
    return [cell.strip() for cell in line.replace("┃", "│").split("│")]


def test_each_kind_of_damage_is_counted_in_its_column() -> None:
    damages = [*Damage, Damage.GHOST]
    verdict = Verdict("search", 1234, [finding("x", damage) for damage in damages], 5, "note")
    output = rendered(verdict)
    header, row = row_of(output, "projection"), row_of(output, "search")
    cells = dict(zip(header, row, strict=True))
    assert {name: cells[name] for name in ("checked", "rechecked", "note")} == {
        "checked": "1,234",
        "rechecked": "5",
        "note": "note",
    }
    assert {damage: cells[damage] for damage in Damage} == {
        damage: "2" if damage is Damage.GHOST else "1" for damage in Damage
    }
    assert "every projection" not in output


def test_parity_is_said() -> None:
    verdicts = [Verdict("search", 3), Verdict("audit")]
    assert is_parity(verdicts)
    assert "every projection" in rendered(*verdicts)


def test_a_finding_says_what_where_and_what_next() -> None:
    output = rendered(Verdict("search", 1, [finding("ORDER#1|ORDER")]))
    for part in ("stale search: ORDER#1|ORDER", "what ORDER#1|ORDER is", "next: what to do"):
        assert part in output


def test_names_are_never_markup() -> None:
    output = rendered(Verdict("search", 1, [finding("[bold]o-1[/nonsense]")]))
    assert "[bold]o-1[/nonsense]" in output


def test_of_too_many_findings_the_rest_is_counted() -> None:
    findings = [finding(f"item-{number}") for number in range(SHOWN + 7)]
    output = rendered(Verdict("search", 99, findings))
    assert output.count("next:") == SHOWN
    assert "7 more in search" in output
