"""Look again at what differs until it has settled, or nothing moves any more.

An item may be in flight: changed in the table, not yet in a projection. So what differs is looked
at again, by itself, after longer and longer pauses. Nothing is excused: what still differs when
nothing has settled for `patience` seconds is a finding.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from ops.verify.findings import Check, Finding

DEFAULT_PATIENCE_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0

# Told after each round: how many suspects are left, by projection.
Watch = Callable[[Mapping[str, int]], None]


def settle(suspects: Mapping[Check, Sequence[Finding]], patience: float, watch: Watch) -> None:
    """Look again at the suspects of all checks; what is left becomes their verdicts' findings.

    Args:
        suspects: what differed at the first look.
        patience: seconds without progress, over all checks, after which the rest is found.
        watch: told of each round.
    """
    left = {check: list(found) for check, found in suspects.items()}
    first = {check: _items(found) for check, found in left.items()}
    pause, progress = _FIRST_PAUSE_SECONDS, time.monotonic()
    looked = False
    while any(left.values()):
        watch({check.verdict.projection: len(found) for check, found in left.items()})
        rest = progress + patience - time.monotonic()
        # Once at least: the first look is cheap, and what it names is only suspect.
        if rest <= 0 and looked:
            break
        looked, started = True, time.monotonic()
        time.sleep(max(0.0, min(pause, rest)))
        for check, found in left.items():
            if found:
                left[check] = list(check.look_again(found))
                if len(_items(left[check])) < len(_items(found)):
                    progress, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
        # Looking may itself take long: then look less often.
        pause = min(2 * max(pause, time.monotonic() - started - pause), _LONGEST_PAUSE_SECONDS)
    for check, found in left.items():
        check.verdict.findings = found
        check.verdict.rechecked = len(first[check] - _items(found))


def _items(found: Sequence[Finding]) -> set[str]:
    return {finding.item for finding in found}
