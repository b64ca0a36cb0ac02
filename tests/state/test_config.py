"""mlp.config and the lists of models: what they say, and what is said when they are wrong."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlpipeline.core.narrowing import choose_versions
from mlpipeline.errors import ConfigError
from mlpipeline.state import machine
from mlpipeline.state.config import read_settings
from mlpipeline.state.files_below import files_below, model_files
from mlpipeline.state.ini import IniFile
from mlpipeline.state.lists import ListText, read_list

WHITELIST = "[WHITELISTED_MODELS]\n"


@pytest.fixture
def project(tmp_path):
    """A project with the scripts a.py, b.py and sub/c.py."""
    for script in ("a.py", "b.py", "sub/c.py"):
        path = tmp_path / "models" / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.fixture
def settings_of(project):
    def read(text):
        (project / "mlp.config").write_text(text)
        return read_settings(project)

    return read


@pytest.fixture
def list_of(project):
    def read(text):
        content = text if isinstance(text, bytes) else text.encode()
        (project / "models.config").write_bytes(content)
        return read_list(ListText.read(project / "models.config"), project / "models")

    return read


def paths(models):
    return [entry.path for entry in models.entries]


def narrowings(models):
    return [entry.narrowing for entry in models.entries]


def complaint(read, text):
    """The error of reading ``text``: the message after the file's name, and the remedy."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    file, said = str(caught.value).split(".config", 1)
    assert file.endswith(("mlp", "models"))
    return said, caught.value.remedy


# --- mlp.config


def test_settings_that_are_not_given_have_defaults(settings_of, project):
    settings = settings_of("[MLP]\nmodels_dir = models\n")

    assert settings.models_dir == project / "models"
    assert (settings.parallel, settings.retries) == (1, 0)
    assert (settings.grace, settings.inspect_timeout) == (30, 60)
    assert settings.warnings == ()


def test_settings_are_numbers_of_their_own_kind(settings_of):
    settings = settings_of(
        "[MLP]\nmodels_dir = models\nparallel = 4\ngrace = 0\nretries = 2\ninspect_timeout = .5\n"
    )

    assert (settings.parallel, settings.retries) == (4, 2)
    assert (settings.grace, settings.inspect_timeout) == (0, 0.5)


def test_what_the_host_has_is_for_the_machine_to_say_unless_it_is_set(settings_of):
    text = "cpus = 4\nmemory = 12.5\ngpus = 1, GPU-8a7e\ngpu_free_memory = 50"
    usual = settings_of("[MLP]\nmodels_dir = models\ncpus = auto\ngpus = auto\n")
    told = settings_of(f"[MLP]\nmodels_dir = models\n{text}\n")
    without = settings_of("[MLP]\nmodels_dir = models\ngpus = none\n")

    assert (usual.cpus, usual.memory, usual.gpus, usual.gpu_free_memory) == (None, None, None, 90)
    assert (told.cpus, told.memory, told.gpus) == (4, 12.5, ("1", "GPU-8a7e"))
    assert told.gpu_free_memory == 50
    assert without.gpus == ()


def test_a_log_is_kept_whole_up_to_a_gigabyte_unless_it_is_said_otherwise(settings_of):
    usual = settings_of("[MLP]\nmodels_dir = models\n")
    told = settings_of("[MLP]\nmodels_dir = models\nconsole_limit = 0.05\n")
    without = settings_of("[MLP]\nmodels_dir = models\nconsole_limit = none\n")

    limits = [settings.console_limit for settings in (usual, told, without)]
    assert limits == [1.0, 0.05, 0.0]


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("0", "the default is console_limit = 1; none keeps all"),
        ("-1", "the default is console_limit = 1"),
        ("nan", "the default is"),
        ("inf", "the default is"),
        ("", "the default is"),
        ("much", "the default is"),
        ("1..5 GB", "the default is"),
        ("50 MB", "write console_limit = 0.05"),
        ("2GiB", "write console_limit = 2"),
        ("100k", "write console_limit = 0.0001"),
    ],
)
def test_a_limit_of_the_log_that_is_none_is_an_error_with_a_remedy(value, remedy, settings_of):
    message, advice = complaint(
        settings_of, f"[MLP]\nmodels_dir = models\nconsole_limit = {value}\n"
    )

    said = f":3: console_limit is {value!r}, neither none nor a number of GB above 0"
    assert message.startswith(said)
    assert remedy in advice


