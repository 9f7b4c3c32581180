"""Safeguards of the core that all consumers share, against faults and against bad input."""

from tests.mutation.mutant import Mutant

_RUNTIME = "tests/unit/shared/test_runtime.py"
_HOSTILE = "tests/unit/shared/test_hostile.py"

CORE: tuple[Mutant, ...] = (
    # the runtime
    Mutant(
        "runtime: the first failure is reported",
        "shared/runtime.py",
        "first = sequence_number_of(batch.raw[batch.stop])",
        "first = sequence_number_of(batch.raw[-1])",
        (f"{_RUNTIME}::test_only_the_first_unavailable_record_is_reported",),
    ),
    Mutant(
        "runtime: a record is parked before it counts as done",
        "shared/runtime.py",
        "                batch.stop_at(index, failed[place])\n",
        "                pass\n",
        (f"{_RUNTIME}::test_a_queue_that_refuses_keeps_the_record_in_the_stream",),
    ),
    Mutant(
        "runtime: an unavailable destination stops the batch",
        "shared/runtime.py",
        "            batch.stop_at(batch.positions[index], cause)\n",
        "            pass\n",
        (f"{_RUNTIME}::test_only_the_first_unavailable_record_is_reported",),
    ),
    Mutant(
        "runtime: what the destination refuses is parked",
        "shared/runtime.py",
        "            self._condemn(batch, batch.positions[index], refusal)\n",
        "            pass\n",
        (f"{_RUNTIME}::test_rejected_operations_are_parked",),
    ),
    Mutant(
        "runtime: heartbeats alone ask the destination",
        "shared/runtime.py",
        "                self._sink.probe(deadline)\n",
        "                pass\n",
        (f"{_RUNTIME}::test_freshness_is_measured_once_the_destination_has_answered",),
    ),
    Mutant(
        "deadline: nothing is begun without time",
        "shared/clock.py",
        "        if self.remaining() < seconds:\n",
        "        if self.remaining() < -(10**9):\n",
        ("tests/contract/test_audit_sink.py::test_without_time_nothing_is_begun",),
    ),
    Mutant(
        "runtime: garbage is collected after a batch that failed",
        "shared/garbage.py",
        "            if failed or uncollected",
        "            if uncollected",
        ("tests/unit/shared/test_garbage.py::test_a_batch_that_fails_is_cleaned_up_after_at_once",),
    ),
    # bad input
    Mutant(
        "parking: no nesting is too deep to be written",
        "shared/json_text.py",
        "        return _deep_text(value)\n",
        "        raise\n",
        (f"{_HOSTILE}::test_no_depth_is_too_deep_to_park",),
    ),
    Mutant(
        "parking: what is too big goes to S3",
        "shared/parking.py",
        "        if len(body) <= MAX_MESSAGE_BYTES:\n",
        "        if body:\n",
        ("tests/fuzz/test_fuzz.py::test_no_record_is_lost_or_blocks", f"{_HOSTILE}"),
    ),
    Mutant(
        "envelopes: an eventName of another type is one bad record",
        "shared/envelopes.py",
        "if event_name.__class__ is not str or event_name not in _CHANGES:",
        "if event_name not in _CHANGES:",
        ("tests/fuzz/test_fuzz.py::test_no_record_is_lost_or_blocks",),
    ),
    Mutant(
        "codec: a long number is read in one way only",
        "shared/scalars.py",
        r"(?:\d+(?:\.\d*)?|\.\d+)",
        r"(?:\d+\.?\d*|\.\d+)",
        (f"{_HOSTILE}::test_a_long_number_is_refused_without_trying_every_way_to_read_it",),
    ),
    Mutant(
        "log: half a surrogate pair is escaped",
        "shared/errors.py",
        'text.encode(errors="backslashreplace").decode()',
        "text",
        (f"{_HOSTILE}::test_what_is_shown_is_short_and_utf_8",),
    ),
)
