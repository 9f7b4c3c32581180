"""Safeguards of the local event source mapping and its checkpoints."""

from tests.mutation.mutant import Mutant

_CHECKPOINT = "tests/unit/infra_local/test_mapping_checkpoint.py"
_MAPPING = "tests/unit/infra_local/test_mapping_"

MAPPING: tuple[Mutant, ...] = (
    # the local event source mapping
    Mutant(
        "read ahead: an error is told",
        "infra/local/mapping/ahead.py",
        "            raise error\n",
        "            pass\n",
        (f"{_MAPPING}ahead.py::test_a_failing_read_ahead_is_told_when_its_page_is_needed",),
    ),
    Mutant(
        "read ahead: an empty page is asked for again",
        "infra/local/mapping/ahead.py",
        "sifted.page.entries or sifted.page.closed:",
        "True:",
        (f"{_MAPPING}ahead.py::test_an_empty_page_ahead_is_old_news",),
    ),
    Mutant(
        "read ahead: one thread at most",
        "infra/local/mapping/ahead.py",
        "self._wait is None and self._more",
        "self._more",
        (f"{_MAPPING}ahead.py::test_one_thread_at_a_time_reads_ahead",),
    ),
    Mutant(
        "read ahead: no more than a batch needs",
        "infra/local/mapping/ahead.py",
        "if enough or",
        "if",
        (f"{_MAPPING}ahead.py::test_not_more_is_read_ahead_than_one_batch_and_ten_pages",),
    ),
    Mutant(
        "read ahead: no more than a payload holds",
        "infra/local/mapping/ahead.py",
        "enough or heavy or",
        "enough or",
        (f"{_MAPPING}ahead.py::test_what_is_read_ahead_has_6_mb_at_most_and_a_page",),
    ),
    Mutant(
        "read ahead: it goes into the next batch",
        "infra/local/mapping/intake.py",
        "(not more and self._clock",
        "(self._clock",
        (f"{_MAPPING}ahead.py::test_a_batch_is_filled_from_what_was_read_during_the_one_before",),
    ),
    Mutant(
        "read ahead: a page that could not be sifted is kept",
        "infra/local/mapping/ahead.py",
        "self._page = self._page or self._cursor",
        "self._page = self._cursor",
        (f"{_MAPPING}ahead.py::test_a_filter_that_fails_loses_no_page",),
    ),
    Mutant(
        "checkpoint: on the disk before it has its name",
        "infra/local/mapping/checkpoint.py",
        "            # may leave no name is well: the folder need not be synced.\n"
        "            os.fsync(file.fileno())\n",
        "            pass\n",
        (f"{_CHECKPOINT}::test_the_content_is_on_the_disk_before_it_has_the_name",),
    ),
    Mutant(
        "checkpoint: synced before the slot that was synced is written over",
        "infra/local/mapping/checkpoint.py",
        "1 - slots.synced\n",
        "slots.number % 2\n",
        (f"{_CHECKPOINT}::test_what_is_on_the_disk_is_not_written_over_before_something_newer_is",),
    ),
    Mutant(
        "checkpoint: written over no slot but one",
        "infra/local/mapping/checkpoint.py",
        "slot * SLOT_BYTES) != SLOT_BYTES",
        "0) != SLOT_BYTES",
        (_CHECKPOINT,),
    ),
    Mutant(
        "checkpoint: saved behind the outcome, never before",
        "infra/local/mapping/reader.py",
        "        outcome = self._wiring.invoke(",
        "        self._progress.done(entries[-1].mark)\n"
        "        self._progress.save()\n"
        "        outcome = self._wiring.invoke(",
        (f"{_CHECKPOINT}::test_a_checkpoint_is_written_after_the_outcome_and_not_before",),
    ),
    Mutant(
        "mapping: given up only once the destination has it",
        "infra/local/mapping/reader.py",
        "        self._wiring.destination.send("
        "self._place, owed.document, owed.event, self._clock.wall())\n        self._owed = None\n",
        "        self._owed = None\n",
        (f"{_MAPPING}failure.py::test_a_destination_that_is_away_keeps_the_records",),
    ),
    Mutant(
        "mapping: children wait for their parents",
        "infra/local/mapping/consumer.py",
        "        return not (set(shard.parents) & pending) - self._finished\n",
        "        return not set() & pending - self._finished\n",
        (f"{_MAPPING}shards.py::test_children_wait_until_their_parent_is_done",),
    ),
    Mutant(
        "mapping: the lowest of several failures counts",
        "infra/local/mapping/delivery.py",
        "        first = min(first, places[named])\n",
        "        first = places[named]\n",
        (
            f"{_MAPPING}retries.py::test_02_the_lowest_of_several_failures_is_where_delivery_resumes",
        ),
    ),
    Mutant(
        "mapping: a name that is not of the batch fails the whole of it",
        "infra/local/mapping/delivery.py",
        "named not in places:\n            return _INVALID\n",
        "named not in places:\n            continue\n",
        (
            f"{_MAPPING}retries.py::test_06_one_unknown_name_among_valid_ones_fails_the_whole_batch",
            f"{_MAPPING}retries.py::test_03_to_06_an_invalid_response_fails_the_whole_batch",
        ),
    ),
    Mutant(
        "checkpoint: one that was changed is refused",
        "infra/local/mapping/checkpoint.py",
        'kept.pop("digest") == _digest(kept) and',
        'kept.pop("digest") and',
        (f"{_CHECKPOINT}::test_a_changed_file_is_refused",),
    ),
    Mutant(
        "kinesis: a record that comes late holds the mark back",
        "infra/local/mapping/kinesis.py",
        'return self._mark if oldest is None else oldest.before or ""',
        "return self._mark",
        (f"{_MAPPING}kinesis.py::test_whatever_was_emitted_reading_on_at_its_mark_loses_nothing",),
    ),
)
