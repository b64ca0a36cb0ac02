"""``mlpipeline pipeline``: components are converted, pipelines compiled, checked and sent."""

import json
import os
import socket
import subprocess
import sys
import threading

import pytest
import yaml

from mlpipeline.errors import ModelError

pytest.importorskip("kfp") if not os.environ.get("MLPIPELINE_REQUIRE_ALL") else None

PREPARE = """
inputs: [{name: size, type: Integer, default: 10}, {name: Where to, type: String, optional: true}]
outputs: [{name: dataset, type: Dataset}, {name: rows, type: Integer}]
implementation:
  container:
    image: registry/prepare:1
    command: [prepare, {outputPath: dataset}, {outputPath: rows}]
    args:
    - {if: {cond: {isPresent: Where to}, then: [--to, {inputValue: Where to}]}}
"""
TRAIN = """
inputs:
- {name: data, type: Dataset}
- {name: lr, type: Float}
- {name: rows, type: Integer}
- {name: note, type: String, default: none}
outputs: [{name: model, type: Model}, {name: metrics, type: Metrics}]
implementation:
  container:
    image: registry/train:1
    command: [python3, main.py]
    args: ['lr={{$.inputs.parameters["lr"]}}', 'note={{$.inputs.parameters["note"]}}',
           'data={{$.inputs.artifacts["data"].path}}',
           'model={{$.outputs.artifacts["model"].path}}']
"""
FLOW = """
description: two steps
parameters:
  lr: 0.1
  size: {type: Integer, default: 5}
  place: {type: String, default: é}
steps:
  train:
    component: parts/train.yaml
    arguments: {data: '{prepare.dataset}', lr: '{lr}', rows: '{prepare.rows}', note: 'a, b'}
    cpus: 2
    memory: 1.5
    gpus: 0.5
    accelerator: NVIDIA_TESLA_T4
    retries: 2
    hydra: true
    env: {LEVEL: high}
    cache: false
  prepare:
    component: parts/prepare.yaml
    arguments: {size: '{size}', Where to: 'to/{place}/{size}'}
    vertex: {cpus: 0.5, memory: 4}
    cpus: 64
  last:
    after: train
    component: {implementation: {container: {image: i, command: [x]}}}
vertex: {pipeline_root: gs://bucket/flow, display_name: My flow}
"""


@pytest.fixture
def folder(tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "prepare.yaml").write_text(PREPARE)
    (parts / "train.yaml").write_text(TRAIN)
    (tmp_path / "flow.yaml").write_text(FLOW)
    return tmp_path


@pytest.fixture
def mlpipeline(folder):
    def run(*words, **variables):
        return subprocess.run(
            [sys.executable, "-m", "mlpipeline", "pipeline", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, "NO_GCE_CHECK": "true", "HOME": str(folder), **variables},
            timeout=120,
        )

    return run


def test_a_component_is_converted_in_place_and_then_left_alone(mlpipeline, folder):
    path = folder / "parts" / "prepare.yaml"

    first = mlpipeline("convert", "parts/prepare.yaml", "-o", "parts/prepare.yaml")
    text = path.read_text()
    second = mlpipeline("convert", "parts/prepare.yaml", "-o", "parts/prepare.yaml")

    assert first.stdout == "wrote parts/prepare.yaml: 1 arguments rewritten\n"
    assert """then: ["to={{$.inputs.parameters['Where to']}}"]""" in text
    assert second.stdout == "wrote parts/prepare.yaml: nothing was to be rewritten\n"
    assert path.read_text() == text


def test_a_converted_component_is_printed_and_notes_stand_beside_it(mlpipeline):
    done = mlpipeline("convert", "parts/prepare.yaml")

    assert done.stdout.startswith("\ninputs: [{name: size")
    assert "kfp itself calls Where to where_to" in done.stderr
    assert json.loads(mlpipeline("convert", "parts/prepare.yaml", "--json").stdout)["count"] == 1


def test_no_component_is_told_with_its_file_and_line(mlpipeline, folder):
    (folder / "x.yaml").write_text("name: x\nimplementation: {container: {image: i}}\n")

    done = mlpipeline("convert", "x.yaml", "-o", "y.yaml")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mlpipeline: x.yaml: line 2: it has no command; ")
    assert not (folder / "y.yaml").exists()


