"""Axes as Hydra's own sweeper has them, and configs as Hydra's own loader composes them."""

import copy
import dataclasses
import itertools
import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError

from mlpipeline.api import sweeps
from mlpipeline.api.composing import FastLoader
from mlpipeline.api.config_copies import quicken_deep_copies
from mlpipeline.api.hydra_adapter import (
    HydraProblem,
    RunMode,
    axes,
    begin_app,
    one_text,
    readable,
)

pytestmark = pytest.mark.usefixtures("hydra")


@pytest.fixture(scope="module")
def loader(conf):
    return begin_app("app", str(conf), None)


@pytest.fixture(scope="module")
def master(loader):
    return loader.load_configuration("config", ["hydra.verbose=true"], RunMode.MULTIRUN)


@pytest.fixture(scope="module")
def fast(loader):
    return FastLoader(loader)


# ------------------------------------------------------------------------- axes

KEYS = ["lr", "+x.y", "model", "db@store", "~gone"]
VALUES = ["1", "a,b", "0.1,0.01", "range(1,4)", "range(0,1,0.25)", "choice(a,b,c)", "[1,2],[3]"]
VALUES += ["'a b','c,d'", "{a:1}", "null", "sort(3,1,2)", "glob(*)", "tag(t,choice(1,2))", ""]


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_axes_are_those_of_the_basic_sweeper(loader, pairs):
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    overrides = [f"{key}={value}" for key, value in pairs]
    parsed = OverridesParser.create(loader).parse_overrides(overrides)
    [expected] = BasicSweeper.split_arguments(parsed, None)
    try:
        made = axes(overrides, loader)
    except sweeps.EmptySweep:
        assert not expected
    else:
        assert [list(job) for job in sweeps.jobs(made)] == expected


def test_a_sweep_is_counted_before_it_is_written_out():
    with pytest.raises(sweeps.TooManyJobs, match="100,000,000 jobs"):
        axes(["a=range(0,10000)", "b=range(0,1,0.0001)"])
    with pytest.raises(sweeps.TooManyJobs) as caught:
        axes(["a=range(0,inf)"])
    assert caught.value.count is None
    assert len(axes(["a=range(0,20000)"], most=None)[0]) == 20_000


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("a=(", "a=("),
        ("a=interval(0,1)", "interval has no list of values"),
        ("hydra.job.name=a,b", "Sweeping over Hydra's configuration is not supported"),
        ("a=range(0,3,0)", "there is no such range"),
        ("a=range(0.0,3,0)", "there is no such range"),
        ("a=range(1,1)", "has no values"),
        ("model=glob(x*)", "has no values"),
        ("a=1,1", "a=1 is there twice"),
    ],
)
def test_a_sweep_that_can_t_be_is_an_error_of_one_line(loader, override, words):
    with pytest.raises(ValueError) as caught:
        axes([override], loader)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# ----------------------------------------------------------------------- configs

OVERRIDES = [
    "params.lr=0.5",
    "params.lr=1",
    "params.batch_size='a b'",
    "params.nested.b=[3]",
    "params.nested.b.0=7",
    "params.nested={a:5}",
    "params={lr:3}",
    "params.note=${params.lr}",
    "alias.lr=9",
    "paths.name=x",
    "must=1",
    "cluster=null",
    "model=mlp",
    "model={depth:9}",
    "model.name=b",
    "db@store=pg",
    "store.timeout=1",
    "+db@other=pg",
    "+new=1",
    "+new.deep=2",
    "new.deep=3",
    "++params.lr=4",
    "++params.fresh.x=5",
    "~params.lr",
    "~model",
    "~params.nested.a=1",
    "+extra=more",
    "extra=more",
    "+params={z:1}",
    "hydra.job.name=other",
    "+hydra.job.env_set.A=b",
    "params.lrr=1",
    "model=none",
    "a=1,2",
    "params.lr=",
    "params.lr.x=3",
]


def full(loader, master, overrides):
    with readable():
        return loader.load_sweep_config(master, overrides)


def outline(node):
    """All that tells one node of a config from another."""
    known = node._metadata
    inner = node.__dict__.get("_content")
    if isinstance(inner, dict):
        inner = {key: outline(each) for key, each in inner.items()}
    elif isinstance(inner, list):
        inner = [outline(each) for each in inner]
    else:
        inner = node._value()
    types = known.ref_type, known.object_type, known.optional
    flags = {k: v for k, v in (known.flags or {}).items() if v is not None}
    return type(node), known.key, types, flags, known.flags_root, inner


@given(st.lists(st.sampled_from(OVERRIDES), max_size=4))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)
def test_a_quick_config_equals_the_full_composition(loader, fast, master, overrides):
    check(loader, fast, master, overrides)


@pytest.mark.parametrize("override", OVERRIDES)
def test_each_override_by_itself_gives_the_same(loader, fast, master, override):
    check(loader, fast, master, [override])


