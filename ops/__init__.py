"""The `fanout` command: everything that people do with a pipeline."""
