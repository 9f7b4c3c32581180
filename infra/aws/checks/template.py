"""Reading CloudFormation templates: references as one text that can be compared."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Resource = dict[str, Any]
Templates = Mapping[str, dict[str, Any]]


def load(paths: Iterable[Path]) -> Templates:
    """The templates in these files, by the parts that they deploy."""
    return {
        path.name.removesuffix(".template.json"): json.loads(path.read_text()) for path in paths
    }


def of_type(templates: Templates, kind: str) -> Iterator[tuple[str, Resource]]:
    """Logical id and properties of every resource of a type."""
    for template in templates.values():
        for name, resource in template["Resources"].items():
            if resource["Type"] == kind:
                yield name, resource.get("Properties", {})


def text(value: Any) -> str:
    """A value with its references put into angle brackets: `arn:<AWS::Partition>:s3:::name`."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(text(part) for part in parts)
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::ImportValue": name}:
            return f"<{text(name)}>"
        case {"Fn::Sub": pattern}:
            return str(pattern)
        case dict():
            return json.dumps({key: text(part) for key, part in sorted(value.items())})
        case list():
            return json.dumps([text(part) for part in value])
    return json.dumps(value)


def texts(value: Any) -> list[str]:
    """One or several values, as texts."""
    return [text(each) for each in (value if isinstance(value, list) else [value])]


def role_name(function: Resource) -> str:
    """Logical id of a function's role."""
    return text(function["Role"]).strip("<>").partition(".")[0]


def statements(templates: Templates, role: str) -> list[dict[str, Any]]:
    """Everything that a role allows, by its own policies and by those attached to it."""
    found: list[dict[str, Any]] = []
    for name, properties in of_type(templates, "AWS::IAM::Role"):
        if name == role:
            for policy in properties.get("Policies", ()):
                found += policy["PolicyDocument"]["Statement"]
    for _, properties in of_type(templates, "AWS::IAM::Policy"):
        if f"<{role}>" in texts(properties.get("Roles", [])):
            found += properties["PolicyDocument"]["Statement"]
    return found


def actions(statement: dict[str, Any]) -> list[str]:
    """The actions of a statement, always as a list."""
    return texts(statement.get("Action", []))
