"""Creation of the order index: run by every deployment, on one machine and in AWS."""

import orjson

from consumers.search import answers, index
from consumers.search.connection import Connection
from consumers.search.json_api import ask, connected
from shared.errors import Rejected


def ensure_index(url: str, *, shards: int = 1, signed: bool = False) -> None:
    """Create or update the template, the index and its aliases; idempotent, also run twice at once.

    An index that is there keeps its documents. It gets the aliases and fields it lacks; a
    field whose type has changed cannot be changed in place.

    Args:
        url: base URL of OpenSearch.
        shards: of an index that has to be created.
        signed: sign requests with this process's AWS role.

    Raises Rejected if the index has fields of other types: rebuild it under a new name.
    Raises Unavailable if OpenSearch does not answer.
    """
    with connected(url, signed=signed) as connection:
        ask(connection, "PUT", f"/_index_template/{index.TEMPLATE}", index.template(shards))
        name = _written_index(connection)
        if name is None:
            _create(connection)
            name = index.INDEX
        ask(connection, "PUT", f"/{name}/_mapping", index.MAPPING)
        actions = [
            {"add": {"index": name, "alias": alias, **properties}}
            for alias, properties in index.ALIASES.items()
        ]
        ask(connection, "POST", "/_aliases", {"actions": actions})


def _written_index(connection: Connection) -> str | None:
    """The index behind the write alias; None if there is no such alias."""
    answer = connection.request("GET", f"/_alias/{index.WRITE_ALIAS}", seconds=10)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise answers.failure(answer.status, answer.body)
    behind = sorted(orjson.loads(answer.body))
    if len(behind) > 1:
        raise Rejected(
            f"the alias {index.WRITE_ALIAS} points to {len(behind)} indexes: {', '.join(behind)}",
            hint="leave it on the one that is to be written",
        )
    return str(behind[0])


def _create(connection: Connection) -> None:
    answer = connection.request("PUT", f"/{index.INDEX}", seconds=30)
    # Somebody else created it just now, or it has lost its aliases: it gets them next.
    if answer.status == 400 and b"resource_already_exists_exception" in answer.body:
        return
    if answer.status >= 300:
        raise answers.request_failure(answer.status, answer.body)