@pytest.mark.parametrize(
    ("line", "said", "remedy"),
    [
        ("cpus = 0", "cpus is '0', neither auto nor a number above 0", "cpus = auto"),
        ("memory = 16GB", "memory is '16GB', neither auto nor a number", "memory = auto"),
        ("gpus = 2x", "gpus is '2x', neither auto, none nor a list", "gpus = 0, 1"),
        (
            "gpus = 0, 0",
            "gpus is '0, 0', neither auto, none nor a list of different",
            "gpus = 0, 1",
        ),
        ("gpus =", "gpus is '', neither auto, none nor a list", "gpus = 0, 1"),
        ("gpus = -1", "gpus is '-1', neither auto, none nor a list", "nvidia-smi -L"),
    ],
)
def test_a_host_that_is_no_host_is_an_error_with_a_remedy(line, said, remedy, settings_of):
    message, advice = complaint(settings_of, f"[MLP]\nmodels_dir = models\n{line}\n")

    assert message.startswith(f":3: {said}")
    assert remedy in advice


def test_parallel_auto_is_a_run_for_each_cpu(settings_of):
    settings = settings_of("[MLP]\nmodels_dir = models\nparallel = auto\n")

    assert settings.parallel == machine.cpu_count()


@pytest.mark.parametrize("text", ["./models", "models/", "x/../models", "models # here"])
def test_models_dir_is_relative_to_the_project_in_its_normal_form(text, settings_of, project):
    assert settings_of(f"[MLP]\nmodels_dir = {text}\n").models_dir == project / "models"


def test_models_dir_can_be_absolute(settings_of, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    assert settings_of(f"[MLP]\nmodels_dir = {elsewhere}\n").models_dir == elsewhere


def test_models_dir_can_be_in_the_home_folder(settings_of, project, monkeypatch):
    monkeypatch.setenv("HOME", str(project))

    assert settings_of("[MLP]\nmodels_dir = ~/models\n").models_dir == project / "models"


def test_a_percent_sign_is_nothing_special(settings_of, project):
    (project / "100%(x)s").mkdir()

    assert settings_of("[MLP]\nmodels_dir = 100%(x)s\n").models_dir.name == "100%(x)s"


def test_a_project_without_settings_is_told_how_to_make_them(project):
    with pytest.raises(ConfigError, match=r"mlp\.config: there is no such file; .*mlpipeline init"):
        read_settings(project)


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("[MLP]\n", ":1: [MLP] has no models_dir", "models_dir = models"),
        ("[MLP]\nmodels_dir\n", ":2: [MLP] has no models_dir", "models_dir = models"),
        ("[MLP]\nmodels_dir =\n", ":2: [MLP] has no models_dir", "models_dir = models"),
        ("[mlp]\nmodels_dir = models\n", ":1: it has no section [MLP]", "put a heading [MLP]"),
        ("[MLP]\n\nmodels_dir = modls\n", ":3: models_dir modls is not a folder", "make it"),
    ],
)
def test_a_models_dir_that_is_missing_is_an_error(text, said, remedy, settings_of):
    message, advice = complaint(settings_of, text)

    assert message.startswith(said)
    assert remedy in advice


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("parallel = 0", "parallel is '0', neither auto nor a whole number of at least 1"),
        ("parallel = 1.5", "parallel is '1.5', neither auto nor a whole number of at least 1"),
        ("parallel = many", "parallel is 'many', neither auto nor a whole number of at least 1"),
        ("parallel =", "parallel is '', neither auto nor a whole number of at least 1"),
        ("retries = -1", "retries is '-1', not a whole number of at least 0"),
        ("grace = -1", "grace is '-1', not a number of at least 0"),
        ("grace = nan", "grace is 'nan', not a number of at least 0"),
        ("grace = inf", "grace is 'inf', not a number of at least 0"),
        ("inspect_timeout = 0", "inspect_timeout is '0', not a number of at least 0.1"),
    ],
)
def test_a_number_that_is_none_or_too_small_is_an_error_with_the_default(line, said, settings_of):
    message, advice = complaint(settings_of, f"[MLP]\nmodels_dir = models\n{line}\n")

    assert message.startswith(f":3: {said}")
    assert f"the default is {line.split()[0]} = " in advice


