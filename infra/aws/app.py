"""The CDK app: `python -m infra.aws.app [--out FOLDER] [KEY=VALUE ...]`, or `make synth`."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import infra.aws.engine  # noqa: F401  isort: skip - before aws_cdk, which it prepares

from aws_cdk import App, Stack, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from consumers.registry import REGISTRY
from infra.aws import checks, data, observability, pipeline, sinks, sources
from infra.aws.checks.template import Templates, load
from infra.aws.names import Names
from infra.aws.packages import BuiltPackages, Packages
from infra.aws.stage import Context
from shared.errors import InvalidSettings
from shared.spec import ConsumerSpec

OUT = Path("build/cdk.out")
# CDK's behaviour where a newer one must be asked for.
_FLAGS = {
    "@aws-cdk/core:validateAgainstDefaultRules": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/core:enablePartitionLiterals": True,
}


def build(
    context: Context,
    packages: Packages,
    out: Path = OUT,
    specs: Sequence[ConsumerSpec] = REGISTRY,
) -> App:
    """All stacks of one stage, not yet synthesized.

    Raises InvalidSpec or InvalidSettings for what AWS would refuse or what could not work.
    """
    chosen = _chosen(context, specs)
    sources.check(chosen)
    names = Names(context.stage)
    app = App(outdir=str(out), analytics_reporting=False, context=_FLAGS)
    Tags.of(app).add("application", "fanout")
    Tags.of(app).add("stage", context.stage)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    def stack(part: str, description: str) -> Stack:
        return Stack(
            app,
            part,
            stack_name=names.of(part),
            description=f"Fanout {context.stage}: {description}",
            termination_protection=context.sizes.keep,
        )

    data_stack = stack("data", "table, changes, archive")
    made = data.build(data_stack, context, names, chosen)
    if sinks.makes_any(context, chosen):
        there = stack("sinks", "search and cache, in a network of their own")
        reached = sinks.build(there, context, names, chosen, made.reach)
        running = stack("pipeline", "consumers and heartbeats")
    else:
        running = stack("pipeline", "consumers and heartbeats")
        reached = sinks.given(running, context, made.reach)
    consumers = pipeline.build(running, context, chosen, packages, data=made, sinks=reached)
    running.add_stack_dependency(data_stack)
    seeing = stack("observability", "alarms, dashboards, queries")
    observability.build(seeing, context, names, consumers, made)
    return app


def synthesize(
    context: Context,
    packages: Packages,
    out: Path = OUT,
    specs: Sequence[ConsumerSpec] = REGISTRY,
) -> Templates:
    """Write the stacks into a folder, and read them once more as CloudFormation will.

    Raises InvalidSettings for what the checks find, and RuntimeError for what cdk-nag does.
    """
    assembly = build(context, packages, out, specs).synth()
    templates = load(Path(stack.template_full_path) for stack in assembly.stacks)
    checks.require(templates, _chosen(context, specs), Names(context.stage))
    return templates


def _chosen(context: Context, specs: Sequence[ConsumerSpec]) -> Sequence[ConsumerSpec]:
    known = [spec.name for spec in specs]
    if unknown := sorted(set(context.consumers) - set(known)):
        raise InvalidSettings(
            f"context: no such consumers: {', '.join(unknown)}",
            hint=f"there are: {', '.join(known)}",
        )
    return [spec for spec in specs if not context.consumers or spec.name in context.consumers]


def arguments(given: Sequence[str]) -> tuple[Path, Mapping[str, str]]:
    """Take the command line apart. Raises InvalidSettings for what is no KEY=VALUE."""
    out = OUT
    values: dict[str, str] = {}
    words = iter(given)
    for word in words:
        key, equals, value = word.partition("=")
        if word == "--out":
            out = Path(next(words, str(OUT)))
        elif not equals:
            raise InvalidSettings(
                f"context: {word!r} is no KEY=VALUE", hint="such as alarmEmail=you@example.org"
            )
        else:
            values[key] = value
    return out, values


def main() -> None:
    """Synthesize into a folder."""
    out, values = arguments(sys.argv[1:])
    context = Context.read(values)
    synthesize(context, BuiltPackages(context), out)
    for template in sorted(Path(out).glob("*.template.json")):
        size = template.stat().st_size / 1024
        sys.stdout.write(f"{template}  {size:,.0f} kB, checked\n")


if __name__ == "__main__":
    main()
