"""Which columns of a table of results are shown, and in what words: the most useful that fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mlpipeline.cli.render import NAME, STATE, Row
from mlpipeline.cli.room import GAP
from mlpipeline.core.wording import duration, shortened, shown
from mlpipeline.core.wording import width as wide
from mlpipeline.service.results import Result, Results
from mlpipeline.service.selection import BEST, METRIC, PARAMETER, RESULT, Column

RUN, MARK, TOOK = NAME, " ", "took"
FIRST = "test."  # what results matter most
MAIN = 3  # results that are shown before any parameter
LONGEST = 24  # columns that a value takes
LONGEST_NAME = 60  # columns that a run's name takes on a terminal, however wide that is
DIGITS = 4
# What a parameter's column is worth, the most first; where the names say it, little.
SWEPT, OTHER, INFERRED, REPEATED, LAST = range(5)
ORDER = {SWEPT: 0, OTHER: 0, REPEATED: 0, INFERRED: 1, LAST: 2}  # from the left
# Parameters that tell a person little: in the record they are.
HIDDEN = ("model_dir_suffix",)
# Those that follow from others, or repeat them, as a command does its versions' arguments.
DERIVED = ("command", "cwd", "env", "_target_")
ORIGINS = ("source", "commit", "hydra_options")  # of a run of `mlpipeline run`


class ResultTable:
    """``rows`` for render.show_table, with their ``columns``; ``right`` are those of numbers.

    ``more`` columns had no room.
    """

    def __init__(
        self,
        found: Results,
        columns: Sequence[Column],
        asked: Collection[Column] = (),
        width: int | None = None,
    ):
        """``asked``: columns to show first, whatever they hold. ``width``: of a terminal."""
        self._runs = found.runs
        self._asked = asked
        told = [column for column in columns if self._tells(column)]
        swept = [each for each in told if each.kind == PARAMETER and self._is_in_names(each)]
        longest = None if width is None else min(LONGEST_NAME, width // 2)
        is_cut = longest is not None and any(wide(run.run) > longest for run in self._runs)
        if width and is_cut and any(each.key != "dataloader" for each in swept):
            longest = width // 3  # what the names lose, columns tell
        parameters = [each for each in told if each.kind == PARAMETER]
        ranks = self._ranks(parameters, swept, is_cut)
        cells = {
            RUN: [shortened(run.run, longest) if longest else run.run for run in self._runs],
            MARK: ["*" if run.run == found.best else "" for run in self._runs],
            STATE: [run.state for run in self._runs],
        }
        if all(run.state == "succeeded" for run in self._runs):
            del cells[STATE]
        told.sort(key=lambda column: (column not in asked, ORDER[ranks.get(column, LAST)]))
        cells |= {column.name: [_text(column, run) for run in self._runs] for column in told}
        cells[TOOK] = [_took(run) for run in self._runs]
        chosen = self._that_fit(
            cells, [*cells] if width is None else self._by_worth(told, ranks), width
        )
        self.more = len(cells) - len(chosen)
        self.columns = [name for name in cells if name in chosen]
        if longest and is_cut:
            shown_ones = [each for each in parameters if each.name in chosen]
            cells[RUN] = [_label(run, shown_ones, longest) for run in self._runs]
        self.rows: list[Row] = [
            {name: cells[name][number] for name in self.columns}
            for number in range(len(self._runs))
        ]
        words = {c.name for c in told if any(isinstance(c.of(run), str) for run in self._runs)}
        self.right = {*chosen} - words - {RUN, MARK, STATE}

    def _tells(self, column: Column) -> bool:
        """Whether it is worth a column at all."""
        if column.name in (RUN, STATE):
            return False
        values = [column.of(run) for run in self._runs]
        if column in self._asked:  # but for what all have, since it was asked to be so
            return len(self._runs) == 1 or any(value != values[0] for value in values)
        if column.kind == PARAMETER:
            differ = any(value != values[0] for value in values)
            return column.key not in HIDDEN and (differ or len(values) == 1)
        if column.kind == BEST:
            return any(
                value is not None and value != run.metrics[column.key].last
                for value, run in zip(values, self._runs, strict=True)
            )
        if column.kind == METRIC and len(self._runs) > 1:  # of a result, it may be the course
            result = Column(column.key, RESULT, column.key)
            return any(_text(column, run) != _text(result, run) for run in self._runs)
        return column.kind in (RESULT, METRIC)

    def _ranks(
        self, parameters: Sequence[Column], swept: Collection[Column], is_cut: bool
    ) -> dict[Column, int]:
        """How much each of the parameters tells; of those that say the same, the shortest does.

        ``swept``: those that the names say. ``is_cut``: the names are not shown in full.
        """
        ranks: dict[Column, int] = {}
        for each in parameters:
            values = [each.of(run) for run in self._runs]
            own = [value for value in values if value is not None]
            is_derived = (
                each.key.rpartition(".")[2] in DERIVED
                or each.key in ORIGINS
                or any(isinstance(value, str) and _is_long(value) for value in own)
            )
            is_same = len(values) > 1 and all(value == own[0] for value in own)
            if is_derived or is_same:
                ranks[each] = INFERRED
            elif each in swept:
                ranks[each] = SWEPT if is_cut else REPEATED
            else:
                ranks[each] = OTHER
        seen: set[str] = set()
        for each in sorted(ranks, key=lambda column: (ranks[column], len(column.name))):
            text = repr([each.of(run) for run in self._runs])
            if text in seen and ranks[each] < INFERRED:
                ranks[each] = INFERRED
            seen.add(text)
        return ranks

    def _by_worth(self, columns: Sequence[Column], ranks: Mapping[Column, int]) -> list[str]:
        """The names of all columns, the most useful ones first."""
        results = [each for each in columns if each.kind == RESULT]
        first = [each for each in results if each.key.startswith(FIRST)]
        parameters = [each for each in columns if each.kind == PARAMETER]
        late = [each for each in parameters if ranks[each] >= INFERRED]
        metrics = [each for each in columns if each.kind == METRIC]
        main = self._main_results(first or results or metrics)
        ordered = [
            *self._asked,
            *main,
            *sorted((each for each in parameters if each not in late), key=lambda c: ranks[c]),
            *first,
            *metrics,
            *results,
            *(each for each in columns if each.kind == BEST),
        ]
        names = [each.name for each in ordered if each in columns]
        return list(dict.fromkeys([RUN, MARK, STATE, *names, TOOK, *(each.name for each in late)]))

    def _main_results(self, results: Sequence[Column]) -> list[Column]:
        """The first result of each model, of the first few models."""
        main: dict[str, Column] = {}
        for run in self._runs:
            has = (each for each in results if each.of(run) is not None)
            if run.model not in main and (first := next(has, None)):
                main[run.model] = first
        return list(dict.fromkeys(main.values()))[:MAIN]

    def _is_in_names(self, parameter: Column) -> bool:
        """Whether the versions' names say it: ``learning_rate=0.1``."""
        return parameter.key == "dataloader" or all(
            _is_said(f"{parameter.key}={value}", run.version)
            for run in self._runs
            if (value := parameter.of(run)) is not None
        )

    def _that_fit(
        self, cells: dict[str, list[str]], by_worth: Sequence[str], width: int | None
    ) -> set[str]:
        chosen = {RUN}
        left = (width or 0) - max((wide(text) for text in cells[RUN]), default=0)
        for name in by_worth:
            if name not in cells:
                continue
            needed = GAP + max([wide(name), *(wide(text) for text in cells[name])])
            if not any(cells[name]):
                chosen.add(name)  # it is not shown
            elif name != RUN and (width is None or needed <= left):
                chosen.add(name)
                left -= needed
        return chosen


