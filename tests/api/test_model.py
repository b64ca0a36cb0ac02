"""Model and DataLoader: historic spellings, scripts without super().__init__(), and reports."""

import pytest

from mlpipeline import ExecutionModeKeys, ModeKeys, Versions, log_metrics
from mlpipeline.api.reporting import Reporter, install_reporter, reporter
from mlpipeline.helper import DataLoader, Dataloader, Model


class Recorder(Reporter):
    """Keeps what it is told."""

    def __init__(self):
        self.messages = []
        self.steps = []
        self.metrics_given = []

    def message(self, text, level, log_to_file):
        self.messages.append((text, level, log_to_file))

    def progress(self, step, total, metrics):
        self.steps.append((step, total, metrics))

    def at(self, step):
        self.metrics_given.append(step)

    def metrics(self, values, step):
        self.metrics_given.append((values, step))


class Historic(Model):
    """A model as old scripts have it: it never calls super().__init__()."""

    def __init__(self):
        self.layers = 3


@pytest.fixture
def recorder():
    recorder, before = Recorder(), reporter()
    install_reporter(recorder)
    yield recorder
    install_reporter(before)


# --- what the constructor takes


def test_a_model_keeps_what_it_is_made_with():
    versions = Versions()

    model = Model(versions, True, True)

    assert model.versions is versions
    assert (model.allow_delete_model_dir, model.reset_steps) == (True, True)


def test_a_model_deletes_and_resets_nothing_unless_told():
    model = Model(versions=Versions())

    assert (model.allow_delete_model_dir, model.reset_steps) == (False, False)


# --- without super().__init__()


def test_a_model_that_never_calls_super_has_every_attribute():
    model = Historic()

    assert (model.versions, model.current_version, model.dataloader) == (None, None, None)
    assert (model.name, model.model_dir, model.summary) == ("", "", "")
    assert (model.allow_delete_model_dir, model.reset_steps) == (False, False)


def test_a_model_that_never_calls_super_can_have_its_versions_as_an_attribute():
    model = Historic()

    model.versions = versions = Versions()

    assert model.versions is versions


def test_a_model_that_never_calls_super_can_log_and_summarise(recorder):
    model = Historic()

    model.log("ready")
    model.add_to_summery("three layers")

    assert recorder.messages == [("ready", "INFO", False)]
    assert model.summary == "three layers"


def test_the_summaries_of_two_models_stay_apart():
    first, second = Historic(), Historic()

    first.add_to_summary("first")

    assert second.summary == ""


# --- the methods a script may define


def test_every_method_that_is_not_defined_does_nothing(recorder):
    model = Historic()
    version = Versions().add("v")

    hooks = [
        model.pre_execution_hook(version=version, model_dir="d", exec_mode=ExecutionModeKeys.TEST),
        model.evaluate_model(None, 1),
        model.post_execution_hook(version=version, model_dir="d", exec_mode=ExecutionModeKeys.TEST),
    ]

    assert hooks == [None, None, None]
    assert recorder.messages == []


def test_training_and_cleaning_that_are_not_defined_are_pointed_out(recorder):
    model = Historic()

    model.train_model(None, 1)
    model.clean_model_dir("d")

    assert [(text.split()[0], level) for text, level, _ in recorder.messages] == [
        ("train_model", "WARNING"),
        ("clean_model_dir", "WARNING"),
    ]


def test_the_steps_of_a_checkpoint_are_unknown_unless_a_script_says_so():
    assert Historic().get_trained_step_count() is None


def test_the_current_version_is_the_one_that_the_pipeline_set():
    model = Historic()
    version = Versions().add("v")

    model.current_version = version

    assert model.get_current_version() is version


@pytest.mark.parametrize(
    "method",
    ["get_train_input", "get_test_input", "get_train_sample_count", "get_test_sample_count"],
)
def test_a_data_loader_says_which_method_it_lacks(method):
    class Digits(DataLoader):
        pass

    with pytest.raises(NotImplementedError, match=rf"Digits must define {method}\(self"):
        getattr(Digits(), method)()


def test_the_training_input_can_be_asked_for_with_either_kind_of_mode():
    class Digits(DataLoader):
        def get_train_input(self, mode=ModeKeys.TRAIN, **kwargs):
            return mode

    loader = Digits()

    asked = loader.get_train_input(), loader.get_train_input(mode=ExecutionModeKeys.TEST)

    assert asked == ("Train", "Test")


# --- summaries, and their historic spelling


