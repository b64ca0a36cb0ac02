"""Pipelines of steps: in order of their data, reused where nothing has changed, kept apart."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from pipelines import PREPARE, STEPS, TRAIN, component, count, flow, part, program, two_steps
from terminal import Terminal

from mlpipeline.execution import trees

PYTHON = sys.executable


@pytest.fixture
def two(project):
    return two_steps(project)


def artifact(project, version, name, attempt=1, model="flow"):
    return project.outputs / "artifacts" / model / version / str(attempt) / name


def test_steps_run_in_the_order_of_their_data_one_version_for_each_value_they_depend_on(two):
    done = two.run("-r", "-u")

    assert done.returncode == 0, done.stdout + done.stderr
    assert two.started() == ["flow/prepare#1", "flow/train,lr=0.5#1", "flow/train,lr=0.25#1"]
    assert set(two.outcomes().values()) == {"succeeded"}
    assert artifact(two, "train,lr=0.5", "model").read_text() == "1.5"
    made = artifact(two, "prepare", "dataset").iterdir()
    assert sorted(each.name for each in made) == ["0.txt", "1.txt", "2.txt"]


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_a_record_says_what_was_read_from_which_run_and_what_was_made(project, start):
    two_steps(project, start=start)

    project.run("-r", "-u")

    prepared, trained = project.record("flow", "prepare"), project.record("flow", "train,lr=0.5")
    dataset = prepared["artifacts"]["dataset"]
    assert (dataset["type"], dataset["size"], dataset["files"]) == ("Dataset", 3, 3)
    assert prepared["outputs"] == {"rows": 3}
    assert trained["inputs"]["data"] == [
        {"from": "flow/prepare#1", "output": "dataset", "sha256": dataset["sha256"]}
    ]
    assert trained["inputs"]["rows"][0]["value"] == 3
    assert trained["results"] == {"accuracy": 0.5}
    assert (trained["step"], prepared["step"]) == ("train", "prepare")
    assert trained["pipeline"] == prepared["pipeline"]
    assert len(trained["pipeline"]) == 8


def test_what_is_the_same_is_not_executed_again_and_the_rest_is(two):
    two.run("-r", "-u")
    flow(two, grid={"lr": [0.5, 0.125]})
    (two.folder / "models.config").touch()

    two.run("-r", "-u")
    two.run("-r")  # without -u all is run again, as far as there is something to do

    assert count(two, "prepared") == 1
    assert (two.folder / "trained").read_text() == "0.5 0.25 0.125 "
    assert two.outcomes()["flow/prepare#2"] == "succeeded cached: made by flow/prepare#1"
    assert artifact(two, "prepare", "dataset", 2).resolve() == artifact(two, "prepare", "dataset")
    assert two.record("flow", "train,lr=0.5", 2)["cached"] == "flow/train,lr=0.5#1"
    assert two.record("flow", "train,lr=0.5", 2)["results"] == {"accuracy": 0.5}


def test_a_changed_step_queues_all_after_it_and_what_comes_out_the_same_goes_no_further(two):
    two.run("-r", "-u")
    changed = component(
        [PYTHON, "prepare.py"],
        [("size", "Integer")],
        [("dataset", "Dataset"), ("rows", "Integer")],
        [*({"outputPath": "dataset"}, {"outputPath": "rows"}, {"inputValue": "size"}), "--new"],
    )
    part(two, "prepare", changed)

    two.run("-r", "-u")

    outcomes = two.outcomes()
    assert outcomes["flow/prepare#2"] == "succeeded"
    assert outcomes["flow/train,lr=0.5#2"] == "succeeded cached: made by flow/train,lr=0.5#1"
    assert (count(two, "prepared"), count(two, "trained")) == (2, 2)


def test_an_edited_program_is_executed_when_it_is_retried_and_so_is_what_a_person_orders(two):
    two.run("-r", "-u")
    program(two, "train.py", TRAIN + "\n# another one\n")

    assert "script changed" in two.run("status").stdout
    two.run("retry", "--changed")
    two.run("-r", "-u")
    assert (count(two, "prepared"), count(two, "trained")) == (1, 4)

    two.run("retry", "flow/prepare")
    two.run("-r", "-u")
    assert count(two, "prepared") == 2


def test_what_lies_beside_the_program_counts_as_its_code(two):
    program(two, "helper.py", "x = 1")
    two.run("-r", "-u")
    program(two, "helper.py", "x = 2")

    two.run("-r")

    assert (count(two, "prepared"), count(two, "trained")) == (2, 4)


def test_without_the_cache_steps_are_executed(project):
    steps = {**STEPS, "prepare": {**STEPS["prepare"], "cache": False}}
    two_steps(project, steps=steps)

    project.run("-r")
    project.run("-r")

    assert (count(project, "prepared"), count(project, "trained")) == (2, 2)


@pytest.mark.parametrize("damage", ["deleted", "cut", "changed", "index deleted", "index cut"])
def test_what_was_made_is_only_reused_as_it_was_made(two, damage):
    two.run("-r", "-u")
    file = artifact(two, "prepare", "dataset") / "1.txt"
    made = two.outputs / "artifacts" / ".made"
    if damage == "deleted":
        shutil.rmtree(file.parent)
    elif damage == "cut":
        file.write_text("")
    elif damage == "changed":
        file.write_text("7")
    elif damage == "index deleted":
        shutil.rmtree(made)
    else:
        for path in made.glob("*/*"):
            path.write_bytes(path.read_bytes()[:9])

    done = two.run("-r")

    assert done.returncode == 0, done.stdout + done.stderr
    assert count(two, "prepared") == (1 if "index" in damage else 2)
    assert count(two, "trained") == 2  # as the same came out


def test_an_input_that_was_changed_since_is_not_read(two):
    two.list("flow.yaml = steps=prepare")
    two.run("-r", "-u")
    (artifact(two, "prepare", "dataset") / "0.txt").write_text("9")
    two.list("flow.yaml")

    done = two.run("-r", "-u")

    assert done.returncode == 1
    told = two.outcomes()["flow/train,lr=0.5#1"]
    assert "was changed since it was made" in told
    assert "`mlpipeline retry 'flow/prepare'` makes it anew" in told

    two.run("retry", "flow/prepare")
    assert two.run("-r", "-u").returncode == 0


def test_a_failed_step_skips_only_what_needs_it(project):
    other = component([PYTHON, "-c", "print('aside')"])
    after = {"component": other, "after": ["train"]}
    use = component([PYTHON, "-c", "pass"], [("model", "Model")], [], [{"inputPath": "model"}])
    steps = {
        **STEPS,
        "aside": {"component": other},
        "last": {"component": use, "arguments": {"model": "{train.model}"}},
        "end": after,
    }
    two_steps(project, grid={"lr": [3.0, 0.25]}, steps=steps)

    done = project.run("-r", "-u")

    assert done.returncode == 1
    outcomes = project.outcomes()
    assert outcomes["flow/train,lr=3.0#1"] == "failed ValueError: too high"
    assert outcomes["flow/last,lr=0.25#1"] == outcomes["flow/aside#1"] == "succeeded"
    assert {"flow/last,lr=3.0#1", "flow/end#1"} & set(outcomes) == set()


@pytest.mark.parametrize(
    ("outputs", "body", "told"),
    [
        ([("model", "Model")], "", "not made the artifact model (Model)"),
        ([("n", "Integer")], "", "not made the file with the value of n"),
        ([("n", "Integer")], "open(sys.argv[1], 'w').write('x')", "n is 'x' and must be Integer"),
        ([("n", "Integer")], "os.mkdir(sys.argv[1])", "must be a file, not a folder"),
        ([("n", "String")], r"open(sys.argv[1], 'wb').write(b'\xff')", "is no UTF-8"),
        ([("m", "Model")], "os.mkfifo(sys.argv[1])", "neither a file nor a folder"),
    ],
)
def test_a_step_that_has_not_made_what_it_declares_fails_and_says_so(project, outputs, body, told):
    program(project, "make.py", f"import os, sys\n{body}\n")
    made = component([PYTHON, "make.py"], [], outputs, [{"outputPath": outputs[0][0]}])
    flow(project, parameters=None, grid=None, steps={"make": {"component": made}})
    project.list("flow.yaml")

    done = project.run("-r")

    assert done.returncode == 1
    assert told in project.outcomes()["flow/make#1"]
    assert "Traceback" not in done.stdout + done.stderr
    assert not artifact(project, "make", "").exists()


def test_outputs_that_are_values_reach_the_next_step_with_their_types(project):
    program(
        project,
        "make.py",
        """
        import json, sys
        values = ["a,b=c#d' e é\\n", "7", "0.5", "true", '[1, "x"]', '{"a": {"b": null}}']
        for path, value in zip(sys.argv[1:], values, strict=True):
            open(path, "w").write(value)
        """,
    )
    program(project, "take.py", "import json, sys; json.dump(sys.argv[2:], open(sys.argv[1], 'w'))")
    ports = list(
        zip("sifblo", ["String", "Integer", "Float", "Boolean", "List", "Dict"], strict=True)
    )
    make = component([PYTHON, "make.py"], [], ports, [{"outputPath": name} for name, _ in ports])
    values = [{"inputValue": name} for name, _ in ports]
    take = component(
        [PYTHON, "take.py"], ports, [("seen", "Artifact")], [{"outputPath": "seen"}, *values]
    )
    arguments = {name: f"{{make.{name}}}" for name, _ in ports}
    steps = {"make": {"component": make}, "take": {"component": take, "arguments": arguments}}
    flow(project, parameters=None, grid=None, steps=steps)
    project.list("flow.yaml")

    assert project.run("-r").returncode == 0

    seen = json.loads(artifact(project, "take", "seen").read_text())
    assert seen[:4] == ["a,b=c#d' e é\n", "7", "0.5", "true"]
    assert [json.loads(each) for each in seen[4:]] == [[1, "x"], {"a": {"b": None}}]
    outputs = project.record("flow", "make")["outputs"]
    assert [type(outputs[name]) for name in "sifb"] == [str, int, float, bool]


def test_an_input_that_is_made_of_several_outputs_tells_of_each(project):
    program(project, "make.py", "import sys; [open(each, 'w').write('1') for each in sys.argv[1:]]")
    program(project, "take.py", "import sys; open(sys.argv[1], 'w').write(sys.argv[2])")
    ports = [("x", "Integer"), ("y", "Integer")]
    make = component([PYTHON, "make.py"], [], ports, [{"outputPath": "x"}, {"outputPath": "y"}])
    take = component(
        [PYTHON, "take.py"],
        [("both", "String")],
        [("seen", "Artifact")],
        [{"outputPath": "seen"}, {"inputValue": "both"}],
    )
    arguments = {"both": "{make.x}-{make.y}-{make.x}"}
    steps = {"make": {"component": make}, "take": {"component": take, "arguments": arguments}}
    flow(project, parameters=None, grid=None, steps=steps)
    project.list("flow.yaml")

    assert project.run("-r").returncode == 0

    assert artifact(project, "take", "seen").read_text() == "1-1-1"
    read = [{"from": "flow/make#1", "output": name, "value": 1} for name in "xy"]
    assert project.record("flow", "take")["inputs"] == {"both": read}
    folder = project.outputs / "runs" / "flow" / "take" / "1"
    assert json.loads((folder / "artifacts.json").read_text())["inputs"] == {"both": read}
    shown = json.loads(project.run("pipeline", "show", "--json").stdout)
    reads = shown["pipelines"][0]["steps"][1]["reads"]
    assert [(each["input"], each["output"], each["value"]) for each in reads] == [
        ("both", "x", 1),
        ("both", "y", 1),
    ]


def test_a_name_with_blanks_has_one_spelling_on_disk_made_or_cached(project):
    program(project, "make.py", "import sys; open(sys.argv[1], 'w').write('m')")
    program(
        project, "take.py", "import sys; open(sys.argv[1], 'w').write(open(sys.argv[2]).read())"
    )
    make = component([PYTHON, "make.py"], [], [("My Model", "Model")], [{"outputPath": "My Model"}])
    take = component(
        [PYTHON, "take.py"],
        [("The Model", "Model")],
        [("seen", "Artifact")],
        [{"outputPath": "seen"}, {"inputPath": "The Model"}],
    )
    arguments = {"The Model": "{make.My Model}"}
    steps = {"make": {"component": make}, "take": {"component": take, "arguments": arguments}}
    flow(project, parameters=None, grid=None, steps=steps)
    project.list("flow.yaml")

    assert project.run("-r").returncode == 0
    project.run("-r")

    first, second = (artifact(project, "make", "my_model", attempt) for attempt in (1, 2))
    assert (first.is_symlink(), second.is_symlink()) == (False, True)
    assert first.read_text() == second.read_text() == "m"
    for attempt in (1, 2):
        folder = artifact(project, "make", "", attempt)
        assert [each.name for each in folder.iterdir()] == ["my_model"]
    assert list(project.record("flow", "take")["inputs"]) == ["the_model"]


def test_records_of_before_inputs_had_lists_are_shown(two):
    two.run("-r", "-u")
    path = two.outputs / "runs" / "flow" / "train,lr=0.5" / "1" / "artifacts.json"
    record = json.loads(path.read_text())
    record["inputs"] = {name: read[0] for name, read in record["inputs"].items()}
    path.write_text(json.dumps(record))

    assert "data of prepare#1" in two.run("pipeline", "show", "flow").stdout


HYDRA = """
import json, os, hydra
from omegaconf import OmegaConf