def test_an_option_without_a_value_is_an_error_and_not_called_none(settings_of):
    message, _ = complaint(settings_of, "[MLP]\nmodels_dir = models\nparallel\n")

    assert message.startswith(":3: parallel")
    assert "None" not in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[MLP]\nmodels_dir = models\nparalel = 2\n", ":3: unknown key paralel (did you mean par"),
        ("[MLP]\nmodels_dir = models\nzzz = 2\n", ":3: unknown key zzz"),
        ("[MLP]\nmodels_dir = models\n[MLO]\n", ":3: unknown section [MLO] (did you mean MLP?)"),
        ("[MLP]\nmodels_dir = models\n[zzz]\n", ":3: unknown section [zzz]"),
        ("[MLP]\nmodels_dir = models\n[mlp]\n", ":3: unknown section [mlp] (did you mean MLP?)"),
    ],
)
def test_what_is_unknown_is_a_warning_with_the_nearest_that_is_known(text, said, settings_of):
    (warning,) = settings_of(text).warnings

    assert f"mlp.config{said}" in warning
    assert "zzz" not in said or "did you mean" not in warning


# --- the list: what it says


def test_the_whitelisted_models_are_listed_in_the_order_of_the_file(list_of, project):
    models = list_of(f"[MLP]\nuse_blacklist = false\n{WHITELIST}b.py\nsub/c.py\n\na.py\n")

    assert paths(models) == ["b.py", "sub/c.py", "a.py"]
    assert [entry.line for entry in models.entries] == [4, 5, 7]
    assert narrowings(models) == [None, None, None]
    assert (models.path, models.blacklist) == (project / "models.config", False)


def test_the_blacklist_counts_only_when_it_is_used(list_of):
    text = f"[MLP]\nuse_blacklist = {{}}\n{WHITELIST}a.py\n[BLACKLISTED_MODELS]\nb.py\n"

    black, white = list_of(text.format("true")), list_of(text.format("false"))

    assert (paths(black), black.blacklist) == (["b.py"], True)
    assert (paths(white), white.blacklist) == (["a.py"], False)


@pytest.mark.parametrize(
    ("word", "used"),
    [(word, True) for word in ("1", "yes", "true", "on", "True", "YES")]
    + [(word, False) for word in ("0", "no", "false", "off", "False", "NO")],
)
def test_use_blacklist_takes_the_usual_words(word, used, list_of):
    assert list_of(f"[MLP]\nuse_blacklist = {word}\n").blacklist == used


def test_a_list_may_have_no_entries(list_of):
    assert list_of(WHITELIST).entries == ()


def test_a_path_is_kept_in_its_normal_form(list_of):
    models = list_of(f"{WHITELIST}./a.py\nsub/../b.py\nsub//c.py\n")

    assert paths(models) == ["a.py", "b.py", "sub/c.py"]


def test_a_link_that_stays_in_models_dir_is_a_model_file(list_of, project):
    (project / "models" / "link.py").symlink_to("sub/c.py")

    assert paths(list_of(f"{WHITELIST}link.py\n")) == ["link.py"]


