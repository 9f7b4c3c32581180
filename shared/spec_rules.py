"""What a `ConsumerSpec` must keep to: AWS's limits, and Fanout's own rules.

Limits: Lambda API reference, `CreateEventSourceMapping` and `CreateFunction`; some are not seen by
cfn-lint. Apart from the declaration, so that a function which starts loads no filter engine.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.errors import InvalidFilter
from shared.filters import MAX_FILTERS, compile_filter
from shared.settings import SETTINGS

if TYPE_CHECKING:
    from shared.spec import ConsumerSpec

_NAME = re.compile(r"[a-z][a-z0-9]{1,23}").fullmatch
_PATH = re.compile(r"[^.]+(\.[^.]+)?").fullmatch
_WEEK = 604_800


def faults_of(spec: "ConsumerSpec") -> Iterator[str]:
    """Yield what is wrong with a declaration, in words that finish "consumer 'x': ..."."""
    if not _NAME(spec.name):
        yield "name must be 2 to 24 lower case letters and digits, a letter first"
    for name, low, high in (
        ("batch_size", 1, 10_000),
        ("window_seconds", 0, 300),
        ("retries", -1, 10_000),
        ("parallelization", 1, 10),
        ("tumbling_window_seconds", 0, 900),
        ("concurrency", 0, 1_000),
        ("memory_mb", 128, 10_240),
        ("timeout_seconds", 1, 900),
    ):
        if not low <= getattr(spec, name) <= high:
            yield f"{name} must be {low} to {high}"
    if spec.record_age_seconds != -1 and not 60 <= spec.record_age_seconds <= _WEEK:
        yield f"record_age_seconds must be -1 (for ever) or 60 to {_WEEK}"
    if spec.tumbling_window_seconds and spec.parallelization > 1:
        yield "a tumbling window allows no parallelization above 1"
    yield from _filter_faults(spec)
    if not all(_PATH(path) for path in (*(spec.reads or ()), *(spec.reads_old or ()))):
        yield "reads must be names of attributes, or of a map and its member: a.b"
    if spec.reads_old is not None and not {*spec.reads_old} <= {*(spec.reads or ())}:
        yield "reads_old must be a part of reads"
    if unknown := set(spec.settings) - SETTINGS.keys():
        yield f"no such settings: {', '.join(sorted(unknown))}"
    if not spec.alarms:
        yield "a consumer without alarms fails unseen"
    names = [alarm.name for alarm in spec.alarms] + [burn.name for burn in spec.burn_rates]
    if len(names) != len(set(names)):
        yield "alarm names must differ"
    for alarm in spec.alarms:
        if not 1 <= alarm.breaching <= alarm.periods or alarm.period_seconds % 60:
            yield f"alarm {alarm.name}: 1 <= breaching <= periods, whole minutes"


def _filter_faults(spec: "ConsumerSpec") -> Iterator[str]:
    if len(spec.filters) > MAX_FILTERS:
        yield f"at most {MAX_FILTERS} filters"
    for pattern in spec.filters:
        try:
            compile_filter(pattern)
        except InvalidFilter as error:
            yield f"filter {pattern}: {error}"
