"""What was set for a while is gone afterwards."""

import os

import pytest

from infra.local.process_environment import ProcessEnvironment


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    environment = ProcessEnvironment()
    environment.lead({"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert os.environ["AWS_REGION"] == "us-east-1"
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    environment.restore()
    environment.restore()
    assert os.environ["AWS_REGION"] == "eu-west-1"
    assert "AWS_ENDPOINT_URL" not in os.environ
