"""The order index in OpenSearch: the only code that writes to it.

Converges under any order and repetition: each write carries the order's version, and OpenSearch
refuses what is not newer than what it holds (`external`), or is older (`external_gte`, for
versions that are times). Such a conflict is counted and is no failure.
"""

from collections.abc import Sequence

from consumers.search import answers, bulk
from consumers.search.answers import Outcome
from consumers.search.connection import NDJSON, Answer, Connection
from consumers.search.projection import Operation
from shared.clock import Deadline
from shared.errors import Retryable
from shared.runtime import WriteResult
from shared.settings import Settings

# A bulk request is not begun with less time than this, nor waited for longer than that: a cluster
# at work answers within a second, and one that hangs must not hold the records for longer. What
# it was sent is redelivered then, and meets its own version as a conflict.
LEAST_SECONDS = 2.0
MOST_SECONDS = 10.0


def open_sink(settings: Settings) -> "SearchSink":
    """The sink that the settings name. Raises InvalidSettings; connects when first used."""
    sign = None
    if settings.search_sigv4:
        # Imported late: botocore is most of a cold start, and few clusters ask for signatures.
        from consumers.search.signing import sigv4_signer

        sign = sigv4_signer()
    return SearchSink(Connection(settings.search_url, sign))


class SearchSink:
    """Writes documents and tombstones through the write alias."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        """`connection` is ours alone."""
        self._connection = connection

    def write(self, operations: Sequence[Operation], deadline: Deadline) -> WriteResult:
        """Write the newest operation of each document; older ones are covered by it.

        If the newest is refused for good, the next older one is written in its place: one
        bad record does not take the good ones before it along. At the first sign of trouble
        with the cluster the rest is left for a redelivery, reported from the first operation
        of a document whose newest is not known to be written.
        """
        result = Outcome()
        waiting: Sequence[int] = range(len(operations))
        while waiting and result.unavailable is None:
            sent = self._send(operations, bulk.newest(operations, waiting), deadline)
            result.add(sent)
            refused = {operations[index].id for index in sent.rejected}
            left = [
                index
                for index in waiting
                if operations[index].id in refused and index not in sent.rejected
            ]
            if sent.unavailable is not None:
                stuck, error = sent.unavailable
                unsettled = [i for i in waiting if operations[i].id == operations[stuck].id]
                result.unavailable = (min(unsettled + left), error)
            waiting = left
        unavailable = {} if result.unavailable is None else dict([result.unavailable])
        return WriteResult(result.rejected, unavailable, result.conflicts)

    def _send(
        self, operations: Sequence[Operation], indexes: Sequence[int], deadline: Deadline
    ) -> Outcome:
        outcome = Outcome()
        for chunk in bulk.chunks(operations, indexes):
            outcome.add(self._send_chunk(operations, chunk, deadline))
            if outcome.unavailable is not None:
                break
        return outcome

    def _send_chunk(
        self, operations: Sequence[Operation], chunk: Sequence[int], deadline: Deadline
    ) -> Outcome:
        try:
            answer = self._post(bulk.body(operations, chunk), deadline)
        except Retryable as error:
            return Outcome(unavailable=(chunk[0], error))
        if answer.status == 200:
            return answers.read_bulk(answer.body, chunk)
        if not answers.refuses_part(*answer):
            return Outcome(unavailable=(chunk[0], answers.failure(*answer)))
        if len(chunk) == 1:
            return Outcome(rejected={chunk[0]: answers.refusal(*answer)})
        # One document spoils the request for all: halving finds it, and the others are written.
        middle = len(chunk) // 2
        outcome = self._send_chunk(operations, chunk[:middle], deadline)
        if outcome.unavailable is None:
            outcome.add(self._send_chunk(operations, chunk[middle:], deadline))
        return outcome

    def _post(self, body: bytes, deadline: Deadline) -> Answer:
        deadline.require(LEAST_SECONDS, "a bulk request to OpenSearch")
        return self._connection.request(
            "POST",
            bulk.PATH,
            body,
            seconds=min(MOST_SECONDS, deadline.remaining()),
            content=NDJSON,
        )

    def probe(self, deadline: Deadline) -> None:
        """Ask for a write that changes nothing. Raises Retryable if a real one would fail."""
        answer = self._post(bulk.PROBE, deadline)
        if answer.status != 200:
            raise answers.failure(*answer)
        outcome = answers.read_bulk(answer.body, (0,))
        if outcome.unavailable is not None:
            raise outcome.unavailable[1]