def check(loader, fast, master, overrides):
    try:
        expected = full(loader, master, overrides)
    except HydraProblem as problem:
        for load in (fast.load_sweep_config, fast.load_container):
            with pytest.raises(HydraProblem) as caught, readable():
                load(master, overrides)
            assert str(caught.value) == str(problem)
        return
    for _ in range(2):  # the second is a copy of what the first has composed
        made = fast.load_sweep_config(master, overrides)
        assert OmegaConf.get_cache(made) == OmegaConf.get_cache(master)
        assert made == expected
        assert outline(made) == outline(expected)
        assert OmegaConf.to_yaml(made) == OmegaConf.to_yaml(expected)
        container = OmegaConf.to_container(expected)
        del container["hydra"]
        plain = fast.load_container(master, overrides)
        assert plain == container
        assert list(plain) == list(container)


def test_what_is_done_to_one_config_is_not_seen_in_the_next(loader, master):
    fast = FastLoader(loader)
    first = fast.load_sweep_config(master, ["params.lr=1"])
    first.params.nested.b.append(3)
    OmegaConf.set_readonly(first, True)
    first.hydra.job_logging._metadata.flags["allow_objects"] = True
    second = fast.load_sweep_config(master, ["params.lr=2"])
    assert second == full(loader, master, ["params.lr=2"])
    assert not OmegaConf.is_readonly(second)
    fast.load_container(master, ["params.nested.a=3"])
    assert fast.load_container(master, [])["params"]["nested"]["a"] == 1


def test_each_choice_of_groups_is_composed_once(loader, master, monkeypatch):
    composed = []
    inner = loader.load_sweep_config
    monkeypatch.setattr(
        loader, "load_sweep_config", lambda m, o: composed.append(tuple(o)) or inner(m, o)
    )
    fast = FastLoader(loader)
    jobs = sweeps.jobs(axes(["params.lr=range(0,20)", "model=cnn,mlp", "+new=1,2"], loader))
    configs = [fast.load_sweep_config(master, list(job)) for job in jobs]
    containers = [fast.load_container(master, job) for job in jobs]
    assert composed == [("model=cnn",), ("model=mlp",)]
    assert {(each.model.name, each.params.lr, each.new) for each in configs} == {
        *itertools.product(("cnn", "mlp"), range(20), (1, 2))
    }
    assert [each["params"]["lr"] for each in containers] == [each.params.lr for each in configs]


def test_typed_values_are_converted_as_hydra_does(tmp_path, monkeypatch):
    from hydra.core.config_store import ConfigStore

    monkeypatch.setattr(ConfigStore.instance(), "repo", dict(ConfigStore.instance().repo))

    @dataclasses.dataclass
    class Params:
        lr: float = 0.1
        sizes: list[int] = dataclasses.field(default_factory=lambda: [1])
        one: int | str = 3

    @dataclasses.dataclass
    class Typed:
        params: Params = dataclasses.field(default_factory=Params)

    ConfigStore.instance().store(name="typed", node=Typed)
    (tmp_path / "conf").mkdir()
    loader = begin_app("app", str(tmp_path / "conf"), None)
    master = loader.load_configuration("typed", [], RunMode.MULTIRUN)
    fast = FastLoader(loader)
    for overrides in (["params.lr=1"], ["params.sizes=[2,3]"], ["params.one=x"]):
        expected = full(loader, master, overrides)
        assert outline(fast.load_sweep_config(master, overrides)) == outline(expected)
        assert fast.load_container(master, overrides)["params"] == OmegaConf.to_container(
            expected.params
        )
    for load in (fast.load_sweep_config, fast.load_container):
        with pytest.raises(HydraProblem, match="Value 'a' of type 'str'"), readable():
            load(master, ["params.lr=a"])


def test_a_loader_can_be_sent_to_another_process_as_hydra_s_own_can(loader, master):
    fast = pickle.loads(pickle.dumps(FastLoader(loader)))
    assert fast.load_sweep_config(master, ["params.lr=2"]).params.lr == 2


def test_deep_copies_are_quick_for_as_long_as_somebody_wants_them_so():
    slow = DictConfig.__deepcopy__
    config = OmegaConf.create({"a": {"b": [1, "${c}", None]}, "c": "???"}, flags={"struct": True})
    end = quicken_deep_copies()
    try:
        assert DictConfig.__deepcopy__ is not slow
        copied = copy.deepcopy(config)
        within = copy.deepcopy(config.a)
    finally:
        end()

    assert (copied, within) == (config, config.a)
    assert within._get_parent() is config  # as OmegaConf's own has it
    copied.a.b.append(2)
    assert len(config.a.b) == 3
    with pytest.raises(ConfigAttributeError):
        copied.d = 1
    assert DictConfig.__deepcopy__ is slow


def test_what_hydra_says_is_whole_where_one_word_is_part_of_another():
    said = "Could not find 'model/mlpx'\n\nAvailable options in 'model':\n\tlinear\n\tmlp"
    assert one_text(ValueError(said)).endswith("linear, mlp")
