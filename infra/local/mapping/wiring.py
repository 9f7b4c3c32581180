"""What one consumer's mapping is put together from."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.local.lambda_runtime.invocation import Invocation
from infra.local.mapping.ahead import Beside, in_thread
from infra.local.mapping.checkpoint import CheckpointFolder
from infra.local.mapping.config import MappingConfig
from infra.local.mapping.destination import Destination
from infra.local.mapping.source import Clock, Stream, SystemClock


@dataclass(frozen=True, slots=True)
class Wiring:
    """One consumer's mapping and all that it touches.

    Attributes:
        config: what AWS calls the event source mapping.
        stream: what it reads.
        invoke: runs the function on an event, as JSON text; may block. Raises NotRun if the
            function could not be run; anything else that happens, the Invocation tells.
        destination: takes what is given up.
        checkpoints: where it keeps how far it is.
        clock: time.
        chance: spreads the retries.
        beside: how the next pages are read during an invocation.
    """

    config: MappingConfig
    stream: Stream
    invoke: Callable[[bytes], Invocation]
    destination: Destination
    checkpoints: CheckpointFolder
    clock: Clock = field(default_factory=SystemClock)
    chance: random.Random = field(default_factory=random.Random)
    beside: Beside = in_thread