def test_models_dir_may_itself_be_a_link(project, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "models"
    link.symlink_to(project / "models")
    (project / "models.config").write_text(f"{WHITELIST}a.py\n")

    assert paths(read_list(ListText.read(project / "models.config"), link)) == ["a.py"]


def test_comments_stand_alone_or_after_a_blank(list_of):
    models = list_of(f"# top\n{WHITELIST}# a.py\n; b.py\na.py # why\nb.py = v # why\n")

    assert paths(models) == ["a.py", "b.py"]
    assert narrowings(models) == [None, "v"]


def test_a_hash_inside_a_word_begins_no_comment(list_of, project):
    (project / "models" / "a#1.py").touch()

    models = list_of(f"{WHITELIST}a#1.py = run#2\n")

    assert (paths(models), narrowings(models)) == (["a#1.py"], ["run#2"])


@pytest.mark.parametrize("text", ["a.py = lr=0.1,b:c", "a.py: lr=0.1,b:c", "a.py=lr=0.1,b:c"])
def test_only_the_first_divider_of_a_line_divides(text, list_of):
    models = list_of(f"{WHITELIST}{text}\n")

    assert (paths(models), narrowings(models)) == (["a.py"], ["lr=0.1,b:c"])


def test_a_narrowing_can_go_over_several_indented_lines(list_of):
    models = list_of(f"{WHITELIST}a.py = lr=0.1,\n    lr=0.2\n\tlr=0.3\nb.py =\n  v\n")

    assert paths(models) == ["a.py", "b.py"]
    assert choose_versions(models.entries[0].narrowing, ["lr=0.1", "lr=0.2", "lr=0.3"]) == (
        ["lr=0.1", "lr=0.2", "lr=0.3"],
        [],
    )
    assert choose_versions(models.entries[1].narrowing, ["v"]) == (["v"], [])


def test_a_line_of_a_narrowing_can_be_commented_out(list_of):
    models = list_of(f"{WHITELIST}a.py =\n    lr=0.1\n    # lr=0.2\n    lr=0.3\nb.py\n")

    assert paths(models) == ["a.py", "b.py"]
    assert choose_versions(models.entries[0].narrowing, ["lr=0.1", "lr=0.2", "lr=0.3"]) == (
        ["lr=0.1", "lr=0.3"],
        [],
    )


def test_the_entries_may_be_indented_alike(list_of):
    assert paths(list_of(f"{WHITELIST}  a.py\n  b.py\n")) == ["a.py", "b.py"]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_list_may_begin_with_a_byte_order_mark_and_have_windows_line_ends(ends, list_of):
    text = f"{WHITELIST}a.py\nb.py = v\n".replace("\n", ends)

    models = list_of(b"\xef\xbb\xbf" + text.encode())

    assert (paths(models), narrowings(models)) == (["a.py", "b.py"], [None, "v"])


def test_names_need_not_be_ascii(list_of, project):
    (project / "models" / "größe.py").touch()

    assert paths(list_of(f"{WHITELIST}größe.py\n")) == ["größe.py"]


# --- the list: what is wrong with it


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("\n\n/a.py\n", ":4: /a.py is absolute", "write it relative to"),
        ("../a.py\n", ":2: ../a.py leaves models_dir", "move the file into"),
        ("sub/../../a.py\n", ":2: sub/../../a.py leaves models_dir", "move the file into"),
        ("out.py\n", ":2: out.py leaves models_dir", "move the file into"),
        ("linked/x.py\n", ":2: linked/x.py leaves models_dir", "move the file into"),
        ("aa.py\n", ":2: aa.py does not exist in ", "correct the name (did you mean a.py?)"),
        ("A.py\n", ":2: A.py does not exist in ", "correct the name (did you mean a.py?)"),
        ("sub\n", ":2: sub does not exist in ", "correct the name"),
        ("notes.txt\n", ":2: notes.txt is not a model file", "model files end in .py"),
        ("a.py\n\na.py\n", ":4: a.py is there twice", "remove one line"),
        ("./a.py\nb.py\na.py\n", ":4: a.py is the same file as line 2", "remove one line"),
        ("a.py\na.py = v\n", ":3: a.py is there twice", "remove one line"),
    ],
)
def test_a_path_that_is_no_model_file_of_its_own_is_an_error(
    text, said, remedy, list_of, project, tmp_path_factory
):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x.py").touch()
    (project / "models" / "out.py").symlink_to(outside / "x.py")
    (project / "models" / "linked").symlink_to(outside)
    (project / "models" / "notes.txt").touch()

    message, advice = complaint(list_of, WHITELIST + text)

    assert message.startswith(said)
    assert remedy in advice


