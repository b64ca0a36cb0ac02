"""Pure rules and records of the queue: no files, no processes, no clock."""
