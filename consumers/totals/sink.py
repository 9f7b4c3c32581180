"""The client of the totals and the ledger.

Optimistic: the old image says what the ledger should hold, so the usual transaction reads
nothing. Where that is wrong, the refusal brings the real entry and the next try is right.
`ledger.py` says why the totals are exact.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from consumers.totals.delivery import TRANSACTION_SECONDS, Delivery
from consumers.totals.ledger import KEY_ATTRIBUTE, ledger_key
from consumers.totals.posting import Parcel
from consumers.totals.projection import Contribution
from consumers.totals.transaction import (
    CONDITION_FAILED,
    KNOWN_REASONS,
    Action,
    Cancellation,
    Reason,
    compose,
    take_apart,
    total_key,
)
from shared.clients import aws_client
from shared.clock import Deadline
from shared.entities import PARTITION_KEY
from shared.errors import Rejected, Unavailable
from shared.runtime import WriteResult
from shared.settings import Settings

# No score is called so: their source keys start with the score's own key.
_NO_SOURCE = "PROBE"

_BUSY = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)
_BUSY_HINT = "normal for minutes after a sudden rise; if it lasts, look at the tables' throttles"


def open_sink(settings: Settings) -> "TotalsSink":
    """The sink of this process. botocore does not retry: our own pauses know the deadline."""
    return TotalsSink(aws_client("dynamodb", 1), settings.table, settings.ledger_table)


class TotalsSink:
    """Writes contributions; each `write` is complete in itself, so any number may run at once."""

    def __init__(self, client: Any, table: str, ledger_table: str) -> None:
        """`client` is botocore's for DynamoDB, one try a call."""
        self._client = client
        self._table = table
        self._ledger_table = ledger_table

    def write(self, operations: Sequence[Contribution], deadline: Deadline) -> WriteResult:
        """Bring the totals to what these contributions say, each score's newest version alone.

        Rejected is a score that DynamoDB cannot store or add; an older version of it in the same
        batch is posted in its place. Unavailable are all operations of a score that could not be
        posted in time. Conflicts are scores of which the ledger holds something as new.
        Raises whatever is neither: an error that we do not know.
        """
        return Delivery(operations, self._transact, self.probe, deadline).run()

    def probe(self, deadline: Deadline) -> None:
        """Send a transaction that both tables refuse, since it demands what is never there.

        So a heartbeat proves the rights and the capacity to write, and a score is blamed for a
        refusal only where this is taken. Costs four write units. Raises Unavailable, or
        DeadlineNear.
        """
        deadline.require(TRANSACTION_SECONDS, "asking DynamoDB for a sign of life")
        total = {
            "TableName": self._table,
            "Key": total_key(""),
            "UpdateExpression": "ADD version :one",
            "ConditionExpression": f"attribute_exists({PARTITION_KEY})",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        entry = {
            "TableName": self._ledger_table,
            "Item": ledger_key(_NO_SOURCE),
            "ConditionExpression": f"attribute_exists({KEY_ATTRIBUTE})",
        }
        try:
            codes = {reason["Code"] for reason in self._send([{"Update": total}, {"Put": entry}])}
        except Rejected as refusal:
            raise Unavailable(
                f"DynamoDB refuses whatever is written to the tables: {refusal.reason}",
                hint="check FANOUT_TABLE (keys PK and SK, strings) and FANOUT_LEDGER_TABLE (PK)",
            ) from refusal
        if codes != {CONDITION_FAILED}:
            told = ", ".join(sorted(codes)) or "a write"
            raise Unavailable(f"DynamoDB answered a probe with {told}", hint=_BUSY_HINT)

    def _transact(self, parcel: Parcel) -> Cancellation | None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        actions, owners = compose(parcel, self._table, self._ledger_table, now)
        reasons = self._send(actions)
        return take_apart(parcel, owners, reasons) if reasons else None

    def _send(self, actions: list[Action]) -> list[Reason]:
        """Run a transaction. Returns the reasons if it was cancelled, [] if it was written.

        Raises Unavailable if it is not known to be written, Rejected if DynamoDB refuses the
        request as a whole.
        """
        try:
            self._client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            return _reasons(error)
        except (HTTPClientError, BotoConnectionError, ResponseParserError) as error:
            # It may have been written all the same: the next try finds out, in the ledger.
            raise Unavailable(
                f"DynamoDB did not answer: {type(error).__name__}",
                hint="check its endpoint, the network and the service's health",
            ) from error
        return []


def _reasons(error: ClientError) -> list[Reason]:
    """Why DynamoDB cancelled a transaction; raises what `_send` says for any other answer."""
    answer: Any = error.response
    code = answer["Error"]["Code"]
    reasons: list[Reason] = answer.get("CancellationReasons", [])
    if reasons and all(reason["Code"] in KNOWN_REASONS for reason in reasons):
        return reasons
    if code == "ValidationException":
        raise Rejected(answer["Error"].get("Message", code)) from error
    if code in _BUSY or answer["ResponseMetadata"]["HTTPStatusCode"] >= 500:
        raise Unavailable(f"DynamoDB answered {code}", hint=_BUSY_HINT) from error
    raise error
