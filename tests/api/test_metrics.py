"""Metrics: what is summed, averaged and tracked, and what a container logs of it."""

import copy
import math
import pickle
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlpipeline
from mlpipeline.api.metrics import Metric, MetricContainer
from mlpipeline.api.reporting import Reporter, install_reporter, reporter

AVERAGES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20)


class Recorder(Reporter):
    """Keeps the messages it gets, each with whether it goes to the log too."""

    def __init__(self):
        self.messages = []

    def message(self, text, level, log_to_file):
        self.messages.append((text, log_to_file))


@pytest.fixture
def messages():
    recorder, before = Recorder(), reporter()
    install_reporter(recorder)
    yield recorder.messages
    install_reporter(before)


def metric_with_epochs(*averages, kept):
    metric = Metric(kept)
    for average in averages:
        metric.update(average)
        metric.reset_epoch()
    return metric


# --- Metric: sums and averages


def test_update_adds_the_value_to_the_sums_and_the_count_to_the_counts():
    metric = Metric()

    metric.update(3)
    metric.update(5.5, count=4)

    assert (metric.value, metric.count) == (8.5, 5)
    assert (metric.epoc_value, metric.epoc_count) == (8.5, 5)


def test_the_epochs_sums_have_modern_names():
    metric = Metric()

    metric.update(6, count=4)

    assert (metric.epoch_value, metric.epoch_count) == (6, 4)


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 1000)), min_size=1))
def test_avg_is_the_sum_of_the_values_over_the_sum_of_the_counts(updates):
    metric = Metric()

    for value, count in updates:
        metric.update(value, count)

    assert metric.avg() == sum(v for v, _ in updates) / sum(c for _, c in updates)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_avg_of_single_values_lies_between_the_least_and_the_greatest(values):
    metric = Metric()

    for value in values:
        metric.update(value)

    assert min(values) - 1e-3 <= metric.avg() <= max(values) + 1e-3


def test_averages_are_0_when_nothing_was_counted():
    metric = Metric()

    metric.update(3, count=0)

    assert metric.avg() == metric.avg_epoch() == 0


def test_a_new_epoch_leaves_the_overall_average_alone():
    metric = Metric()
    metric.update(1)

    metric.reset_epoch()
    metric.update(3)

    assert (metric.avg(), metric.avg_epoch()) == (2, 3)


def test_reset_leaves_the_epoch_alone():
    metric = Metric()
    metric.update(1)

    metric.reset()
    metric.update(3)

    assert (metric.avg(), metric.avg_epoch()) == (3, 2)


def test_historic_method_names_do_the_same():
    metric = Metric(track_average_epoc_count=1)
    metric.update(4, count=2)

    average = metric.avg_epoc()
    metric.reset_epoc()

    assert average == metric.get_tracking_average() == 2


@pytest.mark.parametrize("value", ["1", None, [1]])
def test_a_value_that_is_no_int_or_float_is_refused_by_its_types_name(value):
    metric = Metric()

    with pytest.raises(TypeError, match=f"not {type(value).__name__}$"):
        metric.update(value)

    assert metric.count == 0


def test_a_bool_counts_as_the_int_that_it_is():
    metric = Metric()

    metric.update(True)
    metric.update(False)

    assert (metric.value, metric.avg()) == (1, 0.5)


def test_a_tensor_is_refused_with_a_hint_to_use_item():
    class Tensor:
        def item(self):
            return 1.0

    with pytest.raises(TypeError, match=r"not Tensor; pass value\.item\(\)"):
        Metric().update(Tensor())


def test_a_float_of_a_derived_type_is_taken_and_averages_are_plain_floats():
    class Float64(float):  # as numpy.float64 is
        def __truediv__(self, other):
            return Float64(float(self) / other)

        def __radd__(self, other):
            return Float64(other + float(self))

    metric = Metric()

    metric.update(Float64(0.5))

    assert metric.avg() == 0.5
    assert type(metric.avg()) is float


# --- Metric: what is tracked over epochs


@pytest.mark.parametrize("name", ["track_average_epoc_count", "track_average_epoch_count"])
def test_tracking_less_than_one_epoch_is_refused(name):
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Metric(**{name: 0})


def test_the_tracking_average_covers_the_newest_epochs_only():
    metric = metric_with_epochs(100, 1, 2, 6, kept=3)

    assert metric.get_tracking_average() == 3


