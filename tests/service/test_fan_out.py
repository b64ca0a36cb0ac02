"""Which runs parameters ask for, with and without -m."""

import pytest

from mlpipeline.errors import MlpipelineError
from mlpipeline.service.fan_out import wanted


def runs(given, *, multirun=False, most=10_000):
    return {
        each.name: dict(each.parameters) for each in wanted(given, multirun=multirun, most=most)
    }


def test_without_m_it_is_one_run_called_by_what_is_given():
    assert runs({}) == {"main": {}}
    assert runs({"steps": "a,b", "hydra_options": "x.y=10"}) == {
        "steps=a,b,x.y=10": {"steps": "a,b", "hydra_options": "x.y=10"}
    }


def test_hydra_options_with_m_are_a_run_for_each_job():
    found = runs({"steps": "a,b", "hydra_options": "m.n=10,15 c=range(1,4,2) k=v -m"})

    assert [each["hydra_options"] for each in found.values()] == [
        "m.n=10 c=1 k=v",
        "m.n=10 c=3 k=v",
        "m.n=15 c=1 k=v",
        "m.n=15 c=3 k=v",
    ]
    assert list(found) == ["n=10,c=1", "n=10,c=3", "n=15,c=1", "n=15,c=3"]
    assert all(each["steps"] == "a,b" for each in found.values())


def test_a_job_is_called_by_what_differs_with_the_shortest_keys_that_tell():
    swept = runs({"hydra_options": "a.x.lr=1,2 b.x.lr=3,4 lr.z=0,1 a.x.n=5 -m"})
    with_own = runs({"lr": "1,2", "k": "7", "hydra_options": "a.lr=3,4"}, multirun=True)
    secret = runs({"hydra_options": "db.password=a,b -m"})

    assert next(iter(swept)) == "a.x.lr=1,b.x.lr=3,z=0"
    assert next(iter(with_own)) == "lr=1,a.lr=3"
    assert len(secret) == 2
    assert not {"password=a", "password=b"} & set(secret)
    assert list(runs({"hydra_options": "a=1 -m"})) == ["a=1"]


def test_the_seeds_sweep_is_150_runs():
    options = (
        "modeling.max_tfidf_features=10,15,30 modeling.random_forest.max_features=range(1,100,2) -m"
    )

    assert len(runs({"steps": "train_random_forest", "hydra_options": options})) == 150


def test_with_m_for_all_each_parameter_sweeps():
    found = runs(
        {"lr": "0.1,0.01", "name": "'a,b'", "hydra_options": "lr=1,2 --config-name x"},
        multirun=True,
    )

    assert [(each["lr"], each["name"], each["hydra_options"]) for each in found.values()] == [
        ("0.1", "a,b", "--config-name x lr=1"),
        ("0.1", "a,b", "--config-name x lr=2"),
        ("0.01", "a,b", "--config-name x lr=1"),
        ("0.01", "a,b", "--config-name x lr=2"),
    ]


def test_a_secret_is_not_in_the_name():
    ((name, _),) = runs({"token": "hunter2"}).items()

    assert "hunter2" not in name


def test_too_many_or_wrong_runs_are_told():
    with pytest.raises(MlpipelineError, match="999 jobs, and max_versions is 10"):
        runs({"hydra_options": "a=range(1,1000) -m"}, most=10)
    with pytest.raises(MlpipelineError, match=r"hydra_options=a=1,b=2 -m: "):
        runs({"hydra_options": "a=1,b=2 -m"})
    with pytest.raises(MlpipelineError, match=r"^lr=\[1,: "):
        runs({"lr": "[1,"}, multirun=True)
