"""What a handler imports when its function starts: nothing that its first batch may not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.registry import REGISTRY
from tests.support import records as make
from tests.support.scripted_http import Reply, scripted

ROOT = Path(__file__).parents[3]
# Every address leads nowhere: a sink that connected while it is opened would fail.
ENVIRONMENT = {
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "FANOUT_TABLE": "table",
    "FANOUT_LEDGER_TABLE": "ledger",
    "FANOUT_ARCHIVE_BUCKET": "bucket",
    "FANOUT_DLQ_URL": "http://127.0.0.1:1/queue",
    "FANOUT_CACHE_URL": "redis://127.0.0.1:1",
    "FANOUT_SEARCH_URL": "http://127.0.0.1:1",
}
# The SPEC's rules were kept before the function was made; parking and failures are rare.
NEVER = (
    "aws_lambda_powertools",
    "aws_xray_sdk",
    "boto3",
    "opensearchpy",
    "redis",
    "shared.filters",
    "shared.json_text",
    "shared.spec_rules",
    "typing_extensions",
)
# Of the standard library, what takes milliseconds.
RARE = ("hashlib", "traceback")
AWS = ("botocore", "urllib3")
WITHOUT = {
    "audit": (*NEVER, *AWS, "traceback"),
    "metrics": (*NEVER, *AWS, *RARE, "socket"),
    "cache": (*NEVER, *AWS, *RARE),
    "search": (*NEVER, *AWS),
    "totals": NEVER,
}


@pytest.mark.parametrize("consumer", [spec.name for spec in REGISTRY])
def test_a_handler_starts_with_what_it_needs(consumer: str) -> None:
    code = f"import sys, consumers.{consumer}.handler; print(*sys.modules)"
    environment = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**environment, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(shown.stdout.split())
    assert {f"consumers.{consumer}.sink", "shared.parking"} <= loaded
    assert not loaded & set(WITHOUT[consumer])


def test_audit_answers_without_botocore() -> None:
    """From the start to an object in S3; parking alone would need it."""
    event = make.event(make.stream_record(None, make.order(), sequence=1))
    code = (
        "import json, sys\n"
        "from consumers.audit.handler import handler\n"
        "answer = handler(json.load(sys.stdin), None)\n"
        "assert answer == {'batchItemFailures': []}, answer\n"
        "print(*sys.modules)"
    )
    with scripted(lambda _: Reply()) as server:
        shown = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url},
            input=json.dumps(event),
            capture_output=True,
            text=True,
            check=True,
        )
    assert [request.method for request in server.requests] == ["PUT"]
    # The last line: the one before is the batch's telemetry.
    loaded = set(shown.stdout.splitlines()[-1].split())
    assert "consumers.audit.sink" in loaded
    assert not loaded & {"boto3", "botocore", "urllib3"}


def test_a_wrong_setting_stops_the_start() -> None:
    """So the import does open the sink, as deployments rely on."""
    run = subprocess.run(
        [sys.executable, "-c", "import consumers.cache.handler"],
        cwd=ROOT,
        env={**ENVIRONMENT, "FANOUT_CACHE_URL": "nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "FANOUT_CACHE_URL" in run.stderr
