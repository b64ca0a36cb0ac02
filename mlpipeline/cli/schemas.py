"""What each command prints with --json, by its type: for docs and tests, no command imports it."""

from __future__ import annotations

from typing import Any

from mlpipeline.cli.doctor import CheckUp
from mlpipeline.cli.jsonlines import Line
from mlpipeline.cli.logs import Log
from mlpipeline.cli.project_run import Outcome
from mlpipeline.core.digest import Digest
from mlpipeline.service.background import Background
from mlpipeline.service.inquiry import Comparison, Explanation, Shown
from mlpipeline.service.learning import LearningCurves
from mlpipeline.service.lists import Edit
from mlpipeline.service.messages import Sent
from mlpipeline.service.new_project import Made
from mlpipeline.service.pipeline_steps import Pipelines
from mlpipeline.service.pipelines import Compilation, Conversion, Submission
from mlpipeline.service.plan import Plan
from mlpipeline.service.results import Results
from mlpipeline.service.steering import Done, Stopped
from mlpipeline.service.tracking import Tracking
from mlpipeline.service.units import Unit
from mlpipeline.service.views import Status

SESSION = Line  # of `mlpipeline --json` itself: one on each line

PRINTED: dict[str, Any] = {
    "add": Edit,
    "cancel": Done,
    "diff": Comparison,
    "digest": Digest,
    "doctor": CheckUp,
    "explain": Explanation,
    "init": Made,
    "logs": Log,
    "move": Edit,
    "new": Made,
    "notify": list[Sent],
    "pause": Edit,
    "pipeline compile": Compilation,
    "pipeline convert": Conversion,
    "pipeline show": Pipelines,
    "pipeline submit": Submission,
    "plan": Plan,
    "plot": LearningCurves,
    "remove": Edit,
    "results": Results,
    "resume": Edit,
    "retry": Done,
    "run": list[Outcome],
    "service": Unit,
    "show": Shown,
    "skip": Done,
    "start": Background,
    "status": Status,
    "stop": Stopped,
    "track": Tracking,
}
