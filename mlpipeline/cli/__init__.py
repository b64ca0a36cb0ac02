"""The command line: parsing, exit codes and what the screen shows."""
