"""Removal of tombstones that have done their work."""

from consumers.search.index import DELETED, DELETED_AT, WRITE_ALIAS
from consumers.search.json_api import ask, connected
from shared.errors import Unavailable

# Late repeats come from Kinesis (a day, unless it is set to more) and from dead-letter queues
# (14 days at most); the rest is margin. A replay of the archive ends with the removal itself.
TOMBSTONE_DAYS = 30


def purge(url: str, before_ms: int, *, signed: bool = False) -> int:
    """Remove the tombstones of orders deleted before a time (milliseconds); return how many.

    A tombstone stops late repeats of older changes from bringing its order back, so it must
    outlive every place that such a repeat can come from: the stream, Kinesis, the dead-letter
    queue (`TOMBSTONE_DAYS`). An order written again meanwhile is left alone.

    Raises Unavailable if OpenSearch does not answer, or could not remove all.
    """
    expired = {
        "bool": {
            "filter": [
                {"term": {DELETED: True}},
                {"range": {DELETED_AT: {"lt": before_ms}}},
            ]
        }
    }
    with connected(url, signed=signed) as connection:
        answer = ask(
            connection,
            "POST",
            f"/{WRITE_ALIAS}/_delete_by_query?conflicts=proceed&refresh=true",
            {"query": expired},
            seconds=600,
        )
    if answer["failures"] or answer["timed_out"]:
        raise Unavailable(
            f"OpenSearch removed {answer['deleted']} tombstones and failed at others",
            hint="purge again; see the cluster's health if that repeats",
        )
    return int(answer["deleted"])
