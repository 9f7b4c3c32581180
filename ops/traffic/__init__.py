"""Traffic: an application that writes orders and scores as real ones do."""
