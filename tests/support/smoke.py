"""The templates on the emulator: less what it does not know, else as CDK would deploy them."""

from __future__ import annotations

import io
import json
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.aws.bundle.build import Bundle, content, write
from infra.aws.bundle.distributions import Installed
from infra.aws.checks.template import Templates
from infra.aws.packages import asset

HOST_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# Types that ministack refuses, with what is put in the place of references to them: the property
# that names the thing itself. docs/aws.md lists them.
UNKNOWN: Mapping[str, str] = {
    "AWS::Athena::NamedQuery": "",
    "AWS::CloudWatch::CompositeAlarm": "",
    "AWS::Kinesis::StreamConsumer": "StreamARN",
    "AWS::Logs::QueryDefinition": "",
}


TEMPLATES = "templates"


class HostPackages:
    """Packages for this machine's processor and Python, out of what is installed here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._installed = Installed()
        self._built: dict[str, Bundle] = {}

    def bundle(self, module: str) -> Bundle:
        if module not in self._built:
            files, names = content(module, self._installed, python=HOST_PYTHON)
            self._built[module] = write(self._folder / module, files, names)
        return self._built[module]

    def code(self, module: str):
        bundle = self.bundle(module)
        return asset(bundle.folder, bundle.digest)

    def digest(self, module: str) -> str:
        return self.bundle(module).digest


def zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def publish(s3: Any, out: Path, account: str, region: str) -> None:
    """What `cdk deploy` does with assets: the packages into the bootstrap's bucket."""
    bucket = f"cdk-hnb659fds-assets-{account}-{region}"
    s3.create_bucket(Bucket=bucket)
    for manifest in sorted(out.glob("*.assets.json")):
        for entry in json.loads(manifest.read_text())["files"].values():
            source = entry["source"]
            if source["packaging"] != "zip":
                continue
            for place in entry["destinations"].values():
                s3.put_object(
                    Bucket=bucket, Key=place["objectKey"], Body=zipped(out / source["path"])
                )


def known(template: dict[str, Any]) -> dict[str, Any]:
    """A template without what the emulator does not know."""
    resources = dict(template["Resources"])
    gone = {n: resources.pop(n) for n, r in template["Resources"].items() if r["Type"] in UNKNOWN}
    return {
        **{key: part for key, part in template.items() if key not in {"Rules", "Parameters"}},
        "Resources": {name: _without(resource, gone) for name, resource in resources.items()},
    }


def _without(value: Any, gone: Mapping[str, dict[str, Any]]) -> Any:
    match value:
        case {"Fn::GetAtt": [name, _]} if name in gone:
            resource = gone[name]
            return resource["Properties"][UNKNOWN[resource["Type"]]]
        case dict():
            kept = {key: _without(part, gone) for key, part in value.items()}
            if "DependsOn" in kept:
                kept["DependsOn"] = [name for name in kept["DependsOn"] if name not in gone]
            return kept
        case list():
            return [_without(part, gone) for part in value]
    return value


def deploy(cloudformation: Any, s3: Any, templates: Templates, stage: str) -> None:
    """All stacks, in the order in which they need each other."""
    s3.create_bucket(Bucket=TEMPLATES)
    for part in ("data", "sinks", "pipeline", "observability"):
        if part not in templates:
            continue
        name = f"fanout-{stage}-{part}"
        # Too long to be sent along, as it is in AWS.
        s3.put_object(Bucket=TEMPLATES, Key=name, Body=json.dumps(known(templates[part])).encode())
        cloudformation.create_stack(
            StackName=name,
            TemplateURL=f"{s3.meta.endpoint_url}/{TEMPLATES}/{name}",
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_IAM"],
        )
        _wait(cloudformation, name)


def _wait(cloudformation: Any, name: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return
        if not stack["StackStatus"].endswith("IN_PROGRESS") or time.monotonic() > deadline:
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            failed = [
                (event["LogicalResourceId"], event.get("ResourceStatusReason", ""))
                for event in events
                if event["ResourceStatus"].endswith("FAILED")
            ]
            raise AssertionError(f"{name}: {stack['StackStatus']}: {failed}")
        time.sleep(0.1)