@pytest.mark.parametrize("path", ["a.py\0", "loop.py", f"{'x' * 300}.py"])
def test_a_path_that_no_file_can_have_is_an_error_too(path, list_of, project):
    (project / "models" / "loop.py").symlink_to("loop.py")

    message, advice = complaint(list_of, f"{WHITELIST}a.py\n{path}\n")

    assert message.startswith(":3: ")
    assert advice


@pytest.mark.parametrize(
    ("value", "shown"), [("= maybe", "'maybe'"), ("= 2", "'2'"), ("=", "''"), ("", "")]
)
def test_use_blacklist_that_is_neither_true_nor_false_is_an_error(value, shown, list_of):
    message, advice = complaint(list_of, f"[MLP]\nuse_blacklist {value}\n{WHITELIST}a.py\n")

    assert message.startswith(":2: use_blacklist is ")
    assert shown in message
    assert "None" not in message
    assert "use_blacklist = true" in advice


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("", ": it is empty", "[WHITELISTED_MODELS]"),
        ("# nothing yet\n", ": it is empty", "[WHITELISTED_MODELS]"),
        ("\na.py\n", ":2: 'a.py' stands before any section", "put a heading"),
        ("[MLP\n", ":1: '[MLP' stands before any section", "put a heading"),
        (f"{WHITELIST}a.py\n= v\n", ":3: ", ""),
        (f"{WHITELIST}a.py\n{WHITELIST}", ":3: section [WHITELISTED_MODELS] is there twice", "one"),
        (b"[MLP]\n# caf\xe9\n", ":2: not UTF-8 text", "save it as UTF-8"),
        ("[MLP]\n".encode("utf-16"), ":1: not UTF-8 text", "save it as UTF-8"),
    ],
)
def test_what_is_not_an_ini_file_is_an_error_with_its_line(text, said, remedy, list_of):
    message, advice = complaint(list_of, text)

    assert message.startswith(said)
    assert advice
    assert remedy in advice
    assert "\\n" not in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a.py\n  b.py\n", 3),
        ("a.py = v\nb.py\n  sub/c.py\n", 4),
        ("  a.py\n    b.py\n", 3),
        ("# my models\n  a.py\n  b.py\n    sub/c.py\n", 5),
        ("a.py # lr: high\n  b.py\n", 3),
    ],
)
def test_an_indented_line_after_an_entry_without_a_value_is_an_error(text, line, list_of):
    message, advice = complaint(list_of, WHITELIST + text)

    assert message.startswith(f":{line}: an indented line follows an entry that has no value")
    assert advice == "remove the spaces at its start"


@pytest.mark.parametrize("character", ["\f", "\u2028"])
def test_only_a_line_feed_counts_as_a_line(character, list_of):
    message, _ = complaint(list_of, f"# one{character}line\n{WHITELIST}missing.py\n")

    assert message.startswith(":3: missing.py does not exist")


def test_a_list_that_does_not_exist_is_an_error(project):
    with pytest.raises(ConfigError, match=r"models\.config: there is no such file; .*init"):
        read_list(ListText.read(project / "models.config"), project / "models")


