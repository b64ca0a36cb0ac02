"""What steps have made: where it lies, which run made it, and whether it is still as it was made.

The record is artifacts.json in a run's folder, the last thing that is written of what a run made:
without it there is nothing. What ``outputs/artifacts/.made`` says is only where to look for such a
record, and can be deleted at any time.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from mlpipeline.core import run_files
from mlpipeline.core.safe_names import (
    ARTIFACTS,
    MADE,
    PART,
    RUNS,
    artifacts_of,
    maker_of,
    runs_of,
    safe_name,
)
from mlpipeline.execution import trees
from mlpipeline.execution.writing import read_json, to_json, write_at_last

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

FORMAT = 1
FULL = 64 << 10  # bytes; with less than that a disk is full


class Made:
    """What one run made, as its artifacts.json says."""

    __slots__ = ("_outputs", "record")

    def __init__(self, outputs: str, record: dict[str, Any]):
        self._outputs = outputs
        self.record = record

    @property
    def run(self) -> str:
        """The run that made it: not the one that found it made."""
        return str(self.record["made_by"])

    def path(self, output: str) -> str:
        """Where an artifact lies."""
        return os.path.join(self._outputs, self.record["artifacts"][output]["path"])

    def flaw(self) -> str:
        """What is wrong with an artifact now; empty where all are as they were made."""
        for name in self.record["artifacts"]:
            if flaw := self.flaw_of(name):
                return flaw
        return ""

    def flaw_of(self, output: str) -> str:
        """The same of one of them. Its content is read only where it looks as if it was touched."""
        said, path = self.record["artifacts"][output], self.path(output)
        try:
            if trees.stamp(path) == said["stamp"]:
                return ""
            now = trees.described(path)
        except FileNotFoundError:
            return f"{path} is not there any more"
        except (OSError, trees.NotKept) as error:
            return f"{path} can't be read: {error}"
        return "" if now["sha256"] == said["sha256"] else f"{path} was changed since it was made"


class Workshop:
    """Where one run of a step makes its artifacts, and where it finds those of others."""

    def __init__(self, spec: Mapping[str, Any]):
        """``spec`` is a ``launch.Spec``."""
        self._spec = spec
        self._outputs: str = spec["outputs"]
        self._is_test: bool = spec["test"]
        own = artifacts_of(self._outputs, spec["model"], spec["version"])
        if self._is_test:  # as temporary as the run's folder
            own = os.path.join(spec["folder"], ARTIFACTS)
        self._own = own
        self.place = os.path.join(own, str(spec["attempt"]))
        self.bench = f"{self.place}{PART}"  # where it is made

    def clear(self) -> None:
        """Make the bench, and throw away what earlier attempts have not brought to an end.

        Raises OSError.
        """
        with suppress(FileNotFoundError):
            for name in os.listdir(self._own):
                path = os.path.join(self._own, name)
                if name.endswith(PART) or path == self.place:  # the latter of a lost history
                    _remove(path)
        os.makedirs(self.bench)

    def on_bench(self, output: str) -> str:
        """Where the run is to make an output, named by its key: as kfp spells it."""
        return os.path.join(self.bench, safe_name(output))

    def in_place(self, output: str) -> str:
        """Where it will lie."""
        return os.path.join(self.place, safe_name(output))

    def make_room(self) -> None:
        """Where the disk is full, throw away what is half-made, and raise OSError: the program may
        not have been able to say so.
        """
        found = os.statvfs(self.bench)
        if found.f_bavail * found.f_frsize < FULL:
            _remove(self.bench)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.bench)

    def put_in_place(self) -> None:
        """All that is on the bench, at once; raises OSError."""
        os.rename(self.bench, self.place)

    def link(self, made: Made) -> None:
        """Have what another run made at our place, too, without a copy; raises OSError."""
        self.clear()
        for name in made.record["artifacts"]:
            target = os.path.relpath(made.path(name), self.place)
            os.symlink(target, self.on_bench(name))
        self.put_in_place()

    def relative(self, path: str) -> str:
        """A path as records have it, so that the project may be moved."""
        return os.path.relpath(path, self._outputs)

    def record(self, record: Mapping[str, Any]) -> None:
        """Say what was made, and, but for a rehearsal, by which key to find it."""
        write_at_last(self._spec["folder"], run_files.ARTIFACTS, {"format": FORMAT, **record})
        if not self._is_test and record["key"] and not record["missing"]:
            with suppress(OSError):  # then it is made once more some day
                self._note(str(record["key"]), self._spec["folder"])

    def _note(self, key: str, folder: str) -> None:
        path = maker_of(self._outputs, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "wb") as file:
            file.write(to_json({"folder": self.relative(folder)}))
        os.replace(temporary, path)

    def made_of(self, key: str) -> Made | None:
        """What an earlier run made of the same, where that is there still, as it was made."""
        if not os.path.isdir(os.path.join(self._outputs, ARTIFACTS, MADE)):
            self._find_all()
        path = maker_of(self._outputs, key)
        try:
            said = read_json(os.path.dirname(path), os.path.basename(path))
            folder = os.path.join(self._outputs, said["folder"])
        except (OSError, ValueError, TypeError, KeyError):
            folder = ""
        made = _read(self._outputs, folder) if folder else None
        if made and made.record["key"] == key and not made.flaw():
            return made
        for made in self._attempts(self._outputs, self._spec["version"]):
            if made.record["key"] == key and not made.flaw():
                with suppress(OSError):
                    self._note(key, os.path.join(self._outputs, made.record["folder"]))
                return made
        return None

    def _find_all(self) -> None:
        """Make ``.made`` again, of the records of all runs."""
        with suppress(OSError):
            os.makedirs(os.path.join(self._outputs, ARTIFACTS, MADE), exist_ok=True)
            runs = os.path.join(self._outputs, RUNS)
            for model in os.listdir(runs):
                for version in os.listdir(os.path.join(runs, model)):
                    for made in _all_in(self._outputs, os.path.join(runs, model, version)):
                        if made.record["key"] and made.run == made.record["run"]:
                            folder = os.path.join(self._outputs, made.record["folder"])
                            self._note(made.record["key"], folder)

    def newest(self, version: str, signature: str, output: str) -> tuple[Made | None, str]:
        """What the newest run of another version made that has ``output`` as it was made; else why
        there is none.
        """
        places = [self._outputs]
        if self._is_test:  # beside what was rehearsed, what there is in earnest
            places.append(os.path.join(self._spec["models_dir"], "outputs"))
        flaw = ""
        for outputs in dict.fromkeys(places):
            for made in self._attempts(outputs, version):
                record = made.record
                if record["signature"] != signature:
                    continue
                if output in record["missing"] or output in record["parameters"]:
                    return made, ""
                if output in record["artifacts"]:
                    flaw = flaw or made.flaw_of(output)
                    if not made.flaw_of(output):
                        return made, ""
        return None, flaw

    def _attempts(self, outputs: str, version: str) -> Iterator[Made]:
        return _all_in(outputs, runs_of(outputs, self._spec["model"], version))


def _remove(folder: str) -> None:
    from shutil import rmtree  # takes 5 ms, and is needed by few

    rmtree(folder, ignore_errors=True)


def _all_in(outputs: str, folder: str) -> Iterator[Made]:
    """What the attempts at a version made, the newest first."""
    try:
        attempts = sorted(
            (int(name) for name in os.listdir(folder) if name.isdigit()), reverse=True
        )
    except OSError:
        return
    for attempt in attempts:
        made = _read(outputs, os.path.join(folder, str(attempt)))
        if made:
            yield made


def _read(outputs: str, folder: str) -> Made | None:
    """What a run made; None where it has not come to that, or its record can't be read."""
    try:
        record = read_json(folder, run_files.ARTIFACTS)
        if record["format"] != FORMAT:
            return None
        for key in ("key", "signature", "run", "made_by"):
            if not isinstance(record[key], str):
                return None
        for each in record["artifacts"].values():
            if not all(isinstance(each[key], str) for key in ("path", "sha256", "stamp")):
                return None
        _ = (record["parameters"].items(), record["missing"].copy(), record["results"].items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return Made(outputs, {**record, "folder": os.path.relpath(folder, outputs)})
