"""Bulk requests: which operations to send, and their bytes. Pure."""

from collections.abc import Iterable, Iterator, Sequence

import orjson

from consumers.search.index import WRITE_ALIAS
from consumers.search.projection import Operation

# `require_alias`: a missing alias must fail, not create an index of its name with guessed types.
# The answer is cut to what is read of it, which also puts `errors` first.
PATH = (
    f"/{WRITE_ALIAS}/_bulk?require_alias=true"
    "&filter_path=errors%2Citems.%2A.status%2Citems.%2A.error"
)
# OpenSearch's own advice is 5 to 15 MiB; the smallest AWS instances take 10 MiB at most.
MAX_BYTES = 5 * 1024 * 1024
MAX_OPERATIONS = 2_000

_EXTERNAL, _EXTERNAL_GTE = b"external", b"external_gte"


def newest(operations: Sequence[Operation], indexes: Iterable[int]) -> list[int]:
    """Of the operations at `indexes`, the newest of each document.

    In the order in which the documents first appear. Of equal versions the later one counts.
    """
    chosen: dict[str, int] = {}
    for index in indexes:
        operation = operations[index]
        known = chosen.get(operation.id)
        if known is None or operation.version >= operations[known].version:
            chosen[operation.id] = index
    return list(chosen.values())


def chunks(operations: Sequence[Operation], indexes: Iterable[int]) -> Iterator[list[int]]:
    """Cut `indexes` into runs that one request can carry; each has at least one operation."""
    chunk: list[int] = []
    size = 0
    for index in indexes:
        length = len(operations[index].document)
        if chunk and (size + length > MAX_BYTES or len(chunk) == MAX_OPERATIONS):
            yield chunk
            chunk, size = [], 0
        chunk.append(index)
        size += length
    if chunk:
        yield chunk


def body(operations: Sequence[Operation], indexes: Iterable[int]) -> bytes:
    """The NDJSON of a bulk request: two lines an operation."""
    return b"".join(
        [
            b'{"index":{"_id":%b,"version":%d,"version_type":"%b"}}\n%b\n'
            % (orjson.dumps(name), version, _EXTERNAL if own else _EXTERNAL_GTE, document)
            for name, version, own, document in map(operations.__getitem__, indexes)
        ]
    )


# A write whose condition never holds: it goes the whole way to the index's primary shard, past
# every block, and is refused there with a conflict, leaving nothing. A delete would not do: it
# is not held by `require_alias`, and creates the index that is missing.
PROBE = b'{"index":{"_id":"-","if_seq_no":4611686018427387904,"if_primary_term":1}}\n{}\n'
