"""All settings, in one place: read from the environment, checked at start.

Each has its variable and says what it is; `docs/settings.md` is generated from here.
A consumer's SPEC names the fields it cannot do without.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from shared.errors import InvalidSettings


def _text(value: str) -> str:
    return value


def _url(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if not separator or not rest or scheme not in {"http", "https", "redis", "rediss"}:
        raise ValueError("is no URL such as https://host:443 or redis://host:6379")
    return value.rstrip("/")


def _flag(value: str) -> bool:
    if value not in {"0", "1"}:
        raise ValueError("must be 0 or 1")
    return value == "1"


def _positive(value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise ValueError("must be a whole number from 1 up")
    return int(value)


def in_lambda(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a function's own process, in Lambda or under its runtime client here."""
    return "AWS_LAMBDA_RUNTIME_API" in environment


# What every consumer needs: its queue, and the bucket for what is too large for it.
COMMON_SETTINGS = ("dlq_url", "archive_bucket")


class Setting(NamedTuple):
    """Where a setting comes from: its variable, what it is, and how its text is read."""

    variable: str
    doc: str
    read: Callable[[str], Any] = _text


# By their fields in `Settings`.
SETTINGS: Mapping[str, Setting] = {
    "table": Setting("FANOUT_TABLE", "Name of the table whose changes are fanned out."),
    "ledger_table": Setting(
        "FANOUT_LEDGER_TABLE", "Name of the table that remembers each score's contribution."
    ),
    "archive_bucket": Setting(
        "FANOUT_ARCHIVE_BUCKET",
        "S3 bucket of the archive; also takes parked records too big for SQS.",
    ),
    "archive_lock_days": Setting(
        "FANOUT_ARCHIVE_LOCK_DAYS",
        "Days for which Object Lock (governance) keeps each archive object; "
        "without it the bucket's own default retention holds.",
        _positive,
    ),
    "dlq_url": Setting("FANOUT_DLQ_URL", "URL of this consumer's dead-letter queue.", _url),
    "cache_url": Setting("FANOUT_CACHE_URL", "Redis or Valkey, redis:// or rediss://.", _url),
    "cache_cluster": Setting("FANOUT_CACHE_CLUSTER", "1 if the cache runs in cluster mode.", _flag),
    "search_url": Setting("FANOUT_SEARCH_URL", "OpenSearch endpoint, http:// or https://.", _url),
    "search_sigv4": Setting(
        "FANOUT_SEARCH_SIGV4", "1 to sign requests to OpenSearch with the function's role.", _flag
    ),
    "tracing": Setting("FANOUT_TRACING", "1 to send X-Ray segments.", _flag),
}


class Settings(NamedTuple):
    """What a handler is told by its environment. AWS's own variables are boto's business.

    A tuple: a frozen dataclass takes seven times as long to make, at each cold start.
    """

    table: str = ""
    ledger_table: str = ""
    archive_bucket: str = ""
    archive_lock_days: int = 0
    dlq_url: str = ""
    cache_url: str = ""
    cache_cluster: bool = False
    search_url: str = ""
    search_sigv4: bool = False
    tracing: bool = False

    @classmethod
    def load(
        cls, required: Iterable[str] = (), environment: Mapping[str, str] = os.environ
    ) -> "Settings":
        """Read and check all settings.

        Args:
            required: names of the fields that must not be empty.
            environment: where to read from.

        Raises InvalidSettings that lists every variable that is missing or wrong.
        """
        wanted, values, faults = frozenset(required), {}, []
        for name, (variable, doc, read) in SETTINGS.items():
            value = environment.get(variable, "")
            if value:
                try:
                    values[name] = read(value)
                except ValueError as error:
                    faults.append(f"{variable} {error}")
            elif name in wanted:
                faults.append(f"{variable} is not set: {doc}")
        if unknown := wanted - SETTINGS.keys():
            faults.append(f"no such setting: {', '.join(sorted(unknown))}")
        if faults:
            raise InvalidSettings(
                "settings: " + "; ".join(faults), hint="set them in the function's environment"
            )
        return cls(**values)


def variable_of(name: str) -> str:
    """The environment variable of a field of `Settings`; KeyError if there is none."""
    return SETTINGS[name].variable
