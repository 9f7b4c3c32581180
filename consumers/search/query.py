"""What support staff do: find an order by whatever the customer can tell.

Through the read alias alone, which hides removed orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from consumers.search.index import ID, READ_ALIAS
from consumers.search.json_api import ask, connected

MAX_WORDS = 12
MAX_CHARACTERS = 512
MAX_SIZE = 200
# Around what matched, in a highlight.
MARK_START, MARK_END = "<em>", "</em>"

# An exact hit outranks every likeness: found by words, scores stay far below these.
_EXACT = {ID: 1000.0, "customerId": 500.0, "email": 500.0, "productId": 200.0, "postcode": 200.0}
_WORDS = ["name^3", "email.parts^2", "product", "city"]
_HIGHLIGHTED = [*_EXACT, "name", "email.parts", "product", "city"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One order that was found.

    Attributes:
        order_id: the order's id.
        score: how well it fits; comparable within one search only.
        document: the fields of `index.FIELDS` that the order has.
        highlights: field -> pieces of its text, matches between MARK_START and MARK_END.
    """

    order_id: str
    score: float
    document: dict[str, Any]
    highlights: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class SearchHits:
    """The best hits, and how many there are in all (`at_least` that many, above 10,000)."""

    total: int
    at_least: bool
    hits: tuple[Hit, ...]


def find(
    url: str,
    text: str,
    *,
    status: str | Sequence[str] | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
    min_amount: float | None = None,
    max_amount: float | None = None,
    size: int = 20,
    signed: bool = False,
) -> SearchHits:
    """Find orders; best first, of equals the latest first.

    `text` is an order id, customer id, e-mail, name, product, product id, city or postcode, or
    several words of them, all of which must fit: `ada walnut london`. Words may be misspelt
    a little, ids not. Without text, all orders that the filters let through.

    Args:
        url: base URL of OpenSearch.
        text: what to look for, at most 512 characters and 12 words.
        status: the order has it, or one of them.
        since: created then or later; ISO 8601, where a day means all of it.
        until: created then or earlier.
        min_amount: totalAmount at least.
        max_amount: totalAmount at most.
        size: at most that many hits, 1 to 200.
        signed: sign the request with this process's AWS role.

    Raises ValueError for an argument out of its range, Unavailable if OpenSearch does not
    answer, Rejected if it does not understand a time.
    """
    body = query_body(
        text,
        status=status,
        since=since,
        until=until,
        min_amount=min_amount,
        max_amount=max_amount,
        size=size,
    )
    with connected(url, signed=signed) as connection:
        found = ask(connection, "POST", f"/{READ_ALIAS}/_search", body)["hits"]
    return SearchHits(
        total=found["total"]["value"],
        at_least=found["total"]["relation"] != "eq",
        hits=tuple(
            Hit(hit["_id"], hit["_score"] or 0.0, hit["_source"], _highlights(hit))
            for hit in found["hits"]
        ),
    )


def _highlights(hit: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = hit.get("highlight", {})
    # A field's parts are the field, for those who read; a match of the whole says more.
    return {name.partition(".")[0]: pieces for name, pieces in sorted(found.items(), reverse=True)}


def query_body(
    text: str,
    *,
    status: str | Sequence[str] | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
    min_amount: float | None = None,
    max_amount: float | None = None,
    size: int = 20,
) -> dict[str, Any]:
    """The search request of `find`. Pure. Raises ValueError."""
    words = text.split()
    if len(words) > MAX_WORDS or len(text) > MAX_CHARACTERS:
        raise ValueError(f"at most {MAX_WORDS} words and {MAX_CHARACTERS} characters")
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"size must be 1 to {MAX_SIZE}")
    query: dict[str, Any] = {
        "filter": [
            *_statuses(status),
            *_range("createdAt", _time(since), _time(until)),
            *_range("totalAmount", min_amount, max_amount),
        ]
    }
    if words:
        # An id, or a postcode with its space, as a whole; or each word somewhere.
        whole = _exactly(" ".join(words))
        query |= {
            "should": [*whole, {"bool": {"must": [_word(word) for word in words]}}],
            "minimum_should_match": 1,
        }
    return {
        "size": size,
        "query": {"bool": query},
        "sort": ["_score", {"createdAt": "desc"}],
        "track_total_hits": 10_000,
        "highlight": {
            "pre_tags": [MARK_START],
            "post_tags": [MARK_END],
            "fields": {field: {} for field in _HIGHLIGHTED},
        },
    }


def _exactly(text: str) -> list[dict[str, Any]]:
    return [
        {"constant_score": {"filter": {"term": {field: text}}, "boost": boost}}
        for field, boost in _EXACT.items()
    ]


def _word(word: str) -> dict[str, Any]:
    """One word: an id, as it is spelt in some field, or nearly so."""
    match = {"query": word, "fields": _WORDS, "operator": "and"}
    return {
        "bool": {
            "should": [
                *_exactly(word),
                {"multi_match": {**match, "boost": 3}},
                {"multi_match": {**match, "fuzziness": "AUTO"}},
            ]
        }
    }


def _statuses(status: str | Sequence[str] | None) -> list[dict[str, Any]]:
    if not status:
        return []
    return [{"terms": {"status": [status] if isinstance(status, str) else list(status)}}]


def _time(moment: str | date | None) -> str | None:
    """ISO 8601, checked here so that a typing error is not the server's to explain."""
    if isinstance(moment, str):
        if len(moment) != len("2025-10-09") and "T" not in moment:
            raise ValueError(f"{moment!r} is no time such as 2025-10-09 or 2025-10-09T08:53Z")
        datetime.fromisoformat(moment)
        return moment
    return None if moment is None else moment.isoformat()


def _range(field: str, low: Any, high: Any) -> list[dict[str, Any]]:
    bounds = {name: bound for name, bound in (("gte", low), ("lte", high)) if bound is not None}
    return [{"range": {field: bounds}}] if bounds else []
