"""Sweeps: how many jobs there are, what they are called, and which come after which."""

import pytest

from mlpipeline.api import sweeps

AXES = [["lr=0.1", "lr=0.01"], ["model=cnn"], ["depth=1", "depth=2"]]


def test_the_last_axis_goes_quickest():
    assert sweeps.jobs(AXES) == [
        ("lr=0.1", "model=cnn", "depth=1"),
        ("lr=0.1", "model=cnn", "depth=2"),
        ("lr=0.01", "model=cnn", "depth=1"),
        ("lr=0.01", "model=cnn", "depth=2"),
    ]
    assert sweeps.count(AXES) == 4


def test_a_short_name_has_what_differs_in_the_order_written():
    assert sweeps.short_names(AXES)[1] == "lr=0.1,depth=2"
    assert sweeps.short_names([["a=1"]]) == ["main"]


def test_an_override_dirname_has_all_in_alphabetical_order():
    assert sweeps.override_dirnames(AXES)[2] == "depth=1,lr=0.01,model=cnn"
    made = sweeps.override_dirnames(AXES, item_sep=";", kv_sep=":", exclude_keys=["model"])
    assert made[2] == "depth:1;lr:0.01"
    assert sweeps.override_dirnames(AXES, exclude_keys=["model", "depth"])[3] == "lr=0.01"
    assert sweeps.override_dirnames([]) == ["default"]


def test_names_keep_secrets_and_control_characters_out():
    names = sweeps.override_dirnames([["cluster.pw=abc", "cluster.pw=abd"]])
    assert len(set(names)) == 2
    assert all(name.startswith("cluster.pw=") and "=ab" not in name for name in names)
    assert sweeps.shown("db={user:me,password:abc}").startswith("db=")
    assert "abc" not in sweeps.shown("db={user:me,password:abc}")
    assert sweeps.shown("max_tokens=512") == "max_tokens=512"
    assert sweeps.shown("text='a\nb'") == "text='a\\nb'"


def test_too_many_jobs_are_named_with_what_to_do():
    axes = [[f"a={i}" for i in range(101)], [f"b={i}" for i in range(100)]]
    with pytest.raises(sweeps.TooManyJobs, match=r"10,100 jobs.*max_versions.*--yes"):
        sweeps.check(axes)
    sweeps.check(axes, most=10_100)
    sweeps.check(axes, most=None)


def test_an_axis_without_values_and_one_with_equal_values_are_errors():
    with pytest.raises(sweeps.EmptySweep):
        sweeps.check([["a=1"], []])
    with pytest.raises(sweeps.DuplicateJobs, match="a=1 is there twice"):
        sweeps.check([["a=1", "a=2", "a=1"]])


def test_jobs_that_differ_only_in_the_chain_s_key_come_after_one_another():
    axes = [["x=1", "x=2"], ["c=pre", "c=train", "c=deploy"]]
    jobs, names = sweeps.jobs(axes), sweeps.short_names(axes)
    assert sweeps.chained(jobs, names, "c") == [
        (),
        ("x=1,c=pre",),
        ("x=1,c=train",),
        (),
        ("x=2,c=pre",),
        ("x=2,c=train",),
    ]


def test_stages_may_stand_first_and_jobs_without_a_stage_come_after_nothing():
    jobs = [("c=pre", "x=1"), ("c=pre", "x=2"), ("c=train", "x=1"), ("x=1",), ("+c=train", "x=2")]
    assert sweeps.chained(jobs, list("ABCDE"), "c") == [(), (), ("A",), (), ("B",)]


def test_a_chain_of_a_key_that_no_job_has_is_an_error():
    with pytest.raises(ValueError, match="d is not among the overrides"):
        sweeps.chained([("c=pre",)], ["c=pre"], "d")
