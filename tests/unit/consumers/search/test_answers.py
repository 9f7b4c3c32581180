"""What answers mean. The items are as OpenSearch 2.19.1 gave them, ids and names changed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from consumers.search import answers
from shared.errors import Rejected, Unavailable


def item(status: int, kind: str, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"index": {"status": status, "error": {"type": kind, "reason": reason, **more}}}


WRITTEN = {"index": {"status": 201}}
CONFLICT = item(
    409,
    "version_conflict_engine_exception",
    "[o-1]: version conflict, current version [5] is higher or equal to the one provided [5]",
)
BAD_DATE = item(
    400,
    "mapper_parsing_exception",
    "failed to parse field [createdAt] of type [date] in document with id 'o-1'. "
    "Preview of field's value: 'ada@example.org'",
    caused_by={"type": "illegal_argument_exception", "reason": "failed to parse ada@example.org"},
)
LONG_TERM = item(
    400,
    "illegal_argument_exception",
    'Document contains at least one immense term in field="email.parts" (whose UTF8 encoding is '
    "longer than the max length 32766), all of which were skipped.  Please correct the analyzer to "
    "not produce such terms.  The prefix of the first immense term is: '[120, 120]...'",
    caused_by={"type": "max_bytes_length_exceeded_exception", "reason": "got 40000"},
)
RETRIED = [
    item(429, "opensearch_rejected_execution_exception", "rejected execution of coordinating op"),
    item(429, "cluster_block_exception", "blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded]"),
    item(403, "cluster_block_exception", "index [o] blocked by: [FORBIDDEN/8/index write (api)];"),
    item(404, "index_not_found_exception", "no such index [orders-write] and [require_alias]"),
    item(400, "index_closed_exception", "closed"),
    item(400, "illegal_argument_exception", "no write index is defined for alias [orders-write]."),
    item(503, "unavailable_shards_exception", "primary shard is not active"),
    item(500, "something_nobody_has_seen", "?"),
    item(409, "some_other_conflict", "?"),
]


def body(*items: dict[str, Any], errors: bool = True) -> bytes:
    return orjson.dumps({"errors": errors, "items": list(items)})


def test_an_answer_without_errors_is_not_walked() -> None:
    # Its items are no JSON: nobody may look at them.
    outcome = answers.read_bulk(b'{"errors":false,"items":[', [0, 1])
    assert outcome == answers.Outcome()


def test_an_answer_in_another_layout_is_understood() -> None:
    spaced = b'{ "took": 3, "errors": false, "items": [{"index": {"status": 201}}] }'
    assert answers.read_bulk(spaced, [7]) == answers.Outcome()


def test_a_conflict_is_counted_and_is_no_failure() -> None:
    outcome = answers.read_bulk(body(CONFLICT, WRITTEN, CONFLICT), [0, 1, 2])
    assert outcome == answers.Outcome(conflicts=2)


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (BAD_DATE, "mapper_parsing_exception in createdAt"),
        (LONG_TERM, "a term over 32,766 bytes in email.parts"),
        (
            item(400, "mapper_parsing_exception", "failed to parse field [ada] of type [x]"),
            "mapper_parsing_exception",
        ),
        (item(400, "mapper_parsing_exception", "failed to parse"), "mapper_parsing_exception"),
        (item(400, "strict_dynamic_mapping_exception"), "strict_dynamic_mapping_exception"),
    ],
)
def test_a_fault_of_the_document_is_refused_for_good(refused: dict[str, Any], told: str) -> None:
    outcome = answers.read_bulk(body(WRITTEN, refused), [4, 9])
    assert list(outcome.rejected) == [9]
    assert outcome.unavailable is None
    assert outcome.rejected[9].reason == f"OpenSearch refused the document: {told}"
    assert "ada" not in str(outcome.rejected[9])
    assert "redrive" in outcome.rejected[9].hint


@pytest.mark.parametrize("retried", RETRIED, ids=lambda retried: retried["index"]["error"]["type"])
def test_anything_else_is_retried_from_its_first_item(retried: dict[str, Any]) -> None:
    outcome = answers.read_bulk(
        body(WRITTEN, retried, CONFLICT, RETRIED[0], BAD_DATE), [2, 5, 7, 8, 9]
    )
    assert outcome.unavailable is not None
    index, error = outcome.unavailable
    assert index == 5
    assert retried["index"]["error"]["type"] in error.reason
    assert error.hint
    assert (list(outcome.rejected), outcome.conflicts) == ([9], 1)


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b'{"errors":true}', b'{"errors":true,"items":[]}', body(WRITTEN)],
)
def test_an_answer_that_does_not_fit_is_retried(answer: bytes) -> None:
    outcome = answers.read_bulk(answer, [3, 4])
    assert outcome.unavailable is not None
    assert outcome.unavailable[0] == 3


def whole(kind: str) -> bytes:
    return orjson.dumps({"error": {"type": kind, "reason": "ada"}, "status": 400})


def test_which_whole_refusals_may_be_one_documents_fault() -> None:
    assert answers.refuses_part(413, b"")
    assert answers.refuses_part(400, whole("action_request_validation_exception"))
    assert not answers.refuses_part(400, whole("illegal_argument_exception"))
    assert not answers.refuses_part(400, b"<html>plain HTTP sent to HTTPS port</html>")
    assert not answers.refuses_part(429, whole("action_request_validation_exception"))


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504])
def test_a_request_that_fails_whole_is_retried(status: int) -> None:
    error = answers.failure(status, whole("some_exception"))
    assert isinstance(error, Unavailable)
    assert f"{status} (some_exception)" in error.reason
    assert error.hint
    assert "ada" not in str(error)


def test_a_text_that_is_no_type_is_not_repeated() -> None:
    assert "(" not in answers.failure(500, whole("Dear Ada, sorry")).reason


def test_other_requests_are_wrong_or_retried() -> None:
    wrong = answers.request_failure(400, whole("parse_exception"))
    assert isinstance(wrong, Rejected)
    assert "parse_exception" in wrong.reason
    closed = answers.request_failure(400, whole("index_closed_exception"))
    assert isinstance(closed, Unavailable)
    assert isinstance(answers.request_failure(503, b""), Unavailable)