@hydra.main(version_base=None, config_path=None)
def main(cfg):
    os.makedirs(os.path.dirname(cfg.out), exist_ok=True)
    json.dump(OmegaConf.to_container(cfg, resolve=True), open(cfg.out, "w"))

main()
"""
AWKWARD = {
    "text": 'a,b=c#d\' e é "f" ${g} \\',
    "digits": "007",
    "word": "null",
    "path": "/x/train,lr=0.1/y",
    "empty": "",
}


def test_values_reach_a_hydra_program_exactly(project):
    program(project, "app.py", HYDRA)
    inputs = [*((name, "String") for name in AWKWARD), ("rates", "List"), ("lr", "Float")]
    args = [f"+{name}={{{{$.inputs.parameters['{name}']}}}}" for name, _ in inputs]
    args += ["+out={{$.outputs.artifacts['out'].path}}", "hydra.run.dir=."]
    app = component([PYTHON, "app.py"], inputs, [("out", "Artifact")], args)
    arguments = {**AWKWARD, "rates": [0.1, "a,b"], "lr": "{lr}"}
    steps = {"app": {"component": app, "arguments": arguments}}
    flow(project, parameters=None, grid={"lr": [0.5]}, steps=steps)
    project.list("flow.yaml")

    done = project.run("-r")

    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(artifact(project, "app,lr=0.5", "out").read_text())
    assert {key: seen[key] for key in AWKWARD} == AWKWARD
    assert (seen["rates"], seen["lr"]) == ([0.1, "a,b"], 0.5)


def test_a_step_says_itself_whether_its_program_is_hydras(project):
    program(project, "echo.py", "import sys; open(sys.argv[2], 'w').write(sys.argv[1])")
    echo = component(
        [PYTHON, "echo.py"],
        [("x", "String")],
        [("out", "Artifact")],
        ["x={{$.inputs.parameters['x']}}", {"outputPath": "out"}],
    )
    step = {"component": echo, "arguments": {"x": "a,b"}}
    flow(
        project,
        parameters=None,
        grid=None,
        steps={"plain": step, "quoted": {**step, "hydra": True}},
    )
    project.list("flow.yaml")

    project.run("-r")

    assert artifact(project, "plain", "out").read_text() == "x=a,b"
    assert artifact(project, "quoted", "out").read_text() == "x='a,b'"


def test_test_mode_rehearses_steps_in_their_order_and_leaves_nothing(two):
    done = two.run()

    assert done.returncode == 0, done.stdout + done.stderr
    assert (count(two, "prepared"), count(two, "trained")) == (1, 2)
    assert not two.outputs.exists()


def test_a_rehearsal_that_is_cut_short_leaves_nothing_to_read_which_is_said(project):
    use = component([PYTHON, "-c", "pass"], [("model", "Model")], [], [{"inputPath": "model"}])
    last = {"component": use, "arguments": {"model": "{train.model}"}}
    steps = {**STEPS, "prepare": {**STEPS["prepare"], "test": {"seconds": 0.5}}, "last": last}
    two_steps(project, steps=steps)
    endless = PREPARE + "\nimport time\nwhile True: time.sleep(1)\n"
    program(project, "prepare.py", endless)

    done = project.run()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "not rehearsed: dataset is not made where the rehearsal of prepare is cut short" in (
        done.stdout
    )
    assert done.stdout.count("not rehearsed: model is not made") == 2
    assert not (project.folder / "trained").exists()


def test_with_rehearse_a_step_is_tried_with_what_was_made_in_earnest(two):
    done = two.run("-r", "-u", "--rehearse")

    assert done.returncode == 0, done.stdout + done.stderr
    assert (count(two, "prepared"), count(two, "trained")) == (2, 4)
    assert not list((two.outputs / "rehearsals").rglob("dataset"))


def test_the_list_may_name_steps(two):
    two.list("flow.yaml = steps=train,prepare")
    two.run("-r", "-u")
    assert len(two.outcomes()) == 3

    two.list("flow.yaml = steps=trian")
    done = two.run("status")

    assert "flow.yaml has no step trian (did you mean train?); its steps: prepare, train" in (
        done.stderr
    )


def test_what_is_left_out_is_read_from_its_last_success_and_else_is_to_be_listed(two):
    two.list("flow.yaml = steps=train")
    done = two.run("-r", "-u")
    assert "prepare is not listed, nor done" in done.stdout

    two.list("flow.yaml = steps=prepare")
    two.run("-r", "-u")
    two.list("flow.yaml = steps=train")

    assert two.run("-r", "-u").returncode == 0
    assert count(two, "trained") == 2


def test_pipeline_show_tells_where_each_step_stands(two):
    two.run("-r", "-u")
    two.run("-r")

    shown = two.run("pipeline", "show", "flow")
    told = json.loads(two.run("pipeline", "show", "flow.yaml", "--json").stdout)

    assert "data of prepare#1" in shown.stdout
    assert "cached: made by flow/train,lr=0.5#1" in shown.stdout
    (pipeline,) = told["pipelines"]
    versions = ["prepare", "train,lr=0.5", "train,lr=0.25"]
    assert [each["version"] for each in pipeline["steps"]] == versions
    (dataset,) = pipeline["steps"][0]["artifacts"]
    assert (dataset["size"], Path(dataset["path"]).is_dir()) == (3, True)
    missing = two.run("pipeline", "show", "flwo")
    assert (missing.returncode, "did you mean flow?" in missing.stderr) == (2, True)


def test_a_program_that_is_not_here_is_told_of_with_the_line(two):
    (two.folder / "train.py").unlink()

    done = two.run("-r", "-u")

    assert done.returncode == 1
    told = two.run("status", "--json").stdout
    assert "step train can't run here: there is no train.py in" in told
    assert "cwd: FOLDER" in told


def test_a_command_that_is_not_here_is_told_with_its_step(two):
    missing = component(["no_such_program"], [], [("x", "Model")], [{"outputPath": "x"}])
    flow(two, parameters=None, grid=None, steps={"make": {"component": missing}})
    two.run("-r", "-u")

    told = two.run("status", "--json").stdout

    assert "step make can't run here: there is no program no_such_program on the PATH" in told
    assert "cwd: FOLDER" in told


def test_a_step_that_is_not_there_is_not_listed_and_the_steps_are_named(two):
    (two.folder / "models.config").write_text("[MODELS]\n[BLACKLIST]\n")
    done = two.run("add", "flow.yaml", "steps=prepare,nope")

    assert done.returncode == 2
    assert "flow.yaml has no step nope; its steps: prepare, train" in done.stderr
    assert "flow.yaml" not in (two.folder / "models.config").read_text()


def test_an_artifact_keeps_the_links_within_it(project):
    program(
        project,
        "make.py",
        """
        import os, sys
        os.makedirs(sys.argv[1] + "/v1")
        open(sys.argv[1] + "/v1/weights", "w").write("w")
        os.symlink(os.path.abspath(sys.argv[1] + "/v1"), sys.argv[1] + "/latest")
        """,
    )
    made = component([PYTHON, "make.py"], [], [("model", "Model")], [{"outputPath": "model"}])
    flow(project, parameters=None, grid=None, steps={"make": {"component": made}})
    project.list("flow.yaml")

    assert project.run("-r").returncode == 0
    project.run("-r")

    assert (artifact(project, "make", "model") / "latest" / "weights").read_text() == "w"
    said = project.record("flow", "make")["artifacts"]["model"]["sha256"]
    assert trees.described(str(artifact(project, "make", "model")))["sha256"] == said
    assert project.outcomes()["flow/make#2"] == "succeeded cached: made by flow/make#1"


def test_an_edit_of_one_steps_program_is_no_change_of_the_others(two):
    program(two, "shared.py", "x = 1")
    program(two, "prepare.py", "import shared\n" + PREPARE)
    program(two, "train.py", "import shared\n" + TRAIN)
    two.run("-r", "-u")
    program(two, "train.py", "import shared\n" + TRAIN + "\n# another one\n")

    two.run("retry", "flow/prepare")  # which has not changed: it is executed, as was asked
    two.run("-r", "-u")
    assert (count(two, "prepared"), count(two, "trained")) == (2, 2)

    two.run("retry", "--changed")
    two.run("-r", "-u")

    assert not two.folder_of("flow", "prepare", 3).exists()
    assert (count(two, "prepared"), count(two, "trained")) == (2, 4)
    own = [each for each in two.record("flow", "prepare")["sources_sha256"] if ".py" in each]
    assert own == ["../prepare.py", "../shared.py"]
    program(two, "shared.py", "x = 2")  # which both import
    (found,) = json.loads(two.run("pipeline", "show", "--json").stdout)["pipelines"]
    assert {step["reason"] for step in found["steps"]} == {"script changed"}


def test_outputs_that_are_numbers_are_results_beside_those_of_metrics(project):
    text = """
    import sys
    for path, text in zip(sys.argv[1:], ("0.5", "7", "a word", '{"loss": 2, "count": 8}')):
        with open(path, "w") as file:
            file.write(text)
    """
    program(project, "score.py", text)
    ports = [("score", "Float"), ("count", "Integer"), ("note", "String"), ("metrics", "Metrics")]
    made = component(
        [PYTHON, "score.py"], outputs=ports, args=[{"outputPath": name} for name, _ in ports]
    )
    steps = {name: {"component": made, "cwd": "."} for name in ("one", "two")}
    flow(project, parameters=None, grid=None, steps=steps)
    project.list("flow.yaml")

    project.run("-r", "-u")

    results = {"score": 0.5, "count": 8, "loss": 2}
    assert project.record("flow", "one")["results"] == results
    assert project.record("flow", "two")["cached"] == "flow/one#1"
    assert project.record("flow", "two")["results"] == results
    assert "0.5" in project.run("results").stdout


def test_pipeline_show_tells_why_a_pipeline_is_broken(two):
    flow(two, steps={**STEPS, "train": {**STEPS["train"], "arguments": {"data": "{nobody.x}"}}})

    shown = two.run("pipeline", "show")
    (problem,) = json.loads(two.run("pipeline", "show", "--json").stdout)["problems"]

    assert "flow.yaml:" in problem
    assert "nobody" in problem
    assert problem in shown.stdout
    assert "no pipeline is listed" not in shown.stdout


def test_on_a_narrow_terminal_pipeline_show_cuts_nothing(two):
    two.run("-r", "-u")
    two.run("-r")

    terminal = Terminal(two, "pipeline", "show", columns=60)
    terminal.run()

    words = " ".join(terminal.text.split())
    assert "cached: made by flow/train,lr=0.25#1" in words
    assert "rows 3" in words
    assert "data of prepare#1, rows of prepare#1" in words
    assert "…" not in words


def test_explain_of_a_step_that_is_swept_since_says_which_versions_it_has(two):
    steps = {**STEPS, "train": {**STEPS["train"]}}
    flow(two, parameters={"size": 3, "lr": 0.5}, grid=None, steps=steps)
    two.run("-r", "-u")
    flow(two, steps=steps)

    asked = two.run("explain", "train")
    assert asked.returncode != 0
    assert "train may be flow/train,lr=0.5 or flow/train,lr=0.25; say which" in asked.stderr
    exact = two.run("explain", "flow/train")
    assert "train has other versions now: flow/train,lr=0.5 or flow/train,lr=0.25" in exact.stdout
    assert "mlpipeline add" not in exact.stdout
