"""A version of a pipeline: one step, with the values that tell it from others of that step."""

from __future__ import annotations

from mlpipeline.api.keys import looks_secret
from mlpipeline.core.plain import plain
from mlpipeline.sources import script

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from mlpipeline.sources.arguments import Source
    from mlpipeline.sources.pipeline_file import Step


class StepVersion:
    """One version: its step, with the values of the pipeline's parameters that it has."""

    __slots__ = ("name", "places", "signature", "sources", "step", "values")

    def __init__(
        self,
        step: Step,
        name: str,
        values: Mapping[str, Any],
        places: Mapping[str, int],
        sources: Mapping[str, StepVersion],
    ):
        self.step = step
        self.name = name
        self.values = values  # of the pipeline's parameters
        self.places = places  # in the grid, of those of them that tell the versions apart
        self.sources = sources  # the versions whose outputs it reads, by their steps
        self.signature = script.digest({"step": self.plain()})

    def arguments(self, meaning: Callable[[Source], Any]) -> dict[str, Any]:
        """What the inputs are given, by their keys; ``meaning`` tells of outputs."""

        def value(source: Source) -> Any:
            return meaning(source) if source.step else self.values[source.name]

        ports = self.step.component.inputs
        given = {key: each.filled(value) for key, each in self.step.arguments.items()}
        defaults = {key: port.default for key, port in ports.items() if port.default is not None}
        return {key: {**defaults, **given}[key] for key in ports if key in given or key in defaults}

    def plain(self) -> dict[str, Any]:
        """All that tells what it makes from what another one does, as JSON has it; of what it
        reads, the signatures.
        """
        step = self.step
        return {
            "component": step.component.plain(),
            "command": step.command,
            "cwd": step.settings.cwd,
            "hydra": step.settings.hydra,
            "env": {
                key: "" if looks_secret(key, value) else value
                for key, value in step.settings.env.items()
            },
            "arguments": {key: plain(value) for key, value in self.arguments(self._signed).items()},
        }

    def _signed(self, source: Source) -> str:
        return f"{self.sources[source.step].signature}.{source.name}"
