"""What goes into a function's package: its own modules, and of its dependencies what it uses."""
