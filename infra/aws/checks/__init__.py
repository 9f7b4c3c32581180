"""What must hold for the finished templates, whoever wrote them: `make synth` refuses the rest.

Not the stacks' own code asked again, but their result read, as CloudFormation will read it.
"""

from collections.abc import Iterator, Sequence

from infra.aws.checks import consumers, encryption, iam
from infra.aws.checks.template import Templates
from infra.aws.names import Names
from shared.errors import InvalidSettings
from shared.spec import ConsumerSpec


def faults(templates: Templates, specs: Sequence[ConsumerSpec], names: Names) -> Iterator[str]:
    """Everything that is wrong, a line each."""
    yield from consumers.faults(templates, specs, names)
    yield from iam.faults(templates, specs)
    yield from encryption.faults(templates)


def require(templates: Templates, specs: Sequence[ConsumerSpec], names: Names) -> None:
    """Raise InvalidSettings that lists all faults, if there are any."""
    if found := list(faults(templates, specs, names)):
        raise InvalidSettings(
            "the templates would deploy something wrong:\n  " + "\n  ".join(found),
            hint="mend the stack in infra/aws that makes it, or the SPEC that asks for it",
        )