def test_the_historic_class_name_is_the_same_class():
    assert Dataloader is DataLoader


@pytest.mark.parametrize("kind", [Historic, DataLoader])
@pytest.mark.parametrize("method", ["add_to_summary", "add_to_summery"])
def test_a_summary_has_a_line_for_each_thing_added(kind, method):
    thing = kind()

    getattr(thing, method)("one")
    getattr(thing, method)(2)

    assert thing.summary == thing.summery == "one\n2"


@pytest.mark.parametrize("kind", [Historic, DataLoader])
def test_a_summary_can_be_set_under_both_spellings(kind):
    historic, modern = kind(), kind()

    historic.summery = "text"
    modern.summary = "text"

    assert historic.summary == modern.summery == "text"


def test_a_class_can_have_its_summary_as_an_attribute():
    class Digits(DataLoader):
        summary = "handwritten"

    assert Digits().summery == "handwritten"


def test_a_class_can_have_its_summary_as_an_attribute_in_the_historic_spelling():
    class Digits(DataLoader):
        summery = "handwritten"

    assert Digits().get_dataloader_summary() == "handwritten"


@pytest.mark.parametrize("method", ["get_dataloader_summary", "get_dataloader_summery"])
def test_a_data_loader_tells_its_summary_under_both_spellings(method):
    loader = DataLoader()
    loader.add_to_summary("1797 digits")

    told = getattr(loader, method)()

    assert told == "1797 digits"


def test_a_data_loader_can_define_how_it_tells_its_summary():
    class Digits(DataLoader):
        def get_dataloader_summary(self):
            return "1797 digits"

    assert Digits().get_dataloader_summery() == "1797 digits"


# --- messages


@pytest.mark.parametrize("kind", [Historic, DataLoader])
def test_a_message_goes_to_the_log_only_when_asked(kind, recorder):
    thing = kind()

    thing.log("quiet")
    thing.log("loud", log_to_file=True, level="error")

    assert recorder.messages == [("quiet", "INFO", False), ("loud", "ERROR", True)]


def test_a_message_takes_further_historic_arguments(recorder):
    Historic().log("done", True, modifier_1="\033[1m", agent="Model")

    assert recorder.messages == [("\033[1mdone\033[0m", "INFO", True)]


# --- progress


def test_progress_reports_the_step_the_total_and_the_metrics(recorder):
    Historic().progress(3, 10, loss=0.5)

    assert recorder.steps == [(3, 10, {"loss": 0.5})]


def test_progress_without_a_total_leaves_it_to_the_pipeline(recorder):
    Historic().progress(3)

    assert recorder.steps == [(3, None, {})]


def test_track_yields_everything_and_reports_each_after_it_is_used(recorder):
    seen = []

    for item in Historic().track(["a", "b"]):
        seen.append((item, len(recorder.steps)))

    assert seen == [("a", 0), ("b", 1)]
    assert recorder.steps == [(1, 2, {}), (2, 2, {})]


def test_track_of_something_without_a_length_has_no_total(recorder):
    items = list(Historic().track(item for item in "ab"))

    assert items == ["a", "b"]
    assert recorder.steps == [(1, None, {}), (2, None, {})]


def test_track_takes_a_total(recorder):
    list(Historic().track((item for item in "ab"), total=5))

    assert [total for _, total, _ in recorder.steps] == [5, 5]


def test_track_does_not_report_what_a_loop_breaks_off_at(recorder):
    for item in Historic().track("abc"):
        if item == "b":
            break

    assert recorder.steps == [(1, 3, {})]


def test_a_script_that_is_run_by_hand_prints_its_messages_and_tracks_in_silence(capsys):
    model = Historic()

    model.log("by hand")
    list(model.track("ab"))

    assert capsys.readouterr().out == "by hand\n"


# --- metrics


def test_metrics_go_to_the_reporter_from_the_model_and_from_the_module(recorder):
    Historic().log_metrics({"loss": 0.5}, step=3)
    log_metrics({"loss": 0.25})

    assert recorder.metrics_given == [({"loss": 0.5}, 3), ({"loss": 0.25}, None)]


def test_track_says_which_step_metrics_are_of_before_it_is_done(recorder):
    model = Historic()

    for _ in model.track("ab"):
        model.log_metrics({"loss": 0.5})

    assert recorder.metrics_given == [1, ({"loss": 0.5}, None), 2, ({"loss": 0.5}, None)]
    assert recorder.steps == [(1, 2, {}), (2, 2, {})]
