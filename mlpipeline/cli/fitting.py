"""Which columns of a table of results are shown, and in what words: the most useful that fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence

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
# Parameters that tell a person little: in the record they are.
HIDDEN = ("model_dir_suffix",)


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
        longest = None if width is None else min(LONGEST_NAME, width // 2)
        cells = {
            RUN: [shortened(run.run, longest) if longest else run.run for run in self._runs],
            MARK: ["*" if run.run == found.best else "" for run in self._runs],
            STATE: [run.state for run in self._runs],
        }
        if all(run.state == "succeeded" for run in self._runs):
            del cells[STATE]
        told = [column for column in columns if self._tells(column)]
        told.sort(key=lambda column: column not in asked)
        cells |= {column.name: [_text(column, run) for run in self._runs] for column in told}
        cells[TOOK] = [_took(run) for run in self._runs]
        chosen = self._that_fit(cells, [*cells] if width is None else self._by_worth(told), width)
        self.more = len(cells) - len(chosen)
        self.columns = [name for name in cells if name in chosen]
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
        return column.kind in (RESULT, METRIC)

    def _by_worth(self, columns: Sequence[Column]) -> list[str]:
        """The names of all columns, the most useful ones first."""
        results = [each for each in columns if each.kind == RESULT]
        first = [each for each in results if each.key.startswith(FIRST)]
        main = self._main_results(first or results)
        parameters = [each for each in columns if each.kind == PARAMETER]
        repeated = [each for each in parameters if self._is_in_names(each)]
        metrics = [each for each in columns if each.kind == METRIC]
        ordered = [
            *self._asked,
            *main,
            *(each for each in parameters if each not in repeated),
            *first,
            *metrics,
            *results,
            *(each for each in columns if each.kind == BEST),
        ]
        names = [each.name for each in ordered if each in columns]
        return list(
            dict.fromkeys([RUN, MARK, STATE, *names, TOOK, *(each.name for each in repeated)])
        )

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
            f"{parameter.key}={parameter.of(run)}" in run.version for run in self._runs
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


def _text(column: Column, run: Result) -> str:
    value = column.of(run)
    return "" if value is None else shortened(shown(value, DIGITS), LONGEST)


def _took(run: Result) -> str:
    return "" if run.seconds is None else duration(run.seconds)
