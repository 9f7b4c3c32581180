"""A handler whose module cannot be loaded, as with a setting that is missing."""

raise RuntimeError("FANOUT_TABLE is not set")