def test_a_pipeline_is_compiled_to_what_vertex_takes(mlpipeline, folder):
    out = "out.yaml"
    done = mlpipeline("compile", "flow.yaml", "-o", out)
    spec = yaml.safe_load((folder / out).read_text())

    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == f"wrote {out}: the pipeline flow (prepare, train, last)\n"
    assert spec["schemaVersion"] == "2.1.0"
    assert spec["defaultPipelineRoot"] == "gs://bucket/flow"
    assert spec["pipelineInfo"] == {
        "name": "flow",
        "displayName": "My flow",
        "description": "two steps",
    }
    assert spec["root"]["inputDefinitions"]["parameters"]["size"] == {
        "defaultValue": 5,
        "isOptional": True,
        "parameterType": "NUMBER_INTEGER",
    }


def test_steps_have_their_data_machines_and_order(mlpipeline, folder):
    mlpipeline("compile", "flow.yaml", "-o", "out.json")
    spec = json.loads((folder / "out.json").read_text())
    tasks, executors = spec["root"]["dag"]["tasks"], spec["deploymentSpec"]["executors"]

    train = executors["exec-train"]["container"]
    assert train["args"] == [
        "lr={{$.inputs.parameters['lr']}}",
        "note='{{$.inputs.parameters['note']}}'",  # quoted for Hydra, as its value has a comma
        "data={{$.inputs.artifacts['data'].path}}",
        "model={{$.outputs.artifacts['model'].path}}",
    ]
    assert train["env"] == [{"name": "LEVEL", "value": "high"}]
    resources = train["resources"]
    assert (resources["cpuLimit"], resources["memoryLimit"]) == (2, 1.5)
    assert resources["accelerator"]["type"] == "NVIDIA_TESLA_T4"
    assert resources["accelerator"]["count"] == "1"
    assert executors["exec-prepare"]["container"]["resources"]["cpuLimit"] == 0.5
    assert tasks["train"]["dependentTasks"] == ["prepare"]
    assert tasks["train"]["retryPolicy"]["maxRetryCount"] == 2
    assert tasks["train"]["cachingOptions"] == {}
    assert tasks["prepare"]["cachingOptions"] == {"enableCache": True}
    assert tasks["last"]["dependentTasks"] == ["train"]
    given = tasks["prepare"]["inputs"]["parameters"]
    assert given["where_to"]["runtimeValue"]["constant"] == (
        "to/{{$.inputs.parameters['pipelinechannel--place']}}"
        "/{{$.inputs.parameters['pipelinechannel--size']}}"
    )


def test_the_same_as_kfp_makes_of_the_same_component(mlpipeline, folder):
    (folder / "one.yaml").write_text(
        "name: one\nsteps: {prepare: {component: parts/prepare.yaml}}\n"
    )
    (folder / "bare.py").write_text(
        "from kfp import compiler, components, dsl\n"
        "prepare = components.load_component_from_file('parts/prepare.yaml')\n"
        "@dsl.pipeline(name='one')\n"
        "def one():\n"
        "    prepare()\n"
        "compiler.Compiler().compile(one, 'bare.yaml')\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "bare.py"], cwd=folder, check=True)
    mlpipeline("compile", "one.yaml", "-o", "ours.yaml")

    bare, ours = (
        yaml.safe_load((folder / name).read_text()) for name in ("bare.yaml", "ours.yaml")
    )

    (theirs,) = bare["deploymentSpec"]["executors"].values()
    assert ours["deploymentSpec"]["executors"]["exec-prepare"] == theirs
    (component,) = bare["components"].values()
    for key in ("inputDefinitions", "outputDefinitions"):
        assert ours["components"]["comp-prepare"][key] == component[key]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("'{lr}'", "'{size}'", "flow.yaml: line 10: what step train is given for lr is Integer"),
        ("display_name: My flow", "failure_policy: never", 'should be either "slow" or "fast"'),
    ],
)
def test_what_can_not_be_compiled_is_told_and_nothing_is_written(
    mlpipeline, folder, old, new, said
):
    assert old in FLOW
    (folder / "flow.yaml").write_text(FLOW.replace(old, new))
    (folder / "out.json").write_text("before")

    done = mlpipeline("compile", "flow.yaml", "-o", "out.json")

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "out.json").read_text() == "before"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "accelerator: NVIDIA_TESLA_T4",
            "timeout: 5",
            "asks for GPUs, and Vertex AI wants to know",
        ),
        ("LEVEL: high", "LEVEL: '{run_dir}'", "which is known here only"),
        ("'a, b'", "'{{$.x}}'", "a value has {{$, which Vertex AI would fill in"),
        ("'a, b'", "'{{$.x}} {lr}'", "a value has {{$, which Vertex AI would fill in"),
        ("LEVEL: high", "LEVEL: '{{$.x}}'", "env's LEVEL of step train has {{$, which Vertex AI"),
        ("description: two", "name: My flow\ndescription: two", "'My flow' can't be a pipeline's"),
        ("  lr: 0.1", "  class: 0.1\n  lr: 0.1", "kfp refuses it: 'class' is not a valid param"),
        ("  lr: 0.1", "  lr: .inf", "line 4: the default of lr is inf, which no compiled file"),
        ("default: 5", f"default: {2**53 + 1}", "numbers on Vertex AI are exact up to 90071992547"),
    ],
)
def test_what_kfp_or_vertex_would_not_take_is_told(folder, old, new, said):
    from mlpipeline.execution.kfp_adapter import compiled
    from mlpipeline.sources.pipeline_file import load_pipeline_file

    assert old in FLOW
    (folder / "flow.yaml").write_text(FLOW.replace(old, new))

    with pytest.raises(ModelError) as refused:
        compiled(load_pipeline_file(str(folder / "flow.yaml")), "flow", str(folder / "out.json"))

    assert said in str(refused.value)


