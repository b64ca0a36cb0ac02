"""Compiled pipelines as jobs on Vertex AI: the one module that imports google-cloud-aiplatform.

A child process runs it, since that import takes a second or two. Jobs are constructed offline, with
anonymous credentials, or sent with those that google-auth finds.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from mlpipeline.core.spelling import nearest
from mlpipeline.errors import ModelError

MISSING = "google-cloud-aiplatform is not installed: pip install 'mlpipeline[vertex]'"
CREDENTIALS = (
    "run `gcloud auth application-default login`, or let GOOGLE_APPLICATION_CREDENTIALS name a key "
    "file"
)
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
# Stand-ins for what a job has to have, where it is constructed only.
PROJECT, LOCATION, ROOT = "project", "us-central1", "gs://bucket"

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old Pythons
        import google.auth
        from google.api_core.exceptions import AlreadyExists, ClientError
        from google.auth.credentials import AnonymousCredentials
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
        from google.auth.transport.requests import Request
        from google.cloud import aiplatform
        from google.cloud.aiplatform_v1.types import AcceleratorType
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "google":
        raise
    raise ModelError(MISSING) from None


def check(spec: Mapping[str, Any], path: str, vertex: Mapping[str, Any], values: Any) -> list[str]:
    """Construct the job of the compiled file ``path`` offline; returns what a person should know.

    ``values`` are those of the pipeline's parameters, for as far as they are known. Raises
    ModelError with the SDK's words.
    """
    _job(
        path,
        {"project": PROJECT, "location": LOCATION, "pipeline_root": ROOT, **vertex},
        values,
        AnonymousCredentials(),  # type: ignore[no-untyped-call]
    )
    known = [each.name for each in list(AcceleratorType)]
    notes = []
    for label, executor in spec.get("deploymentSpec", {}).get("executors", {}).items():
        resources = executor.get("container", {}).get("resources", {})
        kind = resources.get("accelerator", {}).get("type")
        if kind and kind not in known:
            notes.append(
                f"{label.removeprefix('exec-')} asks for the accelerator {kind}, which the "
                f"installed google-cloud-aiplatform does not know{nearest(kind, known)}"
            )
    return notes


def submit(
    path: str,
    vertex: Mapping[str, Any],
    jobs: Sequence[Mapping[str, Any]],
    timeout: float,
    *,
    again: bool,
) -> Iterator[dict[str, Any]]:
    """Send a job for each of ``jobs``, the values of the parameters; yields its id as ``sending``,
    then what it became, or ``refused`` where Vertex AI has none for sure.

    The id is made of what is sent, so that Vertex AI takes nothing twice, unless it is to be sent
    ``again``. ``timeout``: seconds for each request. Raises ModelError.
    """
    try:
        credentials, project = google.auth.default(scopes=SCOPES)
    except DefaultCredentialsError as error:
        said = str(error).split(". ")[0].rstrip(".")
        raise ModelError(
            f"there are no credentials for Google Cloud ({said}); {CREDENTIALS}"
        ) from None
    try:  # now, since an error of the service's client says less
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise _refused(error) from None
    settings = {"project": project, "location": LOCATION, **vertex}
    if not settings["project"]:
        raise ModelError(
            "no project is known; write vertex: {project: …} into the pipeline's file, or say "
            "--to PROJECT"
        )
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        spec = json.load(file)
    begun = f"-{time.time():.0f}" if again else ""
    for values in jobs:
        suffix = f"{digest(spec, values, vertex)}{begun}"
        job = _job(path, settings, values, credentials, suffix)
        place = f"projects/{settings['project']}/locations/{settings['location']}"
        told = {
            "job": f"{place}/pipelineJobs/{job.job_id}",
            "url": "https://console.cloud.google.com/vertex-ai/locations/"
            f"{settings['location']}/pipelines/runs/{job.job_id}?project={settings['project']}",
        }
        yield {"sending": job.job_id, "parameters": values}
        try:
            job.submit(
                service_account=vertex.get("service_account"),
                network=vertex.get("network"),
                create_request_timeout=timeout,
            )
        except AlreadyExists:
            yield {**told, "was_there": True}
            continue
        except GoogleAuthError as error:
            yield {"refused": job.job_id}
            raise _refused(error) from None
        except Exception as error:  # of google.api_core, grpc, and the SDK's own
            if isinstance(error, ClientError):  # else it may have come to it
                yield {"refused": job.job_id}
            raise ModelError(f"Vertex AI does not take the job: {_line(error)}") from None
        yield {**told, "job": job.resource_name}


def digest(spec: Mapping[str, Any], values: Mapping[str, Any], vertex: Mapping[str, Any]) -> str:
    """12 hex digits of what a job does: its pipeline, the values of all parameters, and how it is
    to run. Not of where, since ids count for one place; nor of which kfp has compiled it.
    """
    known = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    defaults = {name: each.get("defaultValue") for name, each in known.items()}
    said = [
        {key: each for key, each in spec.items() if key != "sdkVersion"},
        defaults | dict(values),
        {key: each for key, each in vertex.items() if key not in ("project", "location")},
    ]
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def _job(
    path: str, settings: Mapping[str, Any], values: Any, credentials: Any, suffix: str = "0"
) -> Any:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        name = json.load(file)["pipelineInfo"]["name"]
    try:
        return aiplatform.PipelineJob(
            display_name=settings.get("display_name") or "",
            template_path=path,
            job_id=f"{name[:100]}-{suffix}",
            pipeline_root=settings.get("pipeline_root"),
            parameter_values=dict(values),
            encryption_spec_key_name=settings.get("encryption_key"),
            labels=settings.get("labels"),
            credentials=credentials,
            project=settings["project"],
            location=settings["location"],
            failure_policy=settings.get("failure_policy"),
        )
    except Exception as error:  # ValueError, RuntimeError and those of protobuf
        raise ModelError(f"google-cloud-aiplatform refuses the job: {_line(error)}") from None


def _refused(error: BaseException) -> ModelError:
    return ModelError(f"Google Cloud does not take the credentials: {_line(error)}; {CREDENTIALS}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
