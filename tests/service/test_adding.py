"""What a command line that is added means."""

import pytest

from mlpipeline.service.adding import CommandLine

NO_SWEEP = [
    "",
    "-m resnet --lr 0.1",
    "-m resnet seed=1",
    "seed=1 -m resnet",
    "--lr 0.1 -m",
    "-m -v",
]


@pytest.mark.parametrize("arguments", NO_SWEEP)
def test_a_m_that_is_not_hydras_is_an_argument_as_others(arguments):
    line = CommandLine.of(["python", "train.py", *arguments.split()])

    assert line.command == ("python", "train.py")
    assert line.arguments == tuple(arguments.split())
    assert line.overrides is None


SWEEPS = {
    "-m lr=1,2": ([], ["lr=1,2"]),
    "lr=1,2 -m": ([], ["lr=1,2"]),
    "-m --config-name x lr=1,2 ~a": (["--config-name", "x"], ["lr=1,2", "~a"]),
    "--multirun lr=1,2": ([], ["lr=1,2"]),
    "--multirun --config-name x": (["--config-name", "x"], []),
    "--multirun -m resnet": (["-m", "resnet"], []),
}


@pytest.mark.parametrize("arguments", SWEEPS)
def test_a_sweep_of_hydras_is_told_by_what_stands_beside_m(arguments):
    line = CommandLine.of(["python", "app.py", *arguments.split()])

    shared, overrides = SWEEPS[arguments]
    assert line.command == ("python", "app.py", *shared)
    assert (line.arguments, line.overrides) == ((), tuple(overrides))
