"""One file per command; `ops.cli` puts them together."""
