"""GPUs through NVML: a stand-in for the library here, the real one where there is a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mlpipeline.core.slots import UNCOUNTED, Asks
from mlpipeline.execution import gpus
from mlpipeline.execution.gpus import Nvml, absent, in_use, names
from mlpipeline.execution.hardware import Hardware
from mlpipeline.state.config import Settings

FAKE = Path(__file__).parents[1] / "fake_nvml"
GB = 10**9


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Gives the machine GPUs of 80 GB, each with so many GB free."""
    monkeypatch.syspath_prepend(FAKE)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("FAKE_GPUS", str(tmp_path / "gpus.json"))

    def has(*free):
        (tmp_path / "gpus.json").write_text(json.dumps([[80 * GB, each * GB] for each in free]))

    yield has
    sys.modules.pop("pynvml", None)


def test_nvml_tells_which_gpus_there_are_and_what_is_free_of_them(machine):
    machine(80, 20)

    first, second = Nvml().look()

    assert (first.number, first.name, first.memory) == ("0", "Fake GPU", 80 * GB)
    assert (second.free, second.utilisation) == (20 * GB, 0)


def test_without_a_driver_there_are_no_gpus(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "none")

    assert Nvml().look() == []
    assert names(Nvml(), {}) == ()


def test_without_the_library_the_driver_still_says_how_many_there_are(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / bus).mkdir()

    assert names(Nvml(), {}) == ("0", "1")


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("1", ("1",)), ("2, 0", ("2", "0")), ("", ()), ("-1", ()), ("0,-1,1", ("0",))],
)
def test_what_this_process_may_not_see_is_not_there(visible, expected, machine):
    machine(80, 80, 80)

    assert names(Nvml(), {"CUDA_VISIBLE_DEVICES": visible}) == expected


def test_a_gpu_is_in_use_where_too_little_of_its_memory_is_free(machine):
    machine(80, 73, 71)

    assert in_use(Nvml(), ("0", "1", "2"), 90) == {"2"}
    assert in_use(Nvml(), ("0", "1", "2"), 50) == set()


def test_a_gpu_that_is_named_by_its_uuid_is_known_too(machine):
    machine(80, 1)

    wanted = ("GPU-00000000", "GPU-00000001-fake", "MIG-1")

    assert in_use(Nvml(), wanted, 90) == {"GPU-00000001-fake"}


def test_the_machine_is_asked_only_for_what_is_asked_for(machine, tmp_path):
    machine(80, 1)
    hardware = Hardware(Settings(models_dir=tmp_path, cpus=3, memory=5))

    nothing, cpus, both = (hardware.now({Asks(**asks)}) for asks in ({}, {"cpus": 1}, {"gpus": 1}))

    assert nothing == UNCOUNTED
    assert (cpus.cpus, cpus.memory, cpus.gpus) == (3, 5, None)
    assert (both.gpus, both.busy) == (("0", "1"), {"1"})


def test_gpus_of_a_driver_that_comes_later_than_we_are_found(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "none")
    hardware = Hardware(Settings(models_dir=tmp_path))

    before = hardware.now({Asks(gpus=1)}).gpus
    machine(80, 80)

    assert (before, hardware.now({Asks(gpus=1)}).gpus) == ((), ("0", "1"))


def test_mlp_config_says_which_gpus_are_ours_and_in_what_order(machine, tmp_path):
    machine(80, 80, 80)
    hardware = Hardware(Settings(models_dir=tmp_path, gpus=("2", "0")))

    assert hardware.now({Asks(gpus=1)}).gpus == ("2", "0")


@pytest.mark.gpu
def test_a_real_gpu_is_seen_with_its_memory():
    pytest.importorskip("pynvml")
    found = Nvml().look()
    if not found:
        pytest.skip("no NVIDIA GPU here")

    assert all(0 < gpu.free <= gpu.memory for gpu in found)
    assert all(gpu.uuid.startswith("GPU-") and gpu.name for gpu in found)


# --- GPUs that mlp.config names


def test_gpus_that_are_named_and_not_there_are_warned_of_once(machine, tmp_path):
    machine(80, 80)
    warnings = []
    hardware = Hardware(Settings(models_dir=tmp_path, gpus=("1", "7")), warn=warnings.append)

    hardware.now({Asks(cpus=1)})
    before = list(warnings)
    hosts = [hardware.now({Asks(gpus=1)}) for _ in range(2)]

    assert before == []  # nothing asks for GPUs
    (warning,) = warnings
    assert warning.startswith("mlp.config: gpus names 7, but neither NVML nor")
    assert hosts[0].gpus == ("1", "7")


@pytest.mark.parametrize(
    ("devices", "missing"),
    [
        ([], ("0", "7", "GPU-1")),
        (["nvidia0", "nvidiactl", "nvidia-uvm"], ("7",)),
        (["nvidia3"], ("7",)),  # in a container it is number 0
        (["dxg"], ()),
        (["kfd"], ()),
    ],
)
def test_without_the_library_device_files_show_which_gpus_there_may_be(
    monkeypatch, tmp_path, devices, missing
):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(gpus, "DEVICES", tmp_path)
    for device in devices:
        (tmp_path / device).touch()

    assert absent(Nvml(), ("0", "7", "GPU-1", "MIG-2")) == missing