def test_braces_in_variables_mean_there_what_they_mean_here(folder):
    from mlpipeline.execution.kfp_adapter import compiled
    from mlpipeline.sources.pipeline_file import load_pipeline_file
    from mlpipeline.sources.step_command import Given, job_of

    (folder / "flow.yaml").write_text(
        FLOW.replace("LEVEL: high", "LEVEL: 'x{{lr}}y {other} ${z} {{run_dir}}'")
    )
    file = load_pipeline_file(str(folder / "flow.yaml"))

    spec = compiled(file, "flow", str(folder / "out.json"))

    (there,) = spec["deploymentSpec"]["executors"]["exec-train"]["container"]["env"]
    here = job_of(file.steps["train"], Given({}, {}), {"project": "", "run_dir": "no"}).env
    assert there["value"] == here["LEVEL"] == "x{lr}y {other} ${z} {run_dir}"


def test_what_a_person_should_know_is_noted(mlpipeline, folder):
    text = FLOW.replace("NVIDIA_TESLA_T4", "NVIDIA_TESLA_T5").replace("LEVEL", "API_KEY")
    text = text.replace("    hydra: true\n", "")
    (folder / "flow.yaml").write_text(text)

    notes = json.loads(mlpipeline("compile", "flow.yaml", "-o", "o.yaml", "--json").stdout)["notes"]

    assert notes[0] == "env's API_KEY of step train will be read in the compiled file"
    assert notes[1].startswith("step train has arguments as a Hydra app takes them: hydra: true")
    assert "does not know (did you mean NVIDIA_TESLA_" in notes[2]


def test_without_kfp_the_extra_is_named(mlpipeline, folder):
    hidden = folder / "hidden"
    (hidden / "kfp").mkdir(parents=True)
    (hidden / "kfp" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'kfp'\", name='kfp')"
    )

    done = mlpipeline("compile", "flow.yaml", "-o", "o.yaml", PYTHONPATH=str(hidden))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mlpipeline: kfp is not installed: pip install 'mlpipeline[vertex]'\n"


def test_where_it_can_not_be_written_is_told(mlpipeline):
    assert "there is no folder x" in mlpipeline("compile", "flow.yaml", "-o", "x/o.yaml").stderr
    assert (
        "is the pipeline file itself"
        in mlpipeline("compile", "flow.yaml", "-o", "flow.yaml").stderr
    )
    assert "must end with .yaml or .json" in mlpipeline("compile", "flow.yaml", "-o", "o").stderr


def test_without_credentials_nothing_is_sent_and_it_is_said_what_to_do(mlpipeline):
    done = mlpipeline("submit", "flow.yaml")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mlpipeline: there are no credentials for Google Cloud (")
    assert "gcloud auth application-default login" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-P", "sise=3"], "it has no parameter sise (did you mean size?)"),
        (["-P", "size=big"], "-P size is 'big' and must be Integer"),
        (["-P", "size"], "'size' is no parameter; write -P name=value"),
        (["-P", "size=3", "-P", "size=4"], "size is there twice"),
        (["--root", ""], "where are artifacts to go?"),
    ],
)
def test_what_can_not_be_sent_is_told_before(mlpipeline, folder, words, said):
    if "--root" in words:
        (folder / "flow.yaml").write_text(FLOW.replace("pipeline_root: gs://bucket/flow, ", ""))

    done = mlpipeline("submit", "flow.yaml", *words)

    assert done.returncode == 2
    assert said in done.stderr


