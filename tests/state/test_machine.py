"""What the machine has: affinity, and the files of cgroups as the kernel writes them."""

import os

import pytest

from mlpipeline.state.machine import cpu_count, memory_size


@pytest.fixture
def cgroups(tmp_path):
    """Writes the limits of cgroups, and says of which this process is a member."""

    def write(membership: str, **limits: str):
        (tmp_path / "membership").write_text(membership)
        for name, text in limits.items():
            path = tmp_path / "fs" / name.replace("__", "/").replace("--", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        return tmp_path / "membership", tmp_path / "fs"

    return write


def allowed() -> int:
    return len(os.sched_getaffinity(0))


def test_without_a_quota_the_cpus_are_those_of_the_affinity(cgroups):
    assert cpu_count(*cgroups("0::/a\n", **{"a__cpu--max": "max 100000"})) == allowed()


def test_a_quota_of_one_and_a_half_cpus_is_one_run(cgroups):
    assert cpu_count(*cgroups("0::/a\n", **{"a__cpu--max": "150000 100000"})) == 1


def test_a_quota_below_one_cpu_still_leaves_one_run(cgroups):
    assert cpu_count(*cgroups("0::/a\n", **{"a__cpu--max": "20000 100000"})) == 1


def test_the_quota_of_a_cgroup_above_counts_too(cgroups):
    files = {"a__cpu--max": "100000 100000", "a__b__cpu--max": "max 100000"}

    assert cpu_count(*cgroups("0::/a/b\n", **files)) == 1


def test_cgroups_of_version_1_count_too(cgroups):
    files = {
        "cpu,cpuacct__a__cpu--cfs_quota_us": "100000",
        "cpu,cpuacct__a__cpu--cfs_period_us": "100000",
        "memory__a__memory--limit_in_bytes": "1000000000",
    }
    where = cgroups("4:cpu,cpuacct:/a\n3:memory:/a\n", **files)

    assert cpu_count(*where) == 1
    assert memory_size(*where) == 1.0


def test_no_quota_of_version_1_is_minus_one(cgroups):
    files = {"cpu__a__cpu--cfs_quota_us": "-1", "cpu__a__cpu--cfs_period_us": "100000"}

    assert cpu_count(*cgroups("4:cpu:/a\n", **files)) == allowed()


def test_where_there_are_no_cgroups_the_machine_counts(tmp_path):
    assert cpu_count(tmp_path / "none", tmp_path) == allowed()
    assert memory_size(tmp_path / "none", tmp_path) > 0.1


def test_memory_is_what_the_tightest_cgroup_leaves(cgroups):
    files = {"a__memory--max": "500000000", "a__b__memory--max": "max"}

    assert memory_size(*cgroups("0::/a/b\n", **files)) == 0.5


def test_affinity_that_is_narrowed_counts(tmp_path):
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cpu_count(tmp_path / "none", tmp_path) == 1
    finally:
        os.sched_setaffinity(0, before)
