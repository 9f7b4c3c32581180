"""The AWS server of one machine: ministack, with a memory that survives SIGKILL."""
