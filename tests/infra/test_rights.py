"""Rights fit the code: whatever AWS call a handler's package holds, its role allows."""

from __future__ import annotations

import ast

import pytest
from botocore import xform_name
from botocore.session import get_session

from consumers.registry import REGISTRY
from infra.aws.bundle.build import TREE
from infra.aws.bundle.closure import closure
from infra.aws.checks.template import Templates, actions, of_type, role_name, statements

# Operation of botocore -> actions of IAM (service authorization reference).
NEEDED = {
    "get_object": {"s3:GetObject"},
    "head_bucket": {"s3:ListBucket"},
    "head_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "put_object": {"s3:PutObject"},
    "send_message_batch": {"sqs:SendMessage"},
    "transact_write_items": {"dynamodb:PutItem", "dynamodb:UpdateItem"},
    "update_item": {"dynamodb:UpdateItem"},
}
MODULES = {spec.name: f"consumers.{spec.name}.handler" for spec in REGISTRY}
MODULES["heartbeat"] = "infra.aws.functions.heartbeat"


@pytest.fixture(scope="module")
def operations() -> dict[str, str]:
    """Every operation of the services that handlers use, and its service."""
    session = get_session()
    return {
        xform_name(operation): service
        for service in ("dynamodb", "s3", "sqs")
        for operation in session.get_service_model(service).operation_names
    }


def called(module: str, operations: dict[str, str]) -> set[str]:
    found = closure(TREE, module)
    names: set[str] = set()
    for path in found.files.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                # `service.begin("PutItem", …)`, of shared.aws_json
                case ast.Call(ast.Attribute(attr="begin" | "call"), [ast.Constant(str(name)), *_]):
                    names.add(xform_name(name))
                case ast.Call(ast.Attribute(attr=name)):
                    names.add(name)
    return {name for name in names if operations.get(name) in found.services}


@pytest.mark.parametrize("name", MODULES)
def test_a_role_allows_what_its_function_calls(
    name: str, operations: dict[str, str], dev: Templates
) -> None:
    calls = called(MODULES[name], operations)
    assert calls <= set(NEEDED), "say here which rights a new call needs"
    wanted = set().union(*(NEEDED[call] for call in calls))
    handler = f"{MODULES[name]}.handler"
    (function,) = [
        made for _, made in of_type(dev, "AWS::Lambda::Function") if made["Handler"] == handler
    ]
    allowed = {action for each in statements(dev, role_name(function)) for action in actions(each)}
    assert wanted <= allowed, wanted - allowed


def test_the_calls_are_seen(operations: dict[str, str]) -> None:
    assert called(MODULES["totals"], operations) >= {"transact_write_items", "send_message_batch"}
    assert called(MODULES["audit"], operations) >= {"put_object", "head_bucket"}
    assert called(MODULES["heartbeat"], operations) == {"update_item"}