def test_the_tracking_average_is_0_until_half_of_the_epochs_are_there():
    two, three = metric_with_epochs(4, 4, kept=5), metric_with_epochs(4, 4, 4, kept=5)

    assert (two.get_tracking_average(), three.get_tracking_average()) == (0, 4)


def test_the_tracking_average_is_0_before_any_epoch_ends():
    assert Metric().get_tracking_average() == 0


def test_an_epoch_without_updates_is_tracked_as_0():
    metric = metric_with_epochs(4, kept=2)

    metric.reset_epoch()

    assert metric.get_tracking_average() == 2


def test_the_tracking_delta_is_the_newest_minus_the_oldest():
    metric = metric_with_epochs(100, 5, 9, 2, kept=3)

    assert metric.get_tracking_delta() == -3


def test_the_tracking_delta_is_0_until_all_epochs_are_there():
    metric = metric_with_epochs(5, 9, kept=3)

    assert metric.get_tracking_delta() == 0


@given(AVERAGES)
def test_the_tracking_stdev_is_the_sample_standard_deviation(averages):
    metric = metric_with_epochs(*averages, kept=len(averages))

    expected = statistics.stdev(averages)

    assert metric.get_tracking_stdev() == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_tracking_stdev_of_one_epoch_is_0():
    assert metric_with_epochs(5, kept=3).get_tracking_stdev() == 0


@pytest.mark.parametrize("averages", [(math.inf, -math.inf), (1e308, 1e308, -1e308)])
def test_a_diverged_metric_is_tracked_as_not_finite_instead_of_an_error(averages):
    metric = metric_with_epochs(*averages, kept=len(averages))

    metric.get_tracking_average()

    assert not math.isfinite(metric.get_tracking_stdev())


# --- MetricContainer


def test_metrics_are_items_and_attributes():
    container = MetricContainer(metrics=["a", "b"])

    assert container.a is container["a"]
    assert list(container) == ["a", "b"]


@pytest.mark.parametrize("name", ["track_average_epoc_count", "track_average_epoch_count"])
def test_all_metrics_track_as_many_epochs_as_the_container_says(name):
    container = MetricContainer(metrics=["a", "b"], **{name: 5})

    assert [m.track_average_epoc_count for m in container.values()] == [5, 5]


@pytest.mark.parametrize("name", ["track_average_epoc_count", "track_average_epoch_count"])
def test_a_group_can_track_differently_and_stand_beside_plain_names(name):
    groups = [{"metrics": ["a"]}, {"metrics": ["b", "c"], name: 10}, "d"]

    container = MetricContainer(metrics=groups, track_average_epoc_count=5)

    kept = {key: metric.track_average_epoc_count for key, metric in container.items()}
    assert kept == {"a": 5, "b": 10, "c": 10, "d": 5}


def test_a_container_may_start_empty():
    assert MetricContainer() == {}


def test_a_metric_can_be_added_as_an_attribute():
    container, metric = MetricContainer(["a"]), Metric()

    container.b = metric

    assert container["b"] is metric


def test_setting_anything_but_a_metric_by_attribute_is_refused():
    container = MetricContainer(["a"])

    with pytest.raises(TypeError, match="a must be a Metric, not float"):
        container.a = 0.5


def test_setting_anything_but_a_metric_by_item_is_refused():
    container = MetricContainer(["a"])

    with pytest.raises(TypeError, match="a must be a Metric, not int"):
        container["a"] = 1


def test_an_unknown_attribute_lists_the_known_metrics():
    container = MetricContainer(["a", "b"])

    with pytest.raises(AttributeError, match="no metric 'loss'; known metrics: a, b"):
        _ = container.loss


def test_an_unknown_item_lists_the_known_metrics():
    container = MetricContainer(["a", "b"])

    with pytest.raises(KeyError, match="no metric 'loss'; known metrics: a, b"):
        container["loss"]


@pytest.mark.parametrize("metrics", [["a", "a"], ["a", {"metrics": ["a"]}]])
def test_two_metrics_of_one_name_are_refused(metrics):
    with pytest.raises(ValueError, match="two metrics named 'a'"):
        MetricContainer(metrics)


@pytest.mark.parametrize("name", ["", 3, None])
def test_a_name_that_is_not_a_non_empty_string_is_refused(name):
    with pytest.raises(ValueError, match=f"non-empty string, got {name!r}"):
        MetricContainer([name])


@pytest.mark.parametrize("metrics", ["loss", {"metrics": ["a"]}, [{"metrics": "loss"}]])
def test_metrics_that_are_not_a_list_are_refused(metrics):
    with pytest.raises(TypeError, match="must be a list of names"):
        MetricContainer(metrics)


