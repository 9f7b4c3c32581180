"""When Python looks for garbage: between batches, and never while one is worked on.

What a batch makes is freed at once when nobody refers to it any more; the collector is there for
cycles alone, and makes itself felt: it runs whenever enough containers were made, and walks them.
An event of a thousand changes is over a hundred thousand containers, so that parsing it takes two
to three times as long with the collector as without, and finds nothing.

Cycles come from exceptions, whose tracebacks refer to the frames that hold them, so it is collected
after a batch that failed; and a few from botocore (8 small objects a batch of audit's, 160, which
are 12 kB, of totals'), so it is collected after every two-hundredth.
"""

import gc
from collections.abc import Callable
from typing import Any, TypeVar

Response = TypeVar("Response", bound=dict[str, Any])

# A collection while an event of a thousand orders is in memory takes as long as two of its batches:
# half a percent of the time. The garbage of so many batches is a few megabytes.
COLLECT_EVERY = 200


def collect_between(handler: Callable[[Any, Any], Response]) -> Callable[[Any, Any], Response]:
    """`handler`, after which it is collected as above. The collector is off from now on.

    For a process that serves this handler alone. What exists now is taken to live as long as the
    process: no collection looks at it again.
    """
    gc.freeze()
    gc.disable()
    uncollected = 0

    def collecting(event: Any, context: Any) -> Response:
        nonlocal uncollected
        uncollected += 1
        failed = True
        try:
            response = handler(event, context)
            failed = bool(response["batchItemFailures"])
        finally:
            if failed or uncollected >= COLLECT_EVERY:
                gc.collect()
                uncollected = 0
        return response

    return collecting
