"""What cdk-nag finds and we leave so, each with its reason. Nothing is silenced by the dozen."""

from collections.abc import Iterable
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

from infra.aws.permissions import UNNARROWABLE, Statement


def access_logs(bucket: IConstruct) -> None:
    """The bucket for access logs."""
    _say(bucket, "AwsSolutions-S1", "It holds the access logs: logging itself it would never rest.")


def stream_key(stream: IConstruct) -> None:
    """The Kinesis stream's key."""
    _say(stream, "AwsSolutions-KDS3", "It is encrypted with a key of our own, not with AWS's.")


def domain(made: IConstruct, *, small: bool) -> None:
    """The OpenSearch domain; `small` is the one of a stage for trying things out."""
    _say(
        made,
        "AwsSolutions-OS3",
        "It is in a VPC, its security group lets in the functions alone, and requests are signed.",
    )
    if small:
        _say(made, "AwsSolutions-OS4", "One node is enough to try things out; prod has masters.")
        _say(made, "AwsSolutions-OS7", "One node is enough to try things out; prod has two zones.")


def failures(bucket: IConstruct) -> None:
    """The bucket for batches that Lambda gave up on."""
    reason = (
        "Only Lambda writes here, seldom, and each object is announced in the consumer's queue."
    )
    _say(bucket, "AwsSolutions-S1", reason)


def dead_letters(queue: IConstruct) -> None:
    """A dead-letter queue."""
    _say(queue, "AwsSolutions-SQS3", "It is itself the dead-letter queue, of a stream's consumer.")


def runtime(function: IConstruct) -> None:
    """Which Python a function runs on."""
    _say(
        function,
        "AwsSolutions-L1",
        "The newest Python that the project's tests run on; see infra/aws/bundle/build.py.",
    )


def wildcards(stack: Stack, role: IConstruct, statements: Iterable[Statement]) -> None:
    """Resources with a star in a role's statements, as cdk-nag prints them."""
    for statement in statements:
        reason = _why(statement)
        for resource in statement["Resource"]:
            if "*" in resource:
                _say(role, f"AwsSolutions-IAM5[Resource::{_printed(stack, resource)}]", reason)


def _why(statement: Statement) -> str:
    actions = statement["Action"]
    if all(action in UNNARROWABLE for action in actions):
        return f"IAM knows no resource for {', '.join(actions)}."
    return "A star only behind the one thing it belongs to: its objects, paths, or log streams."


def _printed(stack: Stack, resource: str) -> str:
    """As cdk-nag prints a resource that is put together from references."""
    resolved = stack.resolve(resource)
    parts = resolved["Fn::Join"][1] if isinstance(resolved, dict) else [resolved]
    return "".join(part if isinstance(part, str) else f"<{_reference(part)}>" for part in parts)


def _reference(part: dict[str, Any]) -> str:
    return str(part["Ref"]) if "Ref" in part else ".".join(part["Fn::GetAtt"])


def _say(construct: IConstruct, rule: str, reason: str) -> None:
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