@pytest.fixture
def key_file(folder):
    """Credentials whose tokens come from the port that they are given."""
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    from cryptography.hazmat.primitives import serialization

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()

    def write(port):
        path = folder / "key.json"
        said = {
            "type": "service_account",
            "project_id": "p",
            "private_key_id": "1",
            "private_key": pem,
            "client_email": "a@p.iam.gserviceaccount.com",
            "token_uri": f"http://127.0.0.1:{port}/token",
        }
        path.write_text(json.dumps(said))
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}

    return write


def test_a_google_that_never_answers_is_given_up(mlpipeline, key_file):
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, and is silent
        variables = key_file(server.getsockname()[1])

        done = mlpipeline("submit", "flow.yaml", "--timeout", "5", **variables)

    assert (done.returncode, done.stdout) == (2, "")
    assert "gave up after 5 s" in done.stderr


def test_credentials_that_are_refused_are_told(mlpipeline, key_file):
    with socket.create_server(("127.0.0.1", 0)) as server:
        variables = key_file(server.getsockname()[1])
        threading.Thread(target=_refuse, args=(server,), daemon=True).start()

        done = mlpipeline("submit", "flow.yaml", **variables)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Google Cloud does not take the credentials" in done.stderr
    assert "invalid_grant" in done.stderr


def _refuse(server):
    body = b'{"error": "invalid_grant", "error_description": "no such account"}'
    head = b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nConnection: close\r\n"
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(1 << 16)
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


@pytest.fixture
def wired(mlpipeline, folder):
    """Submits to Google's client and with its own request, but for the wire; what it was sent is
    kept as a service keeps it. Where there is a file ``silent``, the second one has no answer.
    """
    (folder / "flow.yaml").write_text("grid: {lr: [0.1, 0.01]}\n" + FLOW)
    (folder / "sitecustomize.py").write_text(
        """
import os, sys
def wire():
    import google.auth
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.aiplatform.utils import gcs_utils
    from google.cloud import aiplatform_v1
    class Known(AnonymousCredentials):
        def refresh(self, request):
            pass
    google.auth.default = lambda **said: (Known(), "from-credentials")
    gcs_utils.create_gcs_bucket_for_pipeline_artifacts_if_it_does_not_exist = lambda **said: None
    def create(self, *args, parent=None, pipeline_job=None, pipeline_job_id=None, **more):
        from google.api_core.exceptions import AlreadyExists, InvalidArgument
        if os.path.exists("refusing"):
            raise InvalidArgument("no such machine")
        if os.path.exists(f"{pipeline_job_id}.job"):
            raise AlreadyExists("there is one")
        open(f"{pipeline_job_id}.job", "w").close()
        if os.path.exists("silent") and os.path.exists("sent"):
            open("silent").read()
        with open("sent", "a") as file:
            values = dict(pipeline_job.runtime_config.parameter_values)
            root = pipeline_job.runtime_config.gcs_output_directory
            print(parent, root, pipeline_job.display_name, sorted(values.items()), file=file)
        pipeline_job.name = f"{parent}/pipelineJobs/{pipeline_job_id}"
        return pipeline_job
    aiplatform_v1.PipelineServiceClient.create_pipeline_job = create
if os.environ.get("WIRE"):
    from importlib.abc import MetaPathFinder
    class Finder(MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name == "mlpipeline.execution.vertex_jobs":
                sys.meta_path.remove(self)
                wire()
    sys.meta_path.insert(0, Finder())
"""
    )

    def submit(*words):
        return mlpipeline(
            *("submit", "flow.yaml", *words, "--json"), PYTHONPATH=str(folder), WIRE="1"
        )

    return submit


