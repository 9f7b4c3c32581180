"""Where each consumer reads (DESIGN §8): what AWS bears, and the mapping's filters."""

from collections.abc import Iterable, Sequence

from shared.errors import InvalidSpec
from shared.filter_kinesis import compile_kinesis_filters
from shared.filters import compile_filters, wrap_for_kinesis
from shared.settings import variable_of
from shared.spec import ConsumerSpec, Grant, Source

# Readers that a source bears: a shard of a table's stream serves two (DynamoDB quotas); a Kinesis
# shard answers five reads a second, of which Lambda makes one; a stream takes 20 registered
# consumers (Kinesis quotas).
MOST_READERS = {Source.STREAM: 2, Source.KINESIS: 5, Source.KINESIS_FANOUT: 20}
_REMEDY = {
    Source.STREAM: "set source=Source.KINESIS in the SPEC of one that needs no strict order",
    Source.KINESIS: "set source=Source.KINESIS_FANOUT in the SPEC of the one in most haste",
    Source.KINESIS_FANOUT: "set source=Source.KINESIS in the SPEC of the one in least haste",
}
# A setting that leads somewhere, and the grant without which a function cannot get there.
_NEEDS_GRANT = {
    "cache_url": Grant.CACHE_CONNECT,
    "search_url": Grant.SEARCH_WRITE,
    "ledger_table": Grant.TOTALS_WRITE,
}


def check(specs: Sequence[ConsumerSpec]) -> None:
    """Raise InvalidSpec for what AWS would refuse, throttle or leave unreachable."""
    for source, most in MOST_READERS.items():
        readers = [spec.name for spec in specs if spec.source is source]
        if len(readers) > most:
            raise InvalidSpec(
                f"{len(readers)} consumers read {source.name} ({', '.join(readers)}), "
                f"and it serves {most}",
                hint=_REMEDY[source],
            )
    for spec in specs:
        filters(spec)
        for setting, grant in _NEEDS_GRANT.items():
            if setting in spec.settings and grant not in spec.grants:
                raise InvalidSpec(
                    f"consumer {spec.name!r} is given {variable_of(setting)}, "
                    f"but has no rights there",
                    hint=f"add Grant.{grant.name} to grants in consumers/{spec.name}/__init__.py",
                )


def filters(spec: ConsumerSpec) -> list[str]:
    """The patterns of its event source mapping, wrapped for Kinesis where that is its source.

    Raises InvalidFilter for what Lambda would refuse.
    """
    patterns = list(spec.filters)
    if spec.source is Source.STREAM:
        compile_filters(patterns)
        return patterns
    wrapped = [wrap_for_kinesis(pattern) for pattern in patterns]
    compile_kinesis_filters(wrapped)
    return wrapped


def uses_kinesis(specs: Iterable[ConsumerSpec]) -> bool:
    """Whether any of them does not read the table's own stream."""
    return any(spec.source is not Source.STREAM for spec in specs)