def test_a_list_that_is_a_folder_is_an_error(project):
    (project / "models.config").mkdir()

    with pytest.raises(ConfigError, match=r"models\.config: can't be read: Is a dir"):
        read_list(ListText.read(project / "models.config"), project / "models")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"[MLP]\nuse_blacklst = true\n{WHITELIST}", ":2: unknown key use_blacklst (did you mean"),
        (
            f"{WHITELIST}[BLACKLIST_MODELS]\na.py\n",
            ":2: unknown section [BLACKLIST_MODELS] (did you mean BLACK",
        ),
        ("[MLP]\n[blacklisted_models]\n", ":2: unknown section [blacklisted_models] (did you mean"),
        (f"[DEFAULT]\n{WHITELIST}a.py\n", ":1: unknown section [DEFAULT]"),
    ],
)
def test_what_is_unknown_in_a_list_is_a_warning_with_the_nearest(text, said, list_of):
    (warning,) = list_of(text).warnings

    assert f"models.config{said}" in warning


def test_a_section_called_default_lists_nothing(list_of):
    assert paths(list_of(f"[DEFAULT]\nb.py\n{WHITELIST}a.py\n")) == ["a.py"]


# --- [PRIORITIES]


def test_a_priority_is_a_models_own_wherever_the_section_stands(list_of):
    text = f"[PRIORITIES]\n./sub/c.py = 10\nb.py: -1\n{WHITELIST}a.py\nb.py\nsub/c.py\n"
    models = list_of(text)

    assert models.priorities == {"sub/c.py": 10, "b.py": -1}
    assert paths(models) == ["a.py", "b.py", "sub/c.py"]


def test_a_priority_of_a_model_that_is_not_listed_now_is_no_mistake(list_of):
    assert list_of(f"{WHITELIST}a.py\n[PRIORITIES]\nb.py = 5\n").warnings == ()


def test_a_priority_of_no_model_is_a_warning_with_the_nearest(list_of):
    (warning,) = list_of(f"{WHITELIST}a.py\n[PRIORITIES]\nsub/d.py = 5\n").warnings

    assert "models.config:4: [PRIORITIES] names sub/d.py, which is no model" in warning
    assert "did you mean sub/c.py?" in warning


@pytest.mark.parametrize("line", ["a.py", "a.py = high", "a.py = 1.5", "a.py ="])
def test_a_priority_that_is_no_whole_number_is_an_error_with_a_remedy(line, list_of):
    message, advice = complaint(list_of, f"{WHITELIST}a.py\n[PRIORITIES]\n{line}\n")

    assert message.startswith(":4: the priority of a.py is ")
    assert "write a.py = 10" in advice


def test_a_misspelt_heading_of_priorities_is_a_warning_with_the_right_one(list_of):
    (warning,) = list_of(f"{WHITELIST}a.py\n[PRIORITY]\na.py = 5\n").warnings

    assert "unknown section [PRIORITY] (did you mean PRIORITIES?)" in warning


# --- model_files


def test_the_model_files_are_the_scripts_below_models_dir_in_path_order(project):
    models = project / "models"
    (models / "sub" / "deep").mkdir()
    for name in ("z.py", "B.py", "sub/deep/d.py", "sub/outputs.py"):
        (models / name).touch()

    files = model_files(files_below(models))

    assert files == ["B.py", "a.py", "b.py", "sub/c.py", "sub/deep/d.py", "sub/outputs.py", "z.py"]


def test_helpers_hidden_files_outputs_and_other_files_are_no_models(project):
    models = project / "models"
    for name in ("_help.py", ".hidden.py", "notes.txt", "x.pyc", "outputs/o.py", "sub/_h.py"):
        (models / name).parent.mkdir(exist_ok=True)
        (models / name).touch()
    for folder in ("_private", ".git", "__pycache__"):
        (models / folder).mkdir()
        (models / folder / "x.py").touch()

    assert model_files(files_below(models)) == ["a.py", "b.py", "sub/c.py"]


