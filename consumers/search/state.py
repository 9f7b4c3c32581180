"""What the index holds, for those who check it against the table."""

from collections.abc import Generator
from contextlib import suppress
from typing import Any, NamedTuple

from consumers.search.index import WRITE_ALIAS
from consumers.search.json_api import ask, connected
from shared.errors import Unavailable

PAGE = 500
_KEEP = "2m"


class StoredDocument(NamedTuple):
    """A document or tombstone as it stands in the index."""

    id: str
    version: int
    source: dict[str, Any]


def documents(url: str, *, signed: bool = False) -> Generator[StoredDocument, None, None]:
    """Stream everything in the index, tombstones too, as it was at the last refresh.

    In no order. Memory is bounded: one page of 500 at a time. By scroll, the one way that
    sees a frozen state, misses nothing in an index of several shards and needs no field to
    sort by: a document put there by another hand may have none of ours.

    Raises Unavailable if OpenSearch stops answering; what came until then is not all.
    """
    with connected(url, signed=signed) as connection:
        page = ask(
            connection,
            "POST",
            f"/{WRITE_ALIAS}/_search?scroll={_KEEP}",
            {"size": PAGE, "sort": ["_doc"], "version": True, "query": {"match_all": {}}},
        )
        try:
            while True:
                _require_all_shards(page)
                hits = page["hits"]["hits"]
                if not hits:
                    break
                for hit in hits:
                    yield StoredDocument(hit["_id"], hit["_version"], hit["_source"])
                page = ask(
                    connection,
                    "POST",
                    "/_search/scroll",
                    {"scroll": _KEEP, "scroll_id": page["_scroll_id"]},
                    # Asked again, it would give the page behind the one that was lost.
                    repeatable=False,
                )
        finally:
            # A courtesy: OpenSearch forgets it by itself, and a real error must not be hidden.
            with suppress(Unavailable):
                ask(connection, "DELETE", "/_search/scroll", {"scroll_id": [page["_scroll_id"]]})


def _require_all_shards(page: dict[str, Any]) -> None:
    if page["_shards"]["failed"] or page["timed_out"]:
        raise Unavailable(
            "OpenSearch answered for a part of the index only",
            hint="look at the cluster's health, then check again",
        )


def refresh(url: str, *, signed: bool = False) -> None:
    """Make every write that was acknowledged until now visible. Raises Unavailable."""
    with connected(url, signed=signed) as connection:
        ask(connection, "POST", f"/{WRITE_ALIAS}/_refresh")
