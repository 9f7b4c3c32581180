"""The local pipeline from the application's write to the sinks' effects, one process a run."""
