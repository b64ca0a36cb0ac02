"""What is sent, to whom, and what happens when that fails: real processes and a real server."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import sys
import threading
from contextlib import closing

import pytest
from core.events import finished, rehearsed, starting
from projects import is_there, wait_until

from mlpipeline.core.ledger import Ledger
from mlpipeline.core.listening import Ended
from mlpipeline.core.notices import Occasion
from mlpipeline.core.runs import Outcome
from mlpipeline.execution.notifying import Notifier
from mlpipeline.state.layout import Layout
from mlpipeline.state.notify_config import Notify


class Session:
    """A project whose runs end as a test says, with a notifier that listens."""

    def __init__(self, folder):
        self.folder = folder
        self.layout = Layout.of(folder, folder, host="here")
        self.ledger = Ledger()
        self.said = []
        self.runs = 0

    def notifier(self, *, pause=0.0, on=tuple(Occasion), **settings):
        notify = Notify(on=frozenset(on), **settings)
        return Notifier(
            notify, self.layout, self.ledger, lambda _, text: self.said.append(text), pause=pause
        )

    def end(self, notifier, outcome=Outcome.FAILED, *, log="", **fields):
        self.runs += 1
        name = f"v{self.runs}"
        run = self.ledger.apply(starting(name, seconds=10 * self.runs), "here")
        folder = self.layout.run_folder(run.id)
        folder.path.mkdir(parents=True)
        folder.console.write_bytes(log.encode())
        event = finished(name, seconds=10 * self.runs + 5, outcome=outcome, **fields)
        run = self.ledger.apply(event, "here")
        notifier.ended(Ended(launched=None, run=run, exit=None, report=None))

    def told(self):
        """What the command wrote, a message a line."""
        path = self.folder / "told"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def session(tmp_path):
    return Session(tmp_path)


TELL = 'echo "$MLP_TITLE" >> told'


def work(notifier, condition):
    """Let the notifier work as the scheduler does, until ``condition()``."""

    def tick():
        notifier.tick()
        return condition()

    wait_until(tick)


def test_a_command_gets_all_there_is_to_know_of_a_failure(session):
    command = "env | grep -a '^MLP_' > told; cat > body; pwd > where; touch done"
    with closing(session.notifier(command=command, lines=2)) as notifier:
        session.end(
            notifier, reason="ValueError: no", log="one\n\033[31mtwo\033[0m\n0%\r50%\r100%\n"
        )
        work(notifier, (session.folder / "done").exists)

    told = dict(line.split("=", 1) for line in session.told() if line.startswith("MLP_"))
    assert told.pop("MLP_MESSAGE") == "m/v1#1 failed: ValueError: no"
    assert told.pop("MLP_LOG") == "two"  # and a second line
    assert told == {
        "MLP_EVENT": "failed",
        "MLP_RUN": "m/v1#1",
        "MLP_MODEL": "m",
        "MLP_VERSION": "v1",
        "MLP_ATTEMPT": "1",
        "MLP_OUTCOME": "failed",
        "MLP_REASON": "ValueError: no",
        "MLP_HOST": "here",
        "MLP_PROJECT": str(session.folder),
        "MLP_TITLE": "m/v1#1 failed: ValueError: no",
    }
    assert (session.folder / "body").read_text() == (
        "m/v1#1 failed: ValueError: no\non here, after 5.0 s\n\nlast lines of its log:\ntwo\n100%"
    )
    assert (session.folder / "where").read_text().strip() == str(session.folder)
    assert session.said == []


def test_only_what_is_asked_for_is_sent(session):
    with closing(session.notifier(on=["empty"], command=TELL)) as notifier:
        session.end(notifier)
        session.end(notifier, Outcome.SUCCEEDED)
        notifier.emptied("all is done")

    assert session.told() == [f"{session.folder.name}: the queue is empty"]


def test_a_run_that_was_asked_to_stop_is_no_failure(session):
    with closing(session.notifier(command=TELL)) as notifier:
        session.end(notifier, Outcome.INTERRUPTED)

    assert session.told() == []


def test_a_new_best_is_told_and_a_worse_run_is_not(session):
    with closing(session.notifier(on=["best"], command=TELL)) as notifier:
        for accuracy in (0.5, 0.7, 0.6):
            session.end(notifier, Outcome.SUCCEEDED, results={"test": {"accuracy": accuracy}})

    assert session.told() == ["m/v2#1 is the best: test.accuracy 0.7"]


def test_a_metric_that_no_run_has_is_warned_of_once(session):
    with closing(session.notifier(on=["best"], command=TELL, metric="accuracy")) as notifier:
        for accuracy in (0.5, 0.7):
            session.end(notifier, Outcome.SUCCEEDED, results={"test": {"accuracy": accuracy}})

    (said,) = session.said
    assert said == "m/v1#1 has no metric accuracy of [NOTIFY] (did you mean test.accuracy?)"


def test_a_thousand_failures_in_a_minute_become_two_messages(session):
    with closing(session.notifier(command=f"{TELL}; cat >> body", pause=60)) as notifier:
        for _ in range(1001):
            session.end(notifier, log="a line\n")
            notifier.tick()

    assert session.told() == ["m/v1#1 failed", f"{session.folder.name}: 1000 runs failed"]
    body = (session.folder / "body").read_text()
    assert "m/v2#1 failed\nm/v3#1 failed\nm/v4#1 failed\n… and 997 more\n" in body


def test_of_empty_queues_that_wait_the_newest_is_told(session):
    with closing(session.notifier(command="cat >> told; echo >> told", pause=60)) as notifier:
        for digest in ("first", "second", "third"):
            notifier.emptied(digest)

    assert session.told() == ["first", "third"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo out; echo first >&2; echo no such room >&2; exit 3", "exit status 3: no such room"),
        ("exit 1", "exit status 1"),
        ("no-such-command", "exit status 127: "),
        ("kill -9 $$", "SIGKILL"),
    ],
)
def test_a_command_that_fails_is_reported_with_its_last_words(session, command, said):
    with closing(session.notifier(command=command)) as notifier:
        session.end(notifier)

    (warning,) = session.said
    assert warning.startswith(f"the command of [NOTIFY] failed with {said}")


def test_a_command_that_hangs_is_ended_with_all_it_started(session):
    command = "sleep 1000 & echo $! > pid; touch there; wait"
    with closing(session.notifier(command=command, timeout=0.5)) as notifier:
        session.end(notifier)
        work(notifier, lambda: session.said)

    assert session.said == [
        "the command of [NOTIFY] takes longer than timeout (0.5 s) and was ended"
    ]
    wait_until(lambda: not is_there(int((session.folder / "pid").read_text())))


def test_a_command_that_floods_its_outputs_and_reads_nothing_holds_up_nobody(session):
    command = "yes | head -c 5000000 >&2; yes | head -c 5000000; touch done; exit 1"
    with closing(session.notifier(command=command)) as notifier:
        session.end(notifier, log="x" * 100_000)
        work(notifier, lambda: session.said)

    assert (session.folder / "done").exists()
    assert session.said == ["the command of [NOTIFY] failed with exit status 1: y"]


def test_what_is_not_sent_at_the_end_of_a_session_is_ended_and_said(session):
    with closing(session.notifier(command="echo $$ > pid; sleep 1000", timeout=1)) as notifier:
        session.end(notifier)
        session.end(notifier)
        wait_until(lambda: (session.folder / "pid").exists() and _pid(session))

    assert not is_there(_pid(session))
    assert [said for said in session.said if "was ended" in said] != []


def _pid(session):
    return int((session.folder / "pid").read_text() or 0)


def test_what_can_be_sent_at_the_end_of_a_session_is_sent(session):
    with closing(session.notifier(command=TELL, pause=1000)) as notifier:
        for _ in range(3):
            session.end(notifier)

    assert session.told() == ["m/v1#1 failed", f"{session.folder.name}: 2 runs failed"]


def test_what_is_held_is_counted_apart_from_runs_that_failed(session):
    with closing(session.notifier(command=TELL, pause=60)) as notifier:
        session.end(notifier)
        work(notifier, lambda: session.told() and not notifier._outstanding())
        session.end(notifier)
        session.end(notifier)
        notifier.held(rehearsed("w", problem="failed: typo"))

    name = session.folder.name
    assert session.told()[1:] == [f"{name}: 2 runs failed, 1 version is held"]


def test_a_project_that_is_gone_is_said_and_nothing_more(session):
    notifier = session.notifier(command="true")
    notifier.emptied("x")
    notifier.close()
    session.folder.rename(session.folder.with_name("elsewhere"))
    notifier.emptied("y")
    notifier.close()

    (said,) = session.said
    assert "the command of [NOTIFY] can't be started" in said


def test_logs_and_reasons_that_no_process_could_be_given_are_cut(session):
    command = 'printf %s "$MLP_LOG" | wc -c > told; printf %s "$MLP_REASON" | wc -c >> told'
    with closing(session.notifier(command=command, lines=100_000)) as notifier:
        session.end(
            notifier,
            reason="é" * 200_000,
            log="é\0\udc80".encode("utf-8", "replace").decode() * 300_000,
        )

    log, reason = map(int, session.told())
    assert 10_000 < reason <= 16_000
    assert log <= 16_000
    assert session.said == []


def test_a_folder_whose_name_is_no_text_keeps_nothing_from_being_sent(tmp_path):
    folder = tmp_path / os.fsdecode(b"a\xff\nb")
    folder.mkdir()
    session = Session(folder)
    with closing(session.notifier(command=TELL, urls=("json://127.0.0.1:1",))) as notifier:
        notifier.emptied("\ud800\0")

    assert session.told() == ["a b: the queue is empty"]


# --- by apprise


@pytest.fixture
def needs_apprise():
    if importlib.util.find_spec("apprise") is None:
        assert "MLPIPELINE_REQUIRE_ALL" not in os.environ, "apprise is not installed"
        pytest.skip("apprise is not installed")


@pytest.fixture
def server():
    """A web server that keeps what it is sent."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            self.server.taken.append(json.loads(self.rfile.read(length)))
            self.send_response(self.server.answer)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.taken, made.answer = [], 200
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.usefixtures("needs_apprise")
def test_an_address_gets_the_message(session, server):
    url = f"json://127.0.0.1:{server.server_port}"
    with closing(session.notifier(urls=(url,))) as notifier:
        session.end(notifier, reason="ValueError: no", log="last words\n")
        work(notifier, lambda: server.taken)

    (message,) = server.taken
    assert message["title"] == "m/v1#1 failed: ValueError: no"
    assert message["message"].endswith("last words")
    assert message["type"] == "failure"
    assert session.said == []


