"""What CloudWatch does, on one machine: collect EMF lines, evaluate alarms, page."""
