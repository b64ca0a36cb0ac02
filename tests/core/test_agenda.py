"""The index of the queue says what a look at all of it says, whatever has happened in between."""

from datetime import timedelta

import msgspec
from core.events import MIDNIGHT, clock, finished, ordered, rehearsed, starting
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from mlpipeline.core.agenda import Agenda
from mlpipeline.core.ledger import Ledger
from mlpipeline.core.lines import Line
from mlpipeline.core.listed import ListedModel, ListedVersion, all_asks
from mlpipeline.core.orders import Order
from mlpipeline.core.planning import Claimed, Policy, Situation, explain, plan
from mlpipeline.core.runs import Claim, Fenced, Outcome, RunId
from mlpipeline.core.slots import UNCOUNTED, Asks, Held, Host
from mlpipeline.core.standings import State

POLICY = Policy(session="today", host="here", unattended=True, slots=8)

# --- lines


@given(st.data())
def test_a_line_is_walked_in_order_past_what_is_taken(data):
    places = data.draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
    begin = data.draw(st.sets(st.sampled_from(range(len(places)))))
    line, there = Line(places.__getitem__, sorted(begin)), set(begin)
    for number in data.draw(st.lists(st.sampled_from(range(len(places))))):
        (line.remove if number in there else line.add)(number)
        there ^= {number}
    taken = data.draw(st.sets(st.sampled_from("abc")))
    full = set(taken)

    assert bool(line) == bool(there)
    assert not there or line.first == min(there)
    assert list(line.walk(taken)) == [n for n in sorted(there) if places[n] not in taken]
    walked = []
    for number in line.walk(full):
        walked.append(places[number])
        full.add(places[number])
    assert walked == list(dict.fromkeys(places[n] for n in sorted(there) if places[n] not in taken))


# --- how much is looked at


def queue(count, **fields):
    versions = tuple(
        ListedVersion(
            name=f"v{number}",
            signature="s1",
            **{"model_dir": f"m-{number}", **fields},
        )
        for number in range(count)
    )
    return (ListedModel(name="m", path="m.py", versions=versions),)


def looked_at(looks, listed, ledger, **more):
    """How many start, and how many are looked at for that when the index is up to date."""
    at = Situation(listed=listed, ledger=ledger, policy=POLICY, now=clock(9), **more)
    agenda = Agenda(ledger)
    agenda.outlook(at)
    looks.clear()
    starts = plan(at, agenda.candidates(at))
    count = len(looks)
    assert starts == plan(at)
    return len(starts), count


def test_of_versions_that_share_a_model_dir_in_use_none_is_looked_at(looks):
    ledger = Ledger()
    ledger.apply(starting("v0", model_dir="m"), "here")

    assert looked_at(looks, queue(1000, model_dir="m"), ledger) == (0, 0)


def test_of_versions_that_share_a_free_model_dir_one_is_looked_at(looks):
    assert looked_at(looks, queue(1000, model_dir="m"), Ledger()) == (1, 1)


def test_of_versions_that_ask_for_the_same_that_is_not_free_one_is_tried(looks):
    ledger = Ledger()
    ledger.apply(starting("x", holds=Held(cpus=4)), "here")
    listed = queue(1000, asks=Asks(cpus=2))

    assert looked_at(looks, listed, ledger, host=Host(cpus=5)) == (0, 1)


def test_what_can_never_run_here_is_not_looked_at(looks):
    listed = queue(1000, asks=Asks(cpus=9))

    assert looked_at(looks, listed, Ledger(), host=Host(cpus=5)) == (0, 0)


def test_what_was_to_go_on_starts_afresh_when_another_has_used_its_model_dir():
    ledger, listed = Ledger(), queue(3, model_dir="m")
    agenda = Agenda(ledger)

    def planned():
        at = Situation(listed=listed, ledger=ledger, policy=POLICY, now=clock(9))
        return [(start.version.name, start.resume) for start in plan(at, agenda.candidates(at))]

    ledger.apply(starting("v1", model_dir="m"), "here")
    ledger.apply(finished("v1", outcome=Outcome.INTERRUPTED), "here")
    before = planned()
    ledger.apply(starting("other", model_dir="m", seconds=5), "here")
    ledger.apply(finished("other", seconds=6), "here")

    assert (before, planned()) == ([("v1", True)], [("v0", False)])


def test_a_record_has_only_the_version_that_it_is_about_looked_at(looks):
    ledger, listed = Ledger(), queue(100)
    agenda = Agenda(ledger)
    at = Situation(listed=listed, ledger=ledger, policy=POLICY, now=clock(9))
    agenda.outlook(at)
    looks.clear()

    ledger.apply(starting("v7"), "here")

    assert agenda.outlook(at).queued == 99
    assert looks == ["v7"]


