"""Child process: a run that is started cold, by an interpreter of its own.

It waits for the name of the run's folder on its standard input. Then it forks: the child is the
worker, and the parent stays as its supervisor, in a session of its own.
"""

from __future__ import annotations

import os
import signal
import sys

from mlpipeline.execution.processes import STOP_SIGNALS
from mlpipeline.execution.spare import Spare, prepare_streams
from mlpipeline.execution.supervisor import supervise
from mlpipeline.execution.worker import print_to_console, read_spec, redirect


def standby() -> None:
    """Wait for the folder of a run, then run it and end the process.

    The folder's name is all that comes on standard input; when nothing comes before its end, the
    scheduler has no use for this process.
    """
    with open(0, "rb", closefd=False) as stdin:
        folder = os.fsdecode(stdin.read())
    if not folder:
        os._exit(0)
    redirect(0, os.devnull, os.O_RDONLY)
    print_to_console(folder)
    for number in STOP_SIGNALS:  # the supervisor stays to the end
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # the supervisor waits for it
    prepare_streams()
    supervise(folder, read_spec(folder), Spare(sys.exit))
