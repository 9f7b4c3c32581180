"""What OpenSearch's answers mean for what was asked. Pure.

The rule: a document is refused for good only for a reason known to lie in the document. All
else, known or not, is retried: full queues (429), blocks (403, 429 on a full disk), a missing or
closed index (404, 400), an alias without a write index (400), any 5xx. So a fault of the cluster
delays records and parks none.

A reason quotes the document, and so may name a person: of it only the error's type and the
field are kept.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from consumers.search.index import FIELDS
from shared.errors import Rejected, Retryable, Unavailable

_CONFLICT = "version_conflict_engine_exception"
_BAD_DOCUMENT = frozenset({"mapper_parsing_exception", "strict_dynamic_mapping_exception"})
_LONG_TERM = "max_bytes_length_exceeded_exception"
# The whole request is refused for one of its documents.
_BAD_REQUEST = "action_request_validation_exception"
_TOO_LARGE = 413
_field_in = re.compile(r"\bfield(?: \[|=\")([A-Za-z.]{1,64})[\]\"]").search
_is_type = re.compile(r"[a-z_]{1,80}").fullmatch


@dataclass(slots=True)
class Outcome:
    """What became of some operations, by their indexes; those not named were written.

    Attributes:
        rejected: refused for good.
        conflicts: how many found something newer in place.
        unavailable: the first that may succeed later; nothing is known of those behind it.
    """

    rejected: dict[int, Rejected] = field(default_factory=dict)
    conflicts: int = 0
    unavailable: tuple[int, Retryable] | None = None

    def add(self, other: "Outcome") -> None:
        """Take in what became of operations behind these."""
        self.rejected |= other.rejected
        self.conflicts += other.conflicts
        self.unavailable = self.unavailable or other.unavailable


def read_bulk(body: bytes, indexes: Sequence[int]) -> Outcome:
    """What became of a bulk request's operations, `indexes`, as a 200 answer tells it."""
    # Asked for with filter_path, `errors` comes first: usually nothing has to be parsed.
    if body.startswith(b'{"errors":false'):
        return Outcome()
    outcome = Outcome()
    answer = _json(body)
    items = answer.get("items")
    if not isinstance(items, list) or len(items) != len(indexes):
        outcome.unavailable = (indexes[0], failure(200, body))
        return outcome
    for index, item in zip(indexes, items, strict=True):
        ((_, entry),) = item.items()
        error = entry.get("error")
        if error is None:
            continue
        if error["type"] == _CONFLICT:
            outcome.conflicts += 1
        elif _is_bad_document(error):
            outcome.rejected[index] = _rejected(error)
        elif outcome.unavailable is None:
            outcome.unavailable = (index, _unavailable(entry["status"], error["type"]))
    return outcome


def refuses_part(answer_status: int, body: bytes) -> bool:
    """Whether a bulk request was refused whole for what may lie in one of its documents."""
    return answer_status == _TOO_LARGE or (answer_status == 400 and _type(body) == _BAD_REQUEST)


def refusal(status: int, body: bytes) -> Rejected:
    """The error for the one document of a bulk request that was refused whole."""
    why = "it is too large" if status == _TOO_LARGE else _type(body)
    return Rejected(f"OpenSearch refused the document: {why}", hint=_MEND)


def failure(status: int, body: bytes) -> Unavailable:
    """The error for a request that failed as a whole, for whatever reason."""
    return _unavailable(status, _type(body))


def request_failure(status: int, body: bytes) -> Rejected | Unavailable:
    """The error for a request other than a bulk one: Rejected if the request itself is wrong."""
    if status == 400 and _type(body) != "index_closed_exception":
        return Rejected(
            f"OpenSearch refused the request: {_type(body) or 'bad request'}",
            hint="the request is wrong for this index: compare it with consumers/search/index.py",
        )
    return failure(status, body)


def _is_bad_document(error: dict[str, Any]) -> bool:
    return error["type"] in _BAD_DOCUMENT or error.get("caused_by", {}).get("type") == _LONG_TERM


_MEND = (
    "mend the writer, or the mapping in consumers/search/index.py, then redrive; "
    "the parked record shows the value"
)


def _rejected(error: dict[str, Any]) -> Rejected:
    kind = error["type"]
    if error.get("caused_by", {}).get("type") == _LONG_TERM:
        kind = "a term over 32,766 bytes"
    found = _field_in(error.get("reason", ""))
    # Only names that are ours: what stands there could be part of a value.
    name = found[1] if found else ""
    where = f" in {name}" if name.partition(".")[0] in FIELDS else ""
    return Rejected(f"OpenSearch refused the document: {kind}{where}", hint=_MEND)


def _unavailable(status: int, kind: str) -> Unavailable:
    return Unavailable(
        f"OpenSearch answered {status}{f' ({kind})' if kind else ''}",
        hint=_HINTS.get(status, _HINT),
    )


_HINT = "look at the cluster's health and log; nothing is lost, the records are retried"
_HINTS = {
    401: "check user and password in FANOUT_SEARCH_URL, or set FANOUT_SEARCH_SIGV4",
    403: "check the role's rights on the domain, and that no block is set on the index",
    404: "create the index with its aliases: deploy again, or call ensure_index",
    429: "the cluster is overloaded, or its disk is full: look at its queues and its storage",
}


def _json(body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _type(body: bytes) -> str:
    """The error's type in an answer; empty if there is none that is a type's name."""
    error = _json(body).get("error")
    kind = error.get("type") if isinstance(error, dict) else None
    return kind if isinstance(kind, str) and _is_type(kind) else ""