def test_models_that_have_only_moved_are_not_looked_at_again(looks):
    listed = queue(3)
    agenda = Agenda(Ledger())
    at = Situation(listed=listed, ledger=Ledger(), policy=POLICY, now=clock(9))
    agenda.outlook(at)
    looks.clear()
    moved = msgspec.structs.replace(listed[0], priority=3)

    for models in ((*listed,), (moved,)):
        agenda.outlook(msgspec.structs.replace(at, listed=models))

    assert looks == []
    assert [start.model for start in plan(at, agenda.candidates(at))] == [listed[0]] * 3


# --- whatever has happened

NAMES, VERSION_NAMES, HOSTS = "mn", "abcde", ("here", "here", "there")
SIGNATURES, MODEL_DIRS = ("s1", "s1", "s1", "s2"), ("x", "y")
VERSIONS = st.builds(
    ListedVersion,
    name=st.sampled_from(VERSION_NAMES),
    signature=st.sampled_from(SIGNATURES),
    model_dir=st.sampled_from(MODEL_DIRS),
    asks=st.builds(
        Asks,
        cpus=st.sampled_from([0.0, 0.0, 0.0, 1.0, 3.0, 9.0]),
        gpus=st.sampled_from([None, None, None, 0.5, 1.0, 2.0]),
    ),
)
SCRIPTS = st.sampled_from(["d1", "d1", "d2"])


@st.composite
def models(draw):
    """A model of which some versions come after others, which need not be listed."""
    versions = draw(st.lists(VERSIONS, min_size=1, max_size=5, unique_by=lambda v: v.name))
    if draw(st.booleans()):
        versions = [
            msgspec.structs.replace(each, after=tuple(sorted(draw(after(each.name)))))
            for each in versions
        ]
    awaited = {name for each in versions for name in each.after} - {v.name for v in versions}
    return ListedModel(
        name=draw(st.sampled_from(NAMES)),
        path="p",
        sources={"p": draw(SCRIPTS)},
        priority=draw(st.sampled_from([0, 0, 1])),
        versions=tuple(versions),
        left_out=tuple(
            ListedVersion(name=name, signature=draw(st.sampled_from(SIGNATURES)), model_dir="x")
            for name in sorted(awaited)
        ),
        problem=draw(st.sampled_from(["", "", "", "", "broken"])),
    )


def after(name):
    """Some of the names before it: so there is no circle, and the list has any order."""
    before = [each for each in VERSION_NAMES if each < name]
    return st.sets(st.sampled_from(before), max_size=2) if before else st.just(set())


MODELS = models()
LISTS = st.lists(MODELS, min_size=1, max_size=2, unique_by=lambda m: m.name)
MACHINES = st.sampled_from(
    [
        UNCOUNTED,
        Host(cpus=4.0),
        Host(cpus=2.0, gpus=("0",)),
        Host(gpus=("0", "1"), busy=frozenset("1")),
    ]
)
TRIED_AGAIN = [Outcome.INTERRUPTED, Outcome.LOST]
ODD = [
    {"signature": "s2"},
    {"model_dir": "x"},
    {"model_dir": "y"},
    {"script": "d9"},
    {"resume": True},
    {"session": "yesterday"},
]
KEYS = st.tuples(st.sampled_from(NAMES), st.sampled_from(VERSION_NAMES))


