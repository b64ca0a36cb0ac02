"""How a user's code came to its end, in the words of report.json. Imports nothing."""

RETURNED = "returned"
RAISED = "exception"
EXITED = "sys.exit"
EDITED = "edited"  # the script is no longer what was listed
DIVERGED = "diverged"  # as stop_on_nan says
STOPPED = "stopped"  # by SIGTERM, and had on_stop called
SIGNALLED = "signal"  # a signal ended the program of a command
UNREADABLE = "unreadable"  # the report itself
