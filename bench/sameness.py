"""Whether both sides wrote the same: what they sent, brought to one form and compared.

The form keeps what a reader of the destination can see and drops what he cannot: how a batch was
cut into requests, the order of unrelated writes, compression, the time of writing.
"""

import gzip
import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import orjson

from shared import metric_names
from shared.archive_compression import lines_of

Form = dict[Any, Any]
_GZIP = b"\x1f\x8b"


class Different(Exception):
    """The two sides of a comparison did not write the same; no figure of it counts."""


def require_same(consumer: str, ours: Form, theirs: Form) -> None:
    """Raise Different, naming the first entries, unless both forms are equal and not empty."""
    if not ours:
        raise Different(f"{consumer}: nothing was written")
    if ours == theirs:
        return
    names = sorted(
        (name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)),
        key=str,
    )
    name = names[0]
    raise Different(
        f"{consumer}: {len(names)} entries differ, the first is {name}:\n"
        f"  ours:   {ours.get(name)}\n  theirs: {theirs.get(name)}"
    )


def form_of(consumer: str, bodies: Iterable[bytes], printed: str) -> Form:
    """What a consumer's destination holds after these writes and this output."""
    return _FORMS[consumer](bodies, printed)


def _archive(bodies: Iterable[bytes], _: str) -> Form:
    """Lines of the archive, by eventID."""
    lines = (
        line
        for body in bodies
        for line in (
            gzip.decompress(body).splitlines() if body.startswith(_GZIP) else lines_of(body)
        )
    )
    return _unique((document["eventID"], document) for document in map(orjson.loads, lines))


def _metrics(_: Iterable[bytes], printed: str) -> Form:
    """Per metric, dimensions and unit: how many values, and their sum; a count's sum alone."""
    values: dict[tuple[Any, ...], list[float]] = {}
    for line in printed.splitlines():
        document = orjson.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            if directive["Namespace"] != metric_names.BUSINESS:
                continue
            for names in directive["Dimensions"]:
                dimensions = tuple(sorted((name, document[name]) for name in names))
                for metric in directive["Metrics"]:
                    found = document[metric["Name"]]
                    key = (metric["Name"], metric["Unit"], dimensions)
                    values.setdefault(key, []).extend(found if isinstance(found, list) else [found])
    return {
        key: math.fsum(found) if key[1] == "Count" else (len(found), math.fsum(found))
        for key, found in values.items()
    }


_bulk_string = re.compile(rb"\$\d+\r\n([^\r]*)\r\n").findall


def _cache(bodies: Iterable[bytes], _: str) -> Form:
    """Keys that were unlinked."""
    return {key.decode(): True for body in bodies for key in _bulk_string(body)[1:]}


def _search(bodies: Iterable[bytes], _: str) -> Form:
    """The newest version of each document, which is what the index ends with."""
    documents: Form = {}
    for body in bodies:
        lines = body.splitlines()
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            ((kind, head),) = orjson.loads(action).items()
            version = (head["version"], kind, head["version_type"])
            known = documents.get(head["_id"])
            if known is None or version >= known[0]:
                documents[head["_id"]] = (version, orjson.loads(document))
    return documents


def _totals(bodies: Iterable[bytes], _: str) -> Form:
    """What the transactions add to each total, and what they leave in the ledger."""
    entries: list[tuple[tuple[str, str], Any]] = []
    added: dict[tuple[str, str], Any] = {}
    for body in bodies:
        for item in orjson.loads(body)["TransactItems"]:
            if "Put" in item:
                entry = item["Put"]["Item"]
                value = Decimal(entry["value"]["N"]).normalize()
                kept = (value, entry["user"], entry["version"], entry["live"])
                entries.append((("ledger", entry["PK"]["S"]), kept))
            else:
                update = item["Update"]
                values = update["ExpressionAttributeValues"]
                key = ("total", update["Key"]["PK"]["S"])
                total, scores = added.get(key, (Decimal(0), 0))
                added[key] = (
                    (total + Decimal(values[":total"]["N"])).normalize(),
                    scores + int(values[":scores"]["N"]),
                )
    return _unique(entries) | added


def _unique(entries: Iterable[tuple[Any, Any]]) -> Form:
    form: Form = {}
    for key, value in entries:
        if key in form:
            raise Different(f"{key} was written twice")
        form[key] = value
    return form


_FORMS: dict[str, Callable[[Iterable[bytes], str], Form]] = {
    "audit": _archive,
    "metrics": _metrics,
    "cache": _cache,
    "search": _search,
    "totals": _totals,
}
