"""All settings, in one place: read from the environment, checked at start.

Each field names its variable and says what it is; `docs/settings.md` is generated from here.
A consumer's SPEC names the fields it cannot do without.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

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


def _setting(variable: str, doc: str, read: Callable[[str], Any] = _text, default: Any = "") -> Any:
    return field(default=default, metadata={"variable": variable, "doc": doc, "read": read})


# What every consumer needs: its queue, and the bucket for what is too large for it.
COMMON_SETTINGS = ("dlq_url", "archive_bucket")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a handler is told by its environment. AWS's own variables are boto's business."""

    table: str = _setting("FANOUT_TABLE", "Name of the table whose changes are fanned out.")
    ledger_table: str = _setting(
        "FANOUT_LEDGER_TABLE", "Name of the table that remembers each score's contribution."
    )
    archive_bucket: str = _setting(
        "FANOUT_ARCHIVE_BUCKET",
        "S3 bucket of the archive; also takes parked records too big for SQS.",
    )
    archive_lock_days: int = _setting(
        "FANOUT_ARCHIVE_LOCK_DAYS",
        "Days for which Object Lock (governance) keeps each archive object; "
        "without it the bucket's own default retention holds.",
        _positive,
        0,
    )
    dlq_url: str = _setting("FANOUT_DLQ_URL", "URL of this consumer's dead-letter queue.", _url)
    cache_url: str = _setting("FANOUT_CACHE_URL", "Redis or Valkey, redis:// or rediss://.", _url)
    cache_cluster: bool = _setting(
        "FANOUT_CACHE_CLUSTER", "1 if the cache runs in cluster mode.", _flag, False
    )
    search_url: str = _setting(
        "FANOUT_SEARCH_URL", "OpenSearch endpoint, http:// or https://.", _url
    )
    search_sigv4: bool = _setting(
        "FANOUT_SEARCH_SIGV4",
        "1 to sign requests to OpenSearch with the function's role.",
        _flag,
        False,
    )
    tracing: bool = _setting("FANOUT_TRACING", "1 to send X-Ray segments.", _flag, False)

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
        for setting in fields(cls):
            variable = setting.metadata["variable"]
            value = environment.get(variable, "")
            if value:
                try:
                    values[setting.name] = setting.metadata["read"](value)
                except ValueError as error:
                    faults.append(f"{variable} {error}")
            elif setting.name in wanted:
                faults.append(f"{variable} is not set: {setting.metadata['doc']}")
        if unknown := wanted - {setting.name for setting in fields(cls)}:
            faults.append(f"no such setting: {', '.join(sorted(unknown))}")
        if faults:
            raise InvalidSettings(
                "settings: " + "; ".join(faults), hint="set them in the function's environment"
            )
        return cls(**values)


def variable_of(name: str) -> str:
    """The environment variable of a field of `Settings`."""
    for setting in fields(Settings):
        if setting.name == name:
            return str(setting.metadata["variable"])
    raise KeyError(name)
