"""The client of the totals and the ledger.

Optimistic: the old image says what the ledger should hold, so the usual transaction reads
nothing. Where that is wrong, the refusal brings the real entry and the next try is right.
`ledger.py` says why the totals are exact.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from json import dumps
from typing import Any, Protocol

from consumers.totals.delivery import TRANSACTION_SECONDS, Delivery
from consumers.totals.ledger import KEY_ATTRIBUTE, ledger_key
from consumers.totals.posting import Parcel
from consumers.totals.projection import Contribution
from consumers.totals.transaction import (
    CONDITION_FAILED,
    KNOWN_REASONS,
    Cancellation,
    Owner,
    Reason,
    compose,
    take_apart,
    total_key,
)
from shared.aws_json import JsonService, ServiceFault
from shared.clients import READ_SECONDS
from shared.clock import Deadline
from shared.entities import PARTITION_KEY
from shared.errors import Rejected, Retryable, Unavailable
from shared.runtime import WriteResult
from shared.settings import Settings

# No score is called so: their source keys start with the score's own key.
_NO_SOURCE = "PROBE"
# Transactions under way at a time: they wait together, some 10 ms each (docs/adr/0010).
MAX_UNDER_WAY = 4


class Call(Protocol):
    """A call under way."""

    def answer(self) -> dict[str, Any]:
        """Raises Unavailable, or ServiceFault with AWS's code."""

    def drop(self) -> None:
        """Wait for nothing."""


class Service(Protocol):
    """DynamoDB, as `shared.aws_json` speaks to it."""

    def begin(self, operation: str, body: bytes, seconds: float) -> Call:
        """Send a call. Raises Unavailable."""


class Unforeseen(Retryable):
    """DynamoDB refused a transaction for a reason that says nothing of the scores in it."""


def open_sink(settings: Settings) -> "TotalsSink":
    """The sink of this process. Nothing below it retries: its own pauses know the deadline."""
    service = JsonService("dynamodb", MAX_UNDER_WAY)
    return TotalsSink(service, settings.table, settings.ledger_table)


class TotalsSink:
    """Writes contributions; each `write` is complete in itself, so any number may run at once."""

    def __init__(self, service: Service, table: str, ledger_table: str) -> None:
        """`service` is DynamoDB, at one try a call."""
        self._service = service
        self._table = table
        self._ledger_table = ledger_table

    def write(self, operations: Sequence[Contribution], deadline: Deadline) -> WriteResult:
        """Bring the totals to what these contributions say, each score's newest version alone.

        Rejected is a score that DynamoDB cannot store or add; an older version of it in the same
        batch is posted in its place. Unavailable are all operations of a score that could not be
        posted in time. Conflicts are scores of which the ledger holds something as new.
        Raises Unforeseen for an answer that we do not know.
        """

        def begin(parcel: Parcel) -> _Transaction:
            return _Transaction(self, parcel, deadline)

        return Delivery(operations, begin, self.probe, deadline, MAX_UNDER_WAY).run()

    def probe(self, deadline: Deadline) -> None:
        """Send a transaction that both tables refuse, since it demands what is never there.

        So a heartbeat proves the rights and the capacity to write, and a score is blamed for a
        refusal only where this is taken. Costs four write units. Raises Unavailable, Unforeseen
        or DeadlineNear.
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
        call = self.begin([dumps({"Update": total}), dumps({"Put": entry})], deadline)
        try:
            codes = {reason["Code"] for reason in reasons_of(call)}
        except Rejected as refusal:
            raise Unavailable(
                f"DynamoDB refuses whatever is written to the tables: {refusal.reason}",
                hint="check FANOUT_TABLE (keys PK and SK, strings) and FANOUT_LEDGER_TABLE (PK)",
            ) from refusal
        if codes != {CONDITION_FAILED}:
            told = ", ".join(sorted(codes)) or "a write"
            raise Unavailable(
                f"DynamoDB answered a probe with {told}",
                hint="normal for minutes after a sudden rise; if it lasts, look at the tables' "
                "throttles",
            )

    def compose(self, parcel: Parcel) -> tuple[list[str], list[Owner]]:
        """The items of a parcel's transaction, and the owner of each."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return compose(parcel, self._table, self._ledger_table, now)

    def begin(self, actions: Sequence[str], deadline: Deadline) -> Call:
        """Send a transaction of these actions, each JSON in ASCII. Raises Unavailable.

        Without a ClientRequestToken: a repetition finds out in the ledger what became of the
        first, and a token would be another one each time.
        """
        body = f'{{"TransactItems":[{",".join(actions)}]}}'.encode("ascii")
        seconds = min(READ_SECONDS, deadline.remaining())
        return self._service.begin("TransactWriteItems", body, seconds)


class _Transaction:
    """A parcel under way."""

    __slots__ = ("_call", "_owners", "_parcel")

    def __init__(self, sink: TotalsSink, parcel: Parcel, deadline: Deadline) -> None:
        self._parcel = parcel
        actions, self._owners = sink.compose(parcel)
        self._call = sink.begin(actions, deadline)

    def answer(self) -> Cancellation | None:
        reasons = reasons_of(self._call)
        return take_apart(self._parcel, self._owners, reasons) if reasons else None

    def drop(self) -> None:
        self._call.drop()


def reasons_of(call: Call) -> list[Reason]:
    """The reasons if a transaction was cancelled, [] if it was written.

    Raises Unavailable if it is not known to be written (it may be all the same: the next try finds
    out, in the ledger), Rejected if DynamoDB refuses the request as a whole, Unforeseen else.
    """
    try:
        call.answer()
    except ServiceFault as fault:
        reasons: Any = fault.answer.get("CancellationReasons", [])
        if reasons and all(reason.get("Code") in KNOWN_REASONS for reason in reasons):
            return reasons  # type: ignore[no-any-return]
        if fault.code == "ValidationException":
            told = fault.answer.get("message") or fault.answer.get("Message") or fault.code
            raise Rejected(told) from fault
        raise Unforeseen(
            f"DynamoDB refused a transaction: {fault.code}",
            hint="unknown, so retried; look at the role's rights and that both tables are there",
        ) from fault
    return []
