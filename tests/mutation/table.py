"""Every safeguard that `make mutate` takes out."""

from tests.mutation.mutant import Mutant
from tests.mutation.of_consumers import CONSUMERS
from tests.mutation.of_core import CORE
from tests.mutation.of_mapping import MAPPING

MUTANTS: tuple[Mutant, ...] = (*CONSUMERS, *CORE, *MAPPING)
