"""What runs make of their GPUs, by a clock and GPUs of the test's own."""

from __future__ import annotations

import pytest
from core.events import finished, starting

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listening import Ended
from mlpipeline.core.runs import RunId
from mlpipeline.core.slots import Held
from mlpipeline.execution.gpu_meter import GpuMeter
from mlpipeline.execution.gpus import Gpu

RUN = RunId("m", "v", 1)
MB = 10**6


class Machine:
    """GPUs of 100 MB, and a clock."""

    def __init__(self):
        self.used = [(0, 0), (0, 0)]  # MB and percent, of each
        self.seconds = 0.0
        self.looks = 0

    def look(self):
        self.looks += 1
        return [
            Gpu(
                number=str(number),
                uuid=f"GPU-{number}",
                name="Test",
                memory=100 * MB,
                free=(100 - memory) * MB,
                utilisation=percent,
            )
            for number, (memory, percent) in enumerate(self.used)
        ]


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def meter(machine):
    return GpuMeter(machine, lambda: machine.seconds)


def run_of(gpus):
    ledger = Ledger()
    ledger.apply(starting(holds=Held(gpus=gpus)), "here")
    (run,) = ledger
    return run


def watch(machine, meter, *used):
    """Let the meter look once at each state."""
    for state in used:
        machine.used = state
        machine.seconds += 1
        meter.tick()


def test_the_peak_of_memory_and_the_mean_of_utilisation_are_kept(machine, meter):
    meter.adopted(run_of({"0": 1.0, "1": 1.0}))

    watch(machine, meter, [(10, 100), (20, 0)], [(40, 100), (30, 100)], [(5, 0), (5, 0)])

    assert meter.use(RUN) == {"peak_gpu_memory_mb": 70.0, "gpu_utilisation": 50.0}


def test_of_other_runs_gpus_nothing_counts(machine, meter):
    meter.adopted(run_of({"GPU-1": 1.0}))

    watch(machine, meter, [(99, 100), (10, 20)])

    assert meter.use(RUN) == {"peak_gpu_memory_mb": 10.0, "gpu_utilisation": 20.0}


@pytest.mark.parametrize("gpus", [{"0": 0.5}, {}, None])
def test_where_no_gpu_is_its_own_nobody_looks(gpus, machine, meter):
    meter.adopted(run_of(gpus))

    watch(machine, meter, [(99, 100), (99, 100)])

    assert (machine.looks, meter.use(RUN)) == (0, {})


def test_ticks_that_come_more_often_are_not_all_looks(machine, meter):
    meter.adopted(run_of({"0": 1.0}))

    for _ in range(20):
        machine.seconds += 0.125
        meter.tick()

    assert machine.looks == 3


def test_a_run_that_is_over_is_forgotten(machine, meter):
    run = run_of({"0": 1.0})
    meter.adopted(run)
    watch(machine, meter, [(9, 9), (9, 9)])
    ledger = Ledger()
    for event in (starting(), finished()):
        ledger.apply(event, "here")
    (over,) = ledger

    meter.ended(Ended(launched=None, run=over, exit=None, report=None))
    watch(machine, meter, [(99, 99), (99, 99)])

    assert (machine.looks, meter.use(RUN)) == (1, {})
