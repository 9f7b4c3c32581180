"""The Lambda entry of `audit`."""

from consumers.audit import SPEC
from consumers.audit.projection import project
from consumers.audit.sink import open_sink
from shared.entry import lambda_entry

handler = lambda_entry(SPEC, project, open_sink)
