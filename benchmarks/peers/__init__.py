"""Who else could run the script: a module for each kind."""

from __future__ import annotations

from benchmarks.peers.forks import FORKS
from benchmarks.peers.hydra import HYDRA
from benchmarks.peers.ours import OURS
from benchmarks.peers.platforms import PLATFORMS
from benchmarks.peers.shells import SHELL_LOOP
from benchmarks.peers.spoolers import NQ, SPOOLER

PEERS = [*OURS, *FORKS, SHELL_LOOP, SPOOLER, NQ, *HYDRA, *PLATFORMS]