class Lives(RuleBasedStateMachine):
    """Everything that a standing depends on changes at random; plans are made now and then."""

    @initialize(
        unattended=st.booleans(),
        rehearse=st.booleans(),
        retries=st.integers(0, 9),
        slots=st.integers(1, 5),
        listed=LISTS,
    )
    def begin(self, unattended, rehearse, retries, slots, listed):
        self.ledger = Ledger()
        self.agenda = Agenda(self.ledger)
        self.seconds = 0
        self.notes = 0
        self.is_due = True
        self.at = Situation(
            listed=tuple(listed),
            ledger=self.ledger,
            policy=Policy(
                session="today",
                host="here",
                unattended=unattended,
                rehearse=rehearse,
                retries=retries,
                retry_delay=timedelta(seconds=5),
                slots=slots,
            ),
            now=MIDNIGHT,
        )

    def change(self, **fields):
        self.at = msgspec.structs.replace(self.at, **fields)

    @rule(data=st.data(), how=st.sampled_from(["anew", "order", "priority", "script", "same"]))
    def edit_the_list(self, data, how):
        listed = self.at.listed
        if how == "anew":
            listed = data.draw(LISTS)
        elif how == "order":
            listed = data.draw(st.permutations(listed))
        elif how != "same" and listed:
            one = data.draw(st.sampled_from(listed))
            changed = (
                msgspec.structs.replace(one, priority=data.draw(st.integers(0, 2)))
                if how == "priority"
                else msgspec.structs.replace(one, sources={"p": data.draw(SCRIPTS)})
            )
            listed = [changed if each is one else each for each in listed]
        self.change(listed=(*listed,))

    @precondition(lambda self: any(model.versions for model in self.at.listed))
    @rule(
        data=st.data(),
        host=st.sampled_from(HOSTS),
        outcome=st.none() | st.sampled_from(Outcome) | st.sampled_from(TRIED_AGAIN),
        prepared=st.sampled_from([True, True, False]),
        holds=st.sampled_from([Held(), Held(cpus=1.0), Held(gpus={"0": 0.5})]),
        odd=st.just({}) | st.sampled_from(ODD),
    )
    def start(self, data, host, outcome, prepared, holds, odd):
        """Mostly as it is listed; with an ``outcome`` it ends at once."""
        model = data.draw(st.sampled_from([each for each in self.at.listed if each.versions]))
        version = data.draw(st.sampled_from([*model.versions, *model.left_out]))
        key = version.name, self.ledger.next_attempt(model.name, version.name)
        fields = {
            "signature": version.signature,
            "model_dir": version.model_dir,
            "script": model.digest,
            **odd,
        }
        shared = {"model": model.name, "seconds": self.seconds}
        self.ledger.apply(starting(*key, **shared, holds=holds, **fields), host)
        if outcome:
            self.ledger.apply(finished(*key, **shared, outcome=outcome, prepared=prepared), host)

    @precondition(lambda self: self.ledger.active())
    @rule(data=st.data(), outcome=st.sampled_from(Outcome), prepared=st.booleans())
    def end(self, data, outcome, prepared):
        run = data.draw(st.sampled_from(self.ledger.active()))
        key = run.id.version, run.id.attempt
        shared = {"model": run.id.model, "seconds": self.seconds}
        self.ledger.apply(finished(*key, **shared, outcome=outcome, prepared=prepared), run.host)

    @rule(key=KEYS, attempt=st.integers(1, 2), prepared=st.booleans())
    def fence(self, key, attempt, prepared):
        at, run = clock(self.seconds), RunId(*key, attempt)
        self.ledger.apply(Fenced(at=at, run=run, host="there", prepared=prepared), "here")

    @rule(key=KEYS, order=st.sampled_from(Order))
    def order(self, key, order):
        model, version = key
        self.notes += 1
        after = self.ledger.next_attempt(model, version) - 1
        self.ledger.note(ordered(order, version, model=model, number=self.notes, after=after))

    @rule(
        key=KEYS,
        signature=st.sampled_from(SIGNATURES),
        source=SCRIPTS,
        problem=st.sampled_from(["", "failed"]),
    )
    def rehearse(self, key, signature, source, problem):
        model, version = key
        script = ListedModel(name="m", path="p", sources={"p": source}).digest
        self.ledger.note(
            rehearsed(
                version,
                model=model,
                orders=self.notes,
                problem=problem,
                signature=signature,
                script=script,
            )
        )

    @rule(seconds=st.sampled_from([1, 5, 5, 20, -4]))
    def let_time_pass(self, seconds):
        self.seconds = max(0, self.seconds + seconds)
        self.change(now=clock(self.seconds))

    @rule(
        versions=st.sets(KEYS, max_size=2),
        model_dirs=st.sets(st.sampled_from(MODEL_DIRS), max_size=1),
        host=MACHINES,
        rehearsing=st.dictionaries(KEYS, st.just(Held(cpus=1.0)), max_size=1),
        passed=st.dictionaries(KEYS, st.integers(1, 5), max_size=2),
    )
    def change_what_is_around(self, versions, model_dirs, **others):
        def of(key):
            return Claim(host="there", run=RunId(*key, 1), model_dir="x", at=MIDNIGHT)

        claimed = Claimed(
            {key: of(key) for key in versions},
            {model_dir: of(("m", "a")) for model_dir in model_dirs},
        )
        self.change(claimed=claimed, **others)

    @rule()
    def let_more_happen(self):
        """Before the next plan."""
        self.is_due = False

    @invariant()
    def the_index_says_what_the_rules_say(self):
        if not self.is_due:
            self.is_due = True
            return
        at, agenda = self.at, self.agenda
        standings = explain(at)
        queued = [each for each in standings if each.state is State.QUEUED]
        ready = [each for each in queued if not each.not_before and not each.behind]

        assert plan(at, agenda.candidates(at)) == plan(at)

        found = list(agenda.candidates(at)(set(), set()))
        assert [_facts(each) for each in found] == [_facts(each) for each in ready]
        outlook = agenda.outlook(at)
        assert outlook.queued == len(queued)
        assert outlook.next_try == min(
            (each.not_before for each in queued if each.not_before), default=None
        )
        for skips in agenda.take_skips():
            stuck = {each.version.name for each in standings if each.is_stuck and each.version}
            there = any(each.model is skips.root.model for each in standings)
            assert not there or stuck.issuperset(skips.names)
        lacks = [each.lacks for each in ready if each.lacks]
        of_any = {each.lacks for each in queued if each.lacks} or {""}
        assert outlook.lacks in (lacks[:1] or of_any)
        assert agenda.asks == all_asks(model for model in at.listed if not model.problem)


def _facts(standing):
    return id(standing.model), standing.version.name, standing.resumes, standing.rehearses


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