@pytest.mark.parametrize("group", [{"track_average_epoc_count": 2}, {"metrics": [], "kept": 2}])
def test_a_malformed_group_is_refused(group):
    with pytest.raises(ValueError, match="a group's keys"):
        MetricContainer([group])


def test_a_container_with_an_impossible_tracking_count_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        MetricContainer(["a"], track_average_epoch_count=0)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda container: pickle.loads(pickle.dumps(container))]
)
def test_a_container_can_be_copied_and_pickled(duplicate):
    container = MetricContainer(["a"])
    container.a.update(3)

    twin = duplicate(container)

    assert type(twin) is MetricContainer
    assert twin.a.avg() == 3


def test_reset_resets_all_metrics():
    container = MetricContainer(["a", "b"])
    container.a.update(1)
    container.b.update(2)

    container.reset()

    assert (container.a.count, container.b.count) == (0, 0)


def test_reset_resets_only_the_named_metrics():
    container = MetricContainer(["a", "b"])
    container.a.update(1)
    container.b.update(2)

    container.reset(["b"])

    assert (container.a.count, container.b.count) == (1, 0)


@pytest.mark.parametrize("name", ["reset_epoc", "reset_epoch"])
def test_reset_epoch_ends_the_epoch_of_the_named_metrics(name):
    container = MetricContainer(["a", "b"])
    container.a.update(1)
    container.b.update(2)

    getattr(container, name)(["b"])

    assert (container.a.epoch_count, container.b.epoch_count) == (1, 0)
    assert container.b.get_tracking_average() == 2


def test_a_metric_named_twice_ends_its_epoch_once():
    container = MetricContainer(["a"], track_average_epoch_count=2)
    container.a.update(2)

    container.reset_epoch(["a", "a"])

    assert container.a.get_tracking_average() == 2


@pytest.mark.parametrize("method", ["reset", "reset_epoch", "log_metrics"])
def test_an_unknown_name_lists_the_known_metrics_and_changes_nothing(method, messages):
    container = MetricContainer(["a", "b"])
    container.a.update(1)

    with pytest.raises(ValueError, match="no metric 'loss'; known metrics: a, b"):
        getattr(container, method)(["a", "loss"])

    assert (container.a.count, container.a.epoch_count, messages) == (1, 1, [])


# --- MetricContainer: the log


def test_log_metrics_logs_three_to_a_line_in_aligned_columns_and_returns_the_text(messages):
    container = MetricContainer(["loss", "accuracy", "f1", "learning_rate"])
    container.loss.update(12.5)
    container.accuracy.update(2, count=3)

    text = container.log_metrics()

    assert text == (
        "loss: 12.5000            accuracy: 0.6667         f1: 0.0000\nlearning_rate: 0.0000"
    )
    assert messages == [(text, True)]


def test_log_metrics_shows_the_named_metrics_in_the_containers_order(messages):
    container = MetricContainer(["a", "b", "c"])

    text = container.log_metrics(["c", "a"])

    assert text == "a: 0.0000    c: 0.0000"


def test_log_metrics_takes_one_name_without_a_list(messages):
    container = MetricContainer(["loss", "l"])

    text = container.log_metrics("loss")

    assert text == "loss: 0.0000"


def test_log_metrics_can_stay_out_of_the_log_file(messages):
    container = MetricContainer(["a"])

    container.log_metrics(log_to_file=False)

    assert messages == [("a: 0.0000", False)]


@pytest.mark.parametrize("name", ["complete_epoc", "complete_epoch"])
def test_log_metrics_of_an_epoch_shows_its_averages_only(name, messages):
    container = MetricContainer(["a"])
    container.a.update(1)
    container.reset_epoch()
    container.a.update(3)

    overall, of_epoch = container.log_metrics(), container.log_metrics(**{name: True})

    assert (overall, of_epoch) == ("a: 2.0000", "a: 3.0000")


# --- the module


def test_the_module_imports_nothing_heavy():
    code = (
        "import sys, mlpipeline.api.metrics;"
        "print(*{'typing', 'statistics', 'dataclasses'} & sys.modules.keys())"
    )
    root = Path(mlpipeline.__file__).parents[1]

    # -S: what the environment's own .pth files import is no concern of this module
    command = [sys.executable, "-S", "-c", code]
    result = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)

    assert result.stdout.split() == []