def test_only_the_outputs_of_models_dir_itself_are_left_out(project):
    (project / "models" / "sub" / "outputs").mkdir()
    (project / "models" / "sub" / "outputs" / "x.py").touch()

    assert "sub/outputs/x.py" in model_files(files_below(project / "models"))


def test_a_folder_called_like_a_script_is_none(project):
    (project / "models" / "folder.py").mkdir()

    assert model_files(files_below(project / "models")) == ["a.py", "b.py", "sub/c.py"]


# --- choose_versions


def test_versions_are_chosen_in_the_order_they_are_written():
    assert choose_versions("c, a", ["a", "b", "c"]) == (["c", "a"], [])


@pytest.mark.parametrize("text", ["a,b", "a , b", "a\nb", "a,\nb", ",a,,b,", "\na\n\nb\n"])
def test_names_are_divided_by_commas_and_line_ends(text):
    assert choose_versions(text, ["a", "b"]) == (["a", "b"], [])


def test_a_name_may_have_commas():
    known = ["lr=0.1,depth=2", "lr=0.1,depth=3"]

    assert choose_versions("lr=0.1,depth=3, lr=0.1,depth=2", known) == (known[::-1], [])


@pytest.mark.parametrize("text", ["lr=0.1,depth=2", "lr=0.1 ,  depth=2", " lr=0.1, depth=2 "])
def test_blanks_around_a_names_commas_do_not_matter(text):
    assert choose_versions(text, ["lr=0.1, depth=2"]) == (["lr=0.1, depth=2"], [])


def test_the_longest_known_name_wins():
    known = ["a", "b", "a,b"]

    assert choose_versions("a, b, a", known) == (["a,b", "a"], [])


def test_a_name_written_twice_is_chosen_once():
    assert choose_versions("a, b, a", ["a", "b"]) == (["a", "b"], [])


def test_unknown_names_are_told_apart():
    assert choose_versions("a, x, b, y z", ["a", "b"]) == (["a", "b"], ["x", "y z"])


def test_half_of_a_name_with_a_comma_is_unknown():
    assert choose_versions("lr=0.1", ["lr=0.1,depth=2"]) == ([], ["lr=0.1"])


@pytest.mark.parametrize("text", ["", " ", ",", "\n"])
def test_nothing_written_chooses_nothing(text):
    assert choose_versions(text, ["a"]) == ([], [])


def test_a_list_of_very_many_names_is_read():
    known = [f"lr={number},depth={depth}" for number in range(5_000) for depth in (2, 3)]

    assert choose_versions(", ".join(known), known) == (known, [])
    assert choose_versions(", ".join(known), ["a", "b,c"]) == (
        [],
        [piece for name in known for piece in name.split(",")],
    )


def pieces(name):
    return [piece.strip() for piece in name.split(",")]


def are_told_apart(names):
    """Whether no name, cut at its commas, begins another: what a list of them needs."""
    cut = sorted(map(pieces, names))
    return all(after[: len(name)] != name for name, after in pairwise(cut))


# Version names as Versions.add takes them; few letters, so that names begin alike.
TEXTS = st.text(st.sampled_from("ab,= :") | st.characters(exclude_categories=["C", "Z"]))
NAMES = st.lists(
    TEXTS.filter(lambda name: name.strip() and name.isprintable()), unique=True
).filter(are_told_apart)


@given(NAMES, st.randoms(use_true_random=False))
@example(["lr=0.1,depth=2", "lr=0.1,depth=3"], None)
@example([" a ", "b ,c"], None)
@example([",", "a,,"], None)
def test_names_that_are_joined_by_commas_are_read_back(names, random):
    known = list(names)
    if random:
        random.shuffle(known)

    assert choose_versions(", ".join(names), known) == (names, [])


