"""Every safeguard, and the tests that must notice when it is gone.

A row takes one safeguard out by replacing a piece of text that stands exactly once in its file.
When code is changed so that a piece is no longer there, the row is to be written anew: a check that
no longer applies proves nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One safeguard taken out.

    Attributes:
        safeguard: what is taken out, in words.
        file: from the repository's root.
        before: text of the safeguard, as it stands in the file.
        after: what takes its place.
        tests: the smallest selection that must fail without it, as pytest's node ids.
    """

    safeguard: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]


_RUNTIME = "tests/unit/shared/test_runtime.py"
_CHECKPOINT = "tests/unit/infra_local/test_mapping_checkpoint.py"
_HOSTILE = "tests/unit/shared/test_hostile.py"
_METRICS = "tests/unit/consumers/metrics/test_sink.py"
_AUDIT = "tests/contract/test_audit_"
_MAPPING = "tests/unit/infra_local/test_mapping_"
_INTERLEAVINGS = "tests/contract/cache/test_cache_interleavings.py"

MUTANTS: tuple[Mutant, ...] = (
    # totals
    Mutant(
        "ledger: an entry is only made where there is none",
        "consumers/totals/transaction.py",
        'put["ConditionExpression"] = _NOT_YET',
        'put.pop("ReturnValuesOnConditionCheckFailure")',
        ("tests/contract/test_totals.py::test_the_same_batch_in_other_cuts_changes_nothing",),
    ),
    Mutant(
        "ledger: no older version over a newer one",
        "consumers/totals/transaction.py",
        '_AS_KNOWN = "version <= :version AND ',
        '_AS_KNOWN = "version <> :version AND ',
        ("tests/contract/test_totals.py::test_a_value_that_came_back_hides_no_newer_version",),
    ),
    Mutant(
        "ledger: the total gains only what the entry did not hold",
        "consumers/totals/posting.py",
        "amounts.append(known[0].copy_negate())",
        "pass",
        ("tests/unit/consumers/totals/test_posting.py::test_what_a_total_gains",),
    ),
    Mutant(
        "ledger: a removed score leaves its version",
        "consumers/totals/projection.py",
        "version = record.version\n",
        "version = record.version - (record.new is None)\n",
        ("tests/contract/test_totals.py::test_a_removal_that_comes_first_holds_the_score_out",),
    ),
    Mutant(
        "totals: the filter keeps TOTAL# out",
        "consumers/totals/__init__.py",
        '{"prefix": Kind.HEARTBEAT.value}]',
        '{"prefix": Kind.HEARTBEAT.value}, {"prefix": Kind.TOTAL.value}]',
        ("tests/unit/consumers/totals/test_spec.py::test_a_total_of_any_player_never_comes_back",),
    ),
    # search
    Mutant(
        "search: the external version is the item's",
        "consumers/search/bulk.py",
        "% (orjson.dumps(name), version, ",
        "% (orjson.dumps(name), 2**60 + __import__('time').time_ns() % 2**60, ",
        ("tests/property/test_search_convergence.py",),
    ),
    Mutant(
        "search: a removal leaves a tombstone",
        "consumers/search/projection.py",
        "        document = tombstone(order_id, record.created_ms)\n",
        "        return None\n",
        ("tests/property/test_search_convergence.py",),
    ),
    Mutant(
        "search: of one batch the newest version is sent",
        "consumers/search/bulk.py",
        "operation.version >= operations[known].version",
        "True",
        ("tests/property/test_search_convergence.py",),
    ),
    Mutant(
        "search: an alias that is missing makes no index",
        "consumers/search/bulk.py",
        "_bulk?require_alias=true",
        "_bulk?require_alias=false",
        ("tests/contract/test_search_sink.py::test_a_missing_index_is_waited_for_and_not_made_up",),
    ),
    # cache
    Mutant(
        "cache: only who holds the lease may fill",
        "shared/cache_leases.py",
        "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end\n",
        "",
        (f"{_INTERLEAVINGS}::test_no_order_of_steps_leaves_a_stale_value",),
    ),
    Mutant(
        "cache: an invalidation ends the lease",
        "consumers/cache/single.py",
        "keys += (value_key(entry).encode(), lease_key(entry).encode())",
        "keys += (value_key(entry).encode(),)",
        ("tests/contract/cache/test_cache_reader.py::test_an_invalidation_beats_a_slow_reader",),
    ),
    Mutant(
        "cache: an order that moves clears the list that it left",
        "consumers/cache/projection.py",
        "    return (order, left, entry_name(Cached.CUSTOMER_ORDERS, after))",
        "    return (order, entry_name(Cached.CUSTOMER_ORDERS, after))",
        ("tests/unit/consumers/cache/test_projection.py",),
    ),
    # metrics
    Mutant(
        "metrics: a repeat counts once",
        "consumers/metrics/sink.py",
        "if event_id in fresh or event_id in recent:",
        "if not event_id:",
        (f"{_METRICS}::test_a_repeat_counts_once_within_a_batch_and_across_batches",),
    ),
    Mutant(
        "metrics: no line holds a value that CloudWatch drops",
        "shared/emf.py",
        "if not all(map(math.isfinite, chunk)) or",
        "if",
        ("tests/unit/shared/test_emf.py::test_a_value_that_cloudwatch_refuses_is_refused",),
    ),
    # audit
    Mutant(
        "archive: a repeated eventID is read once",
        "shared/archive.py",
        "                if entry.event_id in seen:\n                    continue\n",
        "",
        (f"{_AUDIT}reader.py::test_other_cuts_of_the_same_records_are_only_repeats",),
    ),
    Mutant(
        "archive: a broken image chain is a gap",
        "shared/archive_chain.py",
        "        elif link.old != before.new:\n",
        "        elif False:\n",
        ("tests/unit/shared/test_archive_chain.py::test_a_missing_change_is_found_where_it_is",),
    ),
    Mutant(
        "archive: an object's name says what its bytes are",
        "consumers/audit/sink.py",
        "object_key(lines[0].hour, first, last, digest.hexdigest())",
        'object_key(lines[0].hour, first, last, "0" * 64)',
        (f"{_AUDIT}sink.py::test_the_same_range_with_other_content_is_another_object",),
    ),
    # the runtime
    Mutant(
        "runtime: the first failure is reported",
        "shared/runtime.py",
        "first = batch.entries[batch.stop].sequence_number",
        "first = batch.entries[-1].sequence_number",
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
        "shared/codec.py",
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
    # the local event source mapping
    Mutant(
        "checkpoint: on the disk before it has its name",
        "infra/local/mapping/checkpoint.py",
        "                os.fsync(file.fileno())\n",
        "                pass\n",
        (f"{_CHECKPOINT}::test_the_content_is_on_the_disk_before_it_has_the_name",),
    ),
    Mutant(
        "checkpoint: the old one is replaced in one step",
        "infra/local/mapping/checkpoint.py",
        "            with draft.open(",
        "            with (draft := path).open(",
        (_CHECKPOINT,),
    ),
    Mutant(
        "checkpoint: saved behind the outcome, never before",
        "infra/local/mapping/reader.py",
        "        entries = batch.entries\n        outcome =",
        "        entries = batch.entries\n"
        "        self._progress.done(entries[-1].mark)\n"
        "        self._progress.save()\n"
        "        outcome =",
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
)