def _label(run: Result, columns: Sequence[Column], longest: int) -> str:
    """The run's name, short: what ``columns`` say of it goes first, and then its middle."""
    if wide(run.run) <= longest:
        return run.run
    said = tuple(
        f"{column.key}={value}" for column in columns if (value := column.of(run)) is not None
    )
    parts = run.version.split(",")
    kept = [each for each in parts if each not in said and not each.endswith(_inner(said))]
    left = ",".join([*kept, "…"] if len(kept) < len(parts) else kept)
    return shortened(f"{run.model}/{left}#{run.attempt}", longest)


def _is_said(said: str, version: str) -> bool:
    """Whether a name says ``a.lr=1``, be it by the end of its key: ``lr=1,depth=2``."""
    return said in version or any(
        "=" in part and said.endswith(f".{part}") for part in version.split(",")
    )


def _inner(said: Sequence[str]) -> tuple[str, ...]:
    """How names end that say it of the same key in a group: ``params.lr=0.1``."""
    return tuple(f".{each}" for each in said)


def _text(column: Column, run: Result) -> str:
    value = column.of(run)
    return "" if value is None else shortened(shown(value, DIGITS), LONGEST)


def _took(run: Result) -> str:
    return "" if run.seconds is None else duration(run.seconds)


def _is_long(value: str) -> bool:
    """Whether a text follows from others, or is the path of a file that fills the table."""
    return "${" in value or (value.startswith("/") and wide(value) > LONGEST)