@given(NAMES.filter(lambda names: not any("#" in name for name in names)))
def test_names_that_are_written_in_a_list_are_read_back(names):
    ini = IniFile(None, f"[S]\na.py = {', '.join(names)}\n")

    assert choose_versions(ini.options("S")["a.py"], names) == (names, [])


@given(st.lists(TEXTS, max_size=6), st.text())
def test_whatever_is_written_every_piece_is_chosen_unknown_or_empty(known, text):
    chosen, unknown = choose_versions(text, known)

    assert set(chosen) <= set(known)
    assert len(set(chosen)) == len(chosen)
    assert set(unknown) <= {piece.strip() for piece in text.replace("\n", ",").split(",")}
    assert all(unknown)


# --- [NOTIFY]

PROJECT = "[MLP]\nmodels_dir = models\n[NOTIFY]\n"


def test_without_its_section_nothing_is_sent(settings_of):
    assert settings_of("[MLP]\nmodels_dir = models\n").notify is None


def test_with_a_target_failures_and_the_empty_queue_are_told(settings_of):
    notify = settings_of(PROJECT + "command = true\n").notify

    assert notify.on == {"failed", "empty"}
    assert (notify.command, notify.urls, notify.metric) == ("true", (), "")
    assert (notify.lines, notify.timeout) == (20, 60)


def test_a_command_may_have_several_lines(settings_of):
    text = "command = if true\n  then echo yes\n  fi\non = best\nlines = 0\ntimeout = .5\n"

    notify = settings_of(PROJECT + text).notify

    assert notify.command == "if true\nthen echo yes\nfi"
    assert (notify.on, notify.lines, notify.timeout) == ({"best"}, 0, 0.5)


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("slack://a/b", ["slack://a/b"]),
        ("slack://a, json://b", ["slack://a", "json://b"]),
        ("\n  slack://a\n  json://b", ["slack://a", "json://b"]),
        ("mailto://u:p@h?to=a@b,c@d,json://b", ["mailto://u:p@h?to=a@b,c@d", "json://b"]),
        ("$CHAT_URL, ${OTHER}", ["$CHAT_URL", "${OTHER}"]),
    ],
)
def test_addresses_are_divided_by_commas_and_line_ends(text, urls, settings_of):
    assert list(settings_of(PROJECT + f"url = {text}\n").notify.urls) == urls


def test_a_section_without_a_target_warns(settings_of):
    settings = settings_of(PROJECT + "on = failed\n")

    assert settings.notify is None
    (warning,) = settings.warnings
    assert "mlp.config:3: [NOTIFY] has neither a command nor a url" in warning


def test_unknown_keys_of_the_section_are_warned_of(settings_of):
    settings = settings_of(PROJECT + "command = true\nuri = json://x\n[NOTIFI]\n")

    assert [warning.partition(".config")[2] for warning in settings.warnings] == [
        ":5: unknown key uri (did you mean url?)",
        ":6: unknown section [NOTIFI] (did you mean NOTIFY?)",
    ]


@pytest.mark.parametrize(
    ("line", "said", "remedy"),
    [
        ("on = fail", "on names 'fail', which is no occasion (did you mean failed?)", "failed, em"),
        ("lines = -1", "lines is '-1', not a whole number of at least 0", "lines = 20"),
        ("timeout = 0", "timeout is '0', not a number of at least 0.1", "timeout = 60"),
        ("url = hush", "url is not of the form service://…", "one address a line"),
    ],
)
def test_a_wrong_value_of_the_section_is_an_error(line, said, remedy, settings_of):
    message, advice = complaint(settings_of, PROJECT + line)

    assert message.startswith(f":4: {said}")
    assert remedy in advice


def test_an_address_is_never_shown(settings_of):
    message, advice = complaint(settings_of, PROJECT + "url = json://hush, hu:sh secret\n")
    settings = settings_of(PROJECT + "url = json://user:secret@hush\ncommand = secret\n")

    assert "secret" not in message + advice
    assert "hush" not in message + advice
    assert "secret" not in repr(settings)