def test_a_job_is_sent_for_each_combination_of_the_grid(wired, folder):
    done = wired("-P", "place=a, b", "--location", "europe-west4")

    assert done.returncode == 0, done.stderr
    sent = json.loads(done.stdout)
    ids = [job["job"].rpartition("/")[2] for job in sent["jobs"]]
    assert done.stderr.splitlines() == [
        f"sending {ids[0]} place=a, b lr=0.1",
        f"sending {ids[1]} place=a, b lr=0.01",
    ]
    assert [job["parameters"] for job in sent["jobs"]] == [
        {"place": "a, b", "lr": 0.1},
        {"place": "a, b", "lr": 0.01},
    ]
    assert "/locations/europe-west4/pipelines/runs/flow-" in sent["jobs"][0]["url"]
    assert sent["jobs"][0]["job"] != sent["jobs"][1]["job"]
    lines = (folder / "sent").read_text().splitlines()
    parent = "projects/from-credentials/locations/europe-west4"
    assert [line.partition(" My flow ")[0] for line in lines] == [f"{parent} gs://bucket/flow"] * 2
    assert lines[0].endswith("[('lr', 0.1), ('place', 'a, b')]")


def test_the_same_command_again_sends_nothing_twice_unless_it_is_said(wired, folder):
    first = json.loads(wired("-P", "lr=0.1").stdout)["jobs"]

    second = json.loads(wired().stdout)["jobs"]
    third = json.loads(wired("-P", "lr=0.1", "--again").stdout)["jobs"]
    (folder / "flow.yaml").write_text((folder / "flow.yaml").read_text() + "\nname: other\n")
    other = json.loads(wired("-P", "lr=0.1").stdout)["jobs"]

    assert [job["was_there"] for job in first + second + third + other] == [
        *(False, True, False, False, False)
    ]
    assert second[0]["job"] == first[0]["job"]
    assert third[0]["job"].startswith(f"{first[0]['job']}-")
    assert len((folder / "sent").read_text().splitlines()) == 4


def test_a_job_that_may_have_been_taken_is_told_of_and_is_not_sent_twice(wired, folder):
    os.mkfifo(folder / "silent")  # of which nobody writes the other end

    done = wired("--timeout", "5")
    told = json.loads(done.stdout)
    (folder / "silent").unlink()
    again = json.loads(wired().stdout)

    assert done.returncode == 1
    assert "gave up after 5 s; is Google Cloud to be reached" in told["problem"]
    assert f"sending {told['unsure']} lr=0.01" in done.stderr
    assert len(told["jobs"]) == 1
    assert [job["was_there"] for job in again["jobs"]] == [True, True]
    assert (again["problem"], again["unsure"]) == (None, None)


def test_what_vertex_refuses_is_not_told_as_perhaps_taken(wired, folder):
    (folder / "refusing").touch()

    done = wired()

    assert (done.returncode, done.stdout) == (2, "")
    assert "Vertex AI does not take the job: 400 no such machine" in done.stderr


@pytest.mark.parametrize("where", ["the file", "mlp.config"])
def test_more_jobs_than_max_versions_are_sent_only_when_that_is_said(wired, folder, where):
    if where == "the file":
        (folder / "flow.yaml").write_text("max_versions: 1\n" + (folder / "flow.yaml").read_text())
    else:
        (folder / "mlp.config").write_text("[MLP]\nmodels_dir = .\nmax_versions = 1\n")

    refused = wired()
    sent = wired("--yes")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"2 jobs, and max_versions is 1: if that is meant, raise max_versions in {where}" in (
        refused.stderr
    )
    assert len(json.loads(sent.stdout)["jobs"]) == 2


def test_each_answer_has_its_time(tmp_path, monkeypatch):
    from mlpipeline.service import pipelines

    gate = tmp_path / "gate"
    os.mkfifo(gate)
    code = f"for _ in range(3): open({str(gate)!r}).read(); print('{{}}', flush=True)"
    now = [0.0]
    monkeypatch.setattr(pipelines.time, "monotonic", lambda: now[0])
    with pipelines._child([sys.executable, "-c", code], 5.0, "told") as child:
        answers = child.ask({})
        for _ in range(3):
            with gate.open("w"):
                pass
            assert next(answers) == {}
            now[0] += 4.0
        assert list(answers) == []


def test_what_takes_too_long_to_compile_is_no_trouble_with_a_network(folder, monkeypatch):
    from mlpipeline.errors import MlpipelineError
    from mlpipeline.service import pipelines

    silent = [sys.executable, "-c", "import signal; signal.pause()"]
    monkeypatch.setattr(pipelines, "READER", silent)
    monkeypatch.setattr(pipelines._child.__wrapped__, "__defaults__", (0.1, pipelines.NOT_COMPILED))

    with pytest.raises(MlpipelineError) as told:
        pipelines.convert(folder / "parts" / "prepare.yaml", None)

    assert "gave up after 0.1 s; reading and compiling" in str(told.value)
