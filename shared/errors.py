"""The error tree: the type of an error decides what happens to the record.

```
FanoutError
├── Poison            can never succeed: the record is parked, whole, in the consumer's queue
│   ├── Malformed     the record itself is damaged or lacks what the consumer needs
│   ├── NotAStream    what arrived is no event of a DynamoDB stream or of Kinesis
│   └── Rejected      the destination understood the operation and refused it for good
├── Retryable         may succeed later: the batch stops here and Lambda redelivers
│   ├── Unavailable   the destination did not answer, or asked to come back later
│   ├── DeadlineNear  no time was left to begin the write
│   └── ParkingFailed the dead-letter queue did not take a poison record
├── InvalidSpec       a consumer's declaration that AWS, or Fanout, would refuse
├── InvalidFilter     a filter pattern that AWS would refuse
└── InvalidSettings   a setting that is missing or wrong
```
"""

# An attribute's name can be part of a reason; whoever sent it chose its length.
MAX_SHOWN = 500


def shown(text: str) -> str:
    """`text` as a log line or a message can carry it: not too long, and half surrogates escaped."""
    if len(text) > MAX_SHOWN:
        text = f"{text[:MAX_SHOWN]}… ({len(text):,} characters)"
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


class FanoutError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        reason: what is wrong, without personal data; cut if a record made it very long.
        hint: what the person on call can do next.
        consumer: name of the consumer, filled in by the runtime.
        sequence_number: of the record concerned, filled in by the runtime.
    """

    # Whether a record has a part in the reason, and so in how long it is.
    about_a_record = False

    def __init__(self, reason: str, *, hint: str = "") -> None:
        """Keep `reason` and `hint`; the runtime adds who and where."""
        reason = shown(reason) if self.about_a_record else reason
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.consumer = ""
        self.sequence_number = ""

    def __str__(self) -> str:
        """Reason, then the next step."""
        return f"{self.reason} ({self.hint})" if self.hint else self.reason


class Poison(FanoutError):
    """Can never succeed; parked whole."""

    about_a_record = True


class Malformed(Poison):
    """The record is damaged, or lacks an attribute that this consumer needs."""


class NotAStream(Poison):
    """The event is neither from a DynamoDB stream nor from Kinesis."""


class Rejected(Poison):
    """The destination refused the operation for good; `reason` is the destination's."""


class Retryable(FanoutError):
    """May succeed later; reported to Lambda, which redelivers from here."""

    about_a_record = True


class Unavailable(Retryable):
    """The destination did not answer in time, or answered that it is overloaded."""


class DeadlineNear(Retryable):
    """Too little of the invocation's time was left to begin this write."""


class ParkingFailed(Retryable):
    """The dead-letter queue did not take the record: it stays in the stream."""


class InvalidSpec(FanoutError):
    """A `ConsumerSpec` that AWS would refuse, or that breaks a rule of Fanout."""


class InvalidFilter(FanoutError):
    """A filter pattern that AWS would refuse when the mapping is created."""


class InvalidSettings(FanoutError):
    """One or more settings are missing or cannot be read."""
