"""One event source mapping's settings, taken from the consumer's SPEC."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from infra.local.mapping.source import TRIM_HORIZON
from shared.errors import InvalidSpec
from shared.filter_kinesis import compile_kinesis_filters
from shared.filters import compile_filters, wrap_for_kinesis
from shared.spec import ConsumerSpec, Source


class Matcher(Protocol):
    """A compiled filter."""

    def matches(self, record: Mapping[str, Any], /) -> bool:
        """Whether a record, as its `Entry.view` shows it, is delivered."""


@dataclass(frozen=True, slots=True)
class MappingConfig:
    """What AWS calls an event source mapping.

    Attributes:
        consumer: name of the consumer.
        function_arn: of its function.
        filter: decides which records are delivered.
        batch_size: records per invocation, at most.
        window_seconds: how long to wait for a batch to fill.
        retries: of a batch whose front does not move, before it is given up; -1 for ever.
        record_age_seconds: after which a record is given up untried; -1 for never.
        bisect: halve a batch whose invocation failed as a whole (BisectBatchOnFunctionError).
        report_failures: the function names its failures (ReportBatchItemFailures).
        start: TRIM_HORIZON or LATEST, where there is no checkpoint.
    """

    consumer: str
    function_arn: str
    filter: Matcher
    batch_size: int = 100
    window_seconds: float = 0.0
    retries: int = -1
    record_age_seconds: float = -1
    bisect: bool = True
    report_failures: bool = True
    start: str = TRIM_HORIZON

    @property
    def mapping_id(self) -> str:
        """The mapping's UUID, the same in every run."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.function_arn}/{self.consumer}"))

    @classmethod
    def of(
        cls, spec: ConsumerSpec, function_arn: str, start: str = TRIM_HORIZON
    ) -> "MappingConfig":
        """The mapping that a consumer declares.

        A parallelization above 1 is run as 1: the order that a consumer sees is then one of
        those it must bear. Raises InvalidSpec for a tumbling window, which this machine lacks.
        """
        if spec.tumbling_window_seconds:
            raise InvalidSpec(
                f"consumer {spec.name!r}: tumbling windows do not run on this machine",
                hint=f"set tumbling_window_seconds to 0 in consumers/{spec.name}/__init__.py",
            )
        patterns = list(spec.filters)
        if spec.source is not Source.STREAM:
            patterns = [wrap_for_kinesis(pattern) for pattern in patterns]
            compile_kinesis_filters(patterns)  # refuses what Lambda would
        return cls(
            consumer=spec.name,
            function_arn=function_arn,
            filter=compile_filters(patterns),
            batch_size=spec.batch_size,
            window_seconds=spec.window_seconds,
            retries=spec.retries,
            record_age_seconds=spec.record_age_seconds,
            start=start,
        )
