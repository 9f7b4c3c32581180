"""The whole pipeline on one machine, on the loopback interface alone."""
