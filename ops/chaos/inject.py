"""Carries out one fault after the other; each ends before its call returns."""

import threading

from infra.local.pipeline import CHECKPOINTS
from infra.local.servers.stack import LocalServers
from ops.chaos.deliveries import Deliveries
from ops.chaos.disk import fill_disk
from ops.chaos.faults import Fault, Kind
from ops.chaos.pipeline_process import PipelineProcess
from ops.chaos.processes import Processes
from ops.chaos.switchboard import Switchboard
from ops.chaos.wire import Act, Order
from shared.errors import Retryable

_ACTS = {
    Kind.SLOW: Act.SLOW,
    Kind.CUT: Act.CUT,
    Kind.LATE: Act.LATE,
    Kind.UNANSWERED: Act.UNANSWERED,
    Kind.MISREPORTED: Act.MISREPORTED,
    Kind.THROTTLE: Act.THROTTLE,
    Kind.KILL_AMID: Act.KILL,
}
# One is enough: a worker that is gone sends no second request, and one that waits no other.
_ONE_REQUEST = frozenset({Kind.LATE, Kind.KILL_AMID})


class Injector:
    """Injects faults into a running pipeline; one thread for each lane."""

    def __init__(
        self,
        servers: LocalServers,
        delivering: PipelineProcess,
        board: Switchboard,
        deliveries: Deliveries,
        ended: threading.Event,
    ) -> None:
        """`ended` cuts faults short."""
        self._checkpoints = delivering.folder / CHECKPOINTS
        self._processes = Processes(servers, delivering, ended)
        self._board, self._deliveries, self._ended = board, deliveries, ended

    def inject(self, fault: Fault) -> int:
        """Inject one fault and wait until it is over.

        Returns how many processes, requests, files or invocations it met; 0 if none was there.
        """
        rng, target, seconds = fault.chance(), fault.target, fault.seconds
        match fault.kind:
            case Kind.KILL_WORKER:
                return self._processes.kill_worker(target, rng)
            case Kind.STOP_WORKER:
                return self._processes.stop_worker(target, rng, seconds)
            case Kind.KILL_PIPELINE:
                return self._processes.kill_pipeline()
            case Kind.KILL_SERVER:
                return self._processes.kill_server(target)
            case Kind.STOP_SERVER:
                return self._processes.stop_server(target, seconds)
            case Kind.REFUSE:
                self._board.refuse(target, lambda: self._ended.wait(seconds))
                return 1
            case Kind.FULL_DISK:
                return fill_disk(self._checkpoints, target, lambda: self._ended.wait(seconds))
            case Kind.REPEAT | Kind.RECUT:
                return self._deliver_again(fault)
        requests = 1 if fault.kind in _ONE_REQUEST else fault.requests
        order = Order(_ACTS[fault.kind], requests, rng, self._processes.kill_workers)
        return self._board.spoil(target, order, seconds)

    def _deliver_again(self, fault: Fault) -> int:
        repeat = fault.kind is Kind.REPEAT
        deliver = self._deliveries.repeat if repeat else self._deliveries.recut
        try:
            return deliver(fault.target, fault.chance())
        except Retryable:
            return 0  # the stream does not answer, for another fault: there is nothing to deliver
