"""One listed model in the index of the queue (agenda.py): the place of each of its versions, and
how many of those that it comes after are not done.
"""

from __future__ import annotations

from mlpipeline.core.lines import Line
from mlpipeline.core.listed import ListedModel
from mlpipeline.core.planning import Rules
from mlpipeline.core.slots import Asks
from mlpipeline.core.stages import Stages
from mlpipeline.core.standings import Behind, Standing, State

Lane = tuple[int, bool, int]  # see Indexed.lane

# Where a version is found in the index, which has a byte for each.
ELSEWHERE, FRESH, RESUMED, LATER, BEHIND, DONE, STUCK = range(7)
QUEUED = (FRESH, RESUMED, LATER, BEHIND)

WAITS, IS_STUCK = Behind(), Behind(stuck=True)


class Indexed:
    """A listed model, with the places of its versions."""

    __slots__ = (
        "asks",
        "lines",
        "model",
        "not_done",
        "numbers",
        "places",
        "rank",
        "stages",
        "stuck",
        "versions",
    )

    def __init__(self, model: ListedModel):
        versions = () if model.problem else model.versions
        self.model = model
        self.stages: Stages | None = None if model.problem else model.stages
        # With those that are not listed, and waited for all the same.
        self.versions = (*versions, *model.left_out) if self.stages else versions
        self.rank = 0  # its place in the list
        self.asks = frozenset(version.asks for version in versions)
        self.numbers = {version.name: number for number, version in enumerate(self.versions)}
        self.places = bytearray(len(self.versions))
        # How many of those that a version comes after are not done, and are stuck.
        self.not_done = [len(before) for before in self.stages.before] if self.stages else []
        self.stuck = [0] * len(self.not_done)
        # What may start, by what it asks for and whether it resumes; none of them is empty.
        self.lines: dict[tuple[Asks, bool], Line] = {}

    def lane(self, resumes: bool) -> Lane:
        """Where a line of it stands among those of other models: a smaller one goes first."""
        return -self.model.priority, not resumes, self.rank

    def model_dir(self, number: int) -> str:
        """That of a version."""
        return self.versions[number].model_dir

    def standing(self, number: int, rules: Rules) -> Standing:
        """Where a version stands now."""
        version = self.versions[number]
        if self.stages is None:
            return rules.standing(self.model, version)
        if number >= self.stages.listed:
            return rules.left_out(self.model, version)
        return rules.standing(self.model, version, self._behind(number))

    def settle(self, number: int, place: int) -> list[int]:
        """Note the place of a version; returns those after it for which that settles something."""
        before, self.places[number] = self.places[number], place
        done = (place == DONE) - (before == DONE)
        stuck = (place == STUCK) - (before == STUCK)
        if self.stages is None or not (done or stuck):
            return []
        turned = []
        for each in self.stages.after[number]:
            was = self._behind(each)
            self.not_done[each] -= done
            self.stuck[each] += stuck
            if self._behind(each) is not was:
                turned.append(each)
        return turned

    def _behind(self, number: int) -> Behind | None:
        if self.stuck[number]:
            return IS_STUCK
        return WAITS if self.not_done[number] else None

    def is_as(self, model: ListedModel) -> bool:
        """Whether its versions stand where those of ``model`` do: it has only moved."""
        mine = self.model
        unchanged = mine.versions is model.versions and mine.problem == model.problem
        unchanged = unchanged and mine.left_out == model.left_out
        return unchanged and (mine.digest, mine.others) == (model.digest, model.others)


def place_of(standing: Standing) -> int:
    """Where in the index a version is found that stands so."""
    if standing.state is State.DONE:
        return DONE
    if standing.state is not State.QUEUED:
        return STUCK if standing.is_stuck else ELSEWHERE
    if standing.behind:
        return BEHIND
    if standing.not_before:
        return LATER
    return RESUMED if standing.resumes else FRESH
