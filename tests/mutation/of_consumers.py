"""Safeguards of the consumers, and the tests that must notice when one is gone."""

from tests.mutation.mutant import Mutant

_METRICS = "tests/unit/consumers/metrics/test_sink.py"
_AUDIT = "tests/contract/test_audit_"
_AUDIT_SINK = "tests/unit/consumers/audit/test_audit_sink.py"
_INTERLEAVINGS = "tests/contract/cache/test_cache_interleavings.py"

CONSUMERS: tuple[Mutant, ...] = (
    # totals
    Mutant(
        "ledger: an entry is only made where there is none",
        "consumers/totals/transaction.py",
        '_IF_NONE = _CONDITION % (_NOT_YET, "")',
        '_IF_NONE = "}}"',
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
        "total = subtract(total, known[0])",
        "pass",
        ("tests/unit/consumers/totals/test_posting.py::test_what_a_total_gains",),
    ),
    Mutant(
        "ledger: a removed score leaves its version",
        "consumers/totals/projection.py",
        '_version(old["version"]["N"]) + 1\n',
        '_version(old["version"]["N"])\n',
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
        '{key}{LEASE}\\r\\n")',
        '{key}{key}\\r\\n")',
        ("tests/contract/cache/test_cache_reader.py::test_an_invalidation_beats_a_slow_reader",),
    ),
    Mutant(
        "cache: an order that moves clears the list that it left",
        "consumers/cache/projection.py",
        " else (order, left, _LIST_NAME + after)",
        " else (order, _LIST_NAME + after)",
        ("tests/unit/consumers/cache/test_projection.py",),
    ),
    # metrics
    Mutant(
        "metrics: a repeat counts once",
        "consumers/metrics/sink.py",
        "if event_id in fresh or event_id in seen:",
        "if not event_id:",
        (f"{_METRICS}::test_a_repeat_counts_once_within_a_batch_and_across_batches",),
    ),
    Mutant(
        "metrics: what is read is declared",
        "consumers/metrics/__init__.py",
        '        "paymentMethod",\n',
        "",
        ("tests/property/test_payloads.py::test_it_declares_what_its_goldens_need",),
    ),
    Mutant(
        "metrics: no line holds a value that CloudWatch drops",
        "shared/emf.py",
        "if not all(map(math.isfinite, values)) or",
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
        "audit: an object is made only where there is none",
        "shared/aws_s3.py",
        '            sent["if-none-match"] = "*"\n',
        "            pass\n",
        (f"{_AUDIT}sink.py::test_a_redelivered_batch_is_the_same_object",),
    ),
    Mutant(
        "audit: what S3 refused is not written",
        "shared/aws_s3.py",
        "        if answer.status >= 300:\n",
        "        if answer.status >= 600:\n",
        (f"{_AUDIT}sink.py::test_whatever_s3_says_no_line_is_ever_given_up",),
    ),
    Mutant(
        "audit: a comparison without an answer proves nothing",
        "consumers/audit/sink.py",
        '            raise unavailable("comparing with the archive", error) from error\n',
        "            return True\n",
        (f"{_AUDIT_SINK}::test_a_comparison_without_an_answer_is_not_taken_for_one",),
    ),
    Mutant(
        "audit: other bytes under the name are not taken for ours",
        "consumers/audit/sink.py",
        "return self._bucket.head_object(key) == b64encode(digest)",
        "return self._bucket.head_object(key) is not None",
        (f"{_AUDIT_SINK}::test_other_bytes_of_a_known_checksum_are_not_taken_for_ours",),
    ),
    Mutant(
        "archive: an object's name says what its bytes are",
        "consumers/audit/sink.py",
        "object_key(lines[0].hour, first, last, digest.hex())",
        'object_key(lines[0].hour, first, last, "0" * 64)',
        (f"{_AUDIT}sink.py::test_the_same_range_with_other_content_is_another_object",),
    ),
)