@pytest.mark.usefixtures("needs_apprise")
def test_an_address_can_be_kept_in_the_environment(session, server, monkeypatch):
    monkeypatch.setenv("CHAT_URL", f"json://127.0.0.1:{server.server_port}")
    with closing(session.notifier(urls=("$CHAT_URL", "${OTHER_URL}"))) as notifier:
        session.end(notifier)

    assert len(server.taken) == 1
    assert session.said == [
        "the url of [NOTIFY] failed with exit status 1: ${OTHER_URL} is not set in the environment"
    ]


@pytest.mark.usefixtures("needs_apprise")
def test_no_part_of_an_address_is_said_or_on_a_command_line(session, server):
    server.answer = 401
    where = f"127.0.0.1:{server.server_port}"
    urls = (f"json://hush:s3cret@{where}/t0ken", "nosuch://t0ken/s3cret", f"json://{where}/t0ken")
    lines = []
    with closing(session.notifier(urls=urls)) as notifier:
        session.end(notifier)
        (courier,) = notifier._couriers
        pid = courier._under_way._process.pid
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            lines.append(file.read().decode())
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            lines.append(file.read().decode())
        work(notifier, lambda: session.said)

    (said,) = session.said
    assert "json://… did not take it: " in said
    assert "is none that apprise understands" in said
    for secret in ("hush", "s3cret", "t0ken", str(server.server_port)):
        assert secret not in said
        assert secret not in "".join(lines)


def test_without_apprise_the_remedy_is_said(session, monkeypatch):
    (session.folder / "blind").mkdir()
    (session.folder / "blind" / "apprise.py").write_text("raise ImportError('none here')")
    monkeypatch.setenv("PYTHONPATH", str(session.folder / "blind"))
    with closing(session.notifier(urls=("json://127.0.0.1:1",))) as notifier:
        session.end(notifier)

    (said,) = session.said
    assert said.endswith("apprise is not installed: pip install 'mlpipeline[notify]'")


def test_what_is_missing_for_an_address_is_said_at_the_start(session, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with closing(session.notifier(urls=("$CHAT_URL", "json://127.0.0.1:1"))) as notifier:
        notifier.ready()

    assert session.said == [
        "$CHAT_URL in url of [NOTIFY] is not set in the environment",
        "url of [NOTIFY] sends nothing: apprise is not installed: pip install 'mlpipeline[notify]'",
    ]
