"""`fanout search`: find orders as support does."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from consumers.search.query import MARK_END, MARK_START, Hit, find
from ops.console import FOUND, console, print_json, table
from ops.context import open_deployment, state_option
from shared.entities import ORDER_STATUSES

_COLUMNS = ("order", "status", "customer", ">amount", "placed", "city", "found in")


@click.command()
@click.argument("text", nargs=-1)
@click.option("--status", multiple=True, type=click.Choice(ORDER_STATUSES), help="May be repeated.")
@click.option("--since", help="Placed on that day or later (ISO 8601).")
@click.option("--until", help="Placed on that day or earlier (ISO 8601).")
@click.option("--min-amount", type=float, help="Of at least that much.")
@click.option("--max-amount", type=float, help="Of at most that much.")
@click.option("--size", default=20, show_default=True, help="Orders to show, at most 200.")
@click.option("--json", "as_json", is_flag=True, help="Print the hits as JSON.")
@state_option
def search(text: tuple[str, ...], as_json: bool, state: Path, **limits: Any) -> None:
    """Find orders by id, customer, e-mail, name, product, city or postcode.

    Words may be misspelt a little; all of them must fit. Ids must be exact. Without TEXT, all
    orders that the options let through.

    \b
    Exit code: 0 found; 1 nothing found; 2 used wrongly.

    \b
    Examples:
      fanout search ord-000017
      fanout search kowalski walnut desk
      fanout search bergstrom --status PAYMENT_FAILED --min-amount 100
      fanout search --since 2026-01-01 --json
    """
    deployment = open_deployment(state)
    limits["status"] = list(limits["status"]) or None
    try:
        found = find(deployment.search_url, " ".join(text), **limits)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if as_json:
        print_json(asdict(found))
    elif found.hits:
        more = "at least " if found.at_least else ""
        noun = "order" if found.total == 1 else "orders"
        title = f"{more}{found.total:,} {noun}; the best {len(found.hits)}"
        shown = table(title, _COLUMNS, [])
        for hit in found.hits:
            shown.add_row(*_row(hit))
        console().print(shown)
    else:
        console().print("no order fits; try fewer words, or part of a name")
    if not found.hits:
        raise SystemExit(FOUND)


def _row(hit: Hit) -> list[Text | str]:
    document = hit.document
    return [
        hit.order_id,
        str(document.get("status", "")),
        str(document.get("name", "")),
        str(document.get("totalAmount", "")),
        str(document.get("createdAt", ""))[:10],
        str(document.get("city", "")),
        _found_in(hit),
    ]


def _found_in(hit: Hit) -> Text:
    """Where the words were found, the matches in bold."""
    shown = Text()
    for name, pieces in hit.highlights.items():
        if shown:
            shown.append("; ")
        shown.append(f"{name}: ", "dim")
        for part in pieces[0].split(MARK_START):
            matched, end, rest = part.partition(MARK_END)
            shown.append(matched, "bold" if end else "")
            shown.append(rest)
    return shown
