"""The Lambda entry: settings, sink and queue are put together here, once per process."""

from collections.abc import Callable
from typing import Any, TypeVar

from shared.garbage import collect_between
from shared.parking import DeadLetterQueue
from shared.records import Record
from shared.runtime import Consumer, Response, Sink
from shared.settings import COMMON_SETTINGS, Settings, in_lambda
from shared.spec import ConsumerSpec

Op = TypeVar("Op")


def lambda_entry(
    spec: ConsumerSpec,
    project: Callable[[Record], Op | None],
    open_sink: Callable[[Settings], Sink[Op]],
) -> Callable[[Any, Any], Response]:
    """The Lambda handler of a consumer. `open_sink` is called once per process.

    In Lambda the settings are checked and the sink is opened while the function initializes,
    where a wrong setting stops the deployment; elsewhere at the first call.
    """
    consumers: list[Consumer[Op]] = []

    def consumer() -> Consumer[Op]:
        if not consumers:
            consumers.append(_open(spec, project, open_sink))
        return consumers[0]

    def handler(event: Any, context: Any) -> Response:
        return consumer().consume(event, context)

    if in_lambda():
        consumer()
        return collect_between(handler)
    return handler


def _open(
    spec: ConsumerSpec,
    project: Callable[[Record], Op | None],
    open_sink: Callable[[Settings], Sink[Op]],
) -> Consumer[Op]:
    settings = Settings.load((*COMMON_SETTINGS, *spec.settings))
    queue = DeadLetterQueue(spec.name, settings.dlq_url, settings.archive_bucket)
    return Consumer(spec, project, open_sink(settings), queue, settings.tracing)
