"""What `mlpipeline doctor` finds, and what never leaves its place."""

import json
import os
import signal
import stat
import subprocess

import pytest
from projects import is_there, lose_scheduler, skip_without, wait_until


@pytest.fixture
def ran(project):
    """A project in which two versions have run."""
    project.model("m.py", "a", "b", body="self.add_to_summary('wide')")
    project.list("m.py")
    project.run("-r", "-u")
    return project


def journal(project):
    (path,) = project.outputs.glob("history-*")
    return path


def test_a_healthy_project_is_well(ran):
    done = ran.run("doctor")

    assert (done.returncode, done.stdout) == (0, "all is well\n")


def test_a_project_that_never_ran_is_well(project):
    done = project.run("doctor")

    assert done.returncode == 0
    assert "nothing has run yet" in done.stdout


def damage_journal(project):
    with journal(project).open("ab") as file:
        file.write(b"garbage\n{torn")


def break_list(project):
    (project.folder / "models_test.config").write_text("nonsense\n")


def break_script(project):
    project.script("m.py", "raise ValueError\n")


def misspell_key(project):
    project.configure(paralel=3)


def lack_room(project):
    project.configure(min_free_disk=10**6)


def remove_folder(project):
    subprocess.run(["rm", "-r", project.folder_of("m", "a")], check=True)


def come_from_the_future(project):
    text = journal(project).read_text()
    journal(project).write_text(
        text.replace('"at":"20', '"at":"21').replace('_at":"20', '_at":"21')
    )


def be_silent_elsewhere(project):
    first = journal(project).read_text().splitlines()[0].replace('"version":"a"', '"version":"c"')
    (project.outputs / "history-gone").write_text(first + "\n")


def leave_an_end_unrecorded(project):
    first = "".join(line + "\n" for line in journal(project).read_text().splitlines()[:-1])
    journal(project).write_text(first)


def cut_a_claim(project):
    (project.outputs / "claims" / "m" / "a" / "1").write_bytes(b'{"ho')


TROUBLES = {
    cut_a_claim: ["claims/m/a/1 does not say which host it is of", "delete the file"],
    damage_journal: [":5: damaged; the line is left out", "ends within a record (5 bytes)"],
    break_list: ["models_test.config:1: 'nonsense' stands before any section"],
    break_script: ["models.config: m.py: it raises ValueError when it is imported"],
    misspell_key: ["unknown key paralel (did you mean parallel?)"],
    lack_room: ["GB free, and min_free_disk is 1e+06", "make room, or set min_free_disk"],
    remove_folder: ["m/a#1: its folder is gone"],
    come_from_the_future: ["which is yet to come", "set the clocks"],
    be_silent_elsewhere: ["gone has 1 runs", "mlpipeline retry --lost-host gone"],
    leave_an_end_unrecorded: ["m/b#1 has ended, and that is not recorded", "mlpipeline -r -u"],
}


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_the_doctor_says_what_is_wrong_and_what_to_do(ran, trouble):
    trouble(ran)

    done = ran.run("doctor")

    assert done.returncode == 1
    assert [words for words in TROUBLES[trouble] if words not in done.stdout] == [], done.stdout
    assert done.stderr == ""


def test_the_doctor_finds_processes_of_runs_that_are_over(project):
    lose_scheduler(project, until="go")
    alive = project.run("doctor")
    processes = json.loads((project.folder_of("m", "v") / "proc.json").read_text())
    end = {"event": "finished", "v": 1, "outcome": "lost", "at": "2024-01-01T00:00:00Z"}
    end |= {"ended_at": end["at"], "run": project.history()[0]["run"]}
    with journal(project).open("a") as file:
        file.write(json.dumps(end) + "\n")

    leftover = project.run("doctor")

    assert "m/v#1 goes on without a scheduler" in alive.stdout
    assert alive.returncode == 0
    assert "m/v#1 is over, but its processes are there" in leftover.stdout
    assert leftover.returncode == 1
    (project.folder / "go").touch()
    wait_until(lambda: not is_there(processes["supervisor"]["pid"]))


def test_the_doctor_changes_nothing(ran):
    damage_journal(ran)
    before = {path: path.read_bytes() for path in ran.outputs.rglob("*") if path.is_file()}

    ran.run("doctor")

    after = {path: path.read_bytes() for path in ran.outputs.rglob("*") if path.is_file()}
    assert {path: text for path, text in after.items() if "lock" not in path.name} == {
        path: text for path, text in before.items() if "lock" not in path.name
    }


def test_the_output_is_made_again_from_the_run_folders(ran):
    (output,) = ran.outputs.glob("output-*")
    before = output.read_text()
    output.write_bytes(b"\0" * 100)

    done = ran.run("doctor", "--rebuild")

    assert "has the blocks of 2 runs" in done.stdout
    assert output.read_text() == before


def test_what_looks_secret_is_masked_in_every_record_and_screen(project):
    project.script(
        "m.py",
        """
        from _base import *
        made = versions()
        made.add("v", api_token="t0psecret", password="t0psecret", aws_key="t0psecret",
                 net={"client_secret": "t0psecret"}, max_tokens=512, tokenizer="bpe",
                 auth_tokens=["t0psecret"], apikey="t0psecret", passwd="t0psecret",
                 store="https://user:t0psecret@host/bucket")
        made.add_grid(api_key=["t0psecret", "t0psecret2"])
        made.add_grid(db=[{"password": "t0psecret"}, {"password": "t0psecret2"}])
        class Silent(Model):
            def train_model(self, input_fn, steps):
                if self.current_version.name == "v":
                    assert self.current_version["password"] == "t0psecret"
        MODEL = Silent(made)
        """,
    )
    project.list("m.py")

    session = project.run("-r")
    status = project.run("status")
    as_json = project.run("status", "--json")

    said = session.stdout + session.stderr + status.stdout + as_json.stdout
    records = {path: path.read_bytes() for path in project.outputs.rglob("*") if path.is_file()}
    assert "t0psecret" not in said
    kept = project.outputs / "sources"  # the script itself, for its owner alone
    leaks = [path for path, text in records.items() if b"t0psecret" in text]
    assert [path for path in leaks if path.parent != kept] == []
    assert kept.stat().st_mode & 0o077 == 0
    assert set(project.outcomes().values()) == {"succeeded"}
    parameters = project.record("m", "v")["parameters"]
    assert (parameters["password"], parameters["max_tokens"]) == ("***", 512)
    assert parameters["tokenizer"] == "bpe"
    assert parameters["store"] == "https://user:***@host/bucket"


def test_of_the_environment_only_what_is_allowed_is_recorded(project):
    project.model("m.py", "v")
    project.list("m.py")

    project.run("-r", MY_ENVIRONMENT="t0psecret")

    records = [path.read_bytes() for path in project.outputs.rglob("*") if path.is_file()]
    assert not any(b"t0psecret" in text for text in records)


@pytest.mark.parametrize(
    "shared, umask, mode", [(None, 0o002, 0o644), (None, 0o077, 0o600), ("yes", 0o022, 0o664)]
)
def test_files_are_the_users_and_the_groups_only_when_shared(project, shared, umask, mode):
    if shared:
        project.configure(shared=shared)
    project.model("m.py", "v", body="self.log('x', log_to_file=True); self.progress(1, loss=1.0)")
    project.list("m.py")

    before = os.umask(umask)
    try:
        project.run("-r")
    finally:
        os.umask(before)

    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in project.outputs.rglob("*")
        if path.is_file()
    }
    assert set(modes.values()) == {mode}, modes


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "..", "a/../../../evil", "x" * 300])
def test_a_name_never_leaves_its_folder(project, name):
    project.model("m.py", name)
    project.list("m.py")
    outside = {path for path in project.folder.iterdir() if path.name != "models"}

    project.run("-r")

    assert set(project.outcomes().values()) == {"succeeded"}
    made = {path for path in project.folder.iterdir() if path.name != "models"}
    assert made == outside
    assert all(path.is_relative_to(project.outputs) for path in project.outputs.rglob("*"))


def test_a_listed_path_that_leads_out_of_models_dir_is_refused(project, tmp_path):
    outside = tmp_path / "outside.py"
    outside.write_text("open('evil', 'w')\n")
    (project.models / "link.py").symlink_to(outside)
    project.list("link.py")

    done = project.run("-r")

    assert done.returncode == 2
    assert "link.py leaves models_dir" in done.stderr
    assert not (project.folder / "evil").exists()


def test_a_record_with_a_key_twice_is_not_taken_for_whole(project):
    project.model("m.py", "v", body="Path('began').touch(); wait_for_file('go')")
    project.list("m.py")
    session = project.start("-r", "-u")
    record = project.folder_of("m", "v") / "run.yaml"
    wait_until(record.exists)
    session.send_signal(signal.SIGKILL)
    session.communicate()
    record.write_text(record.read_text() + "parameters: {lr: 1}\n")
    (project.folder / "go").touch()

    done = project.run("-r", "-u")

    assert done.returncode == 0
    found = project.record("m", "v")
    assert "lr" not in found["parameters"]  # they are those of spec.json
    assert (found["model"], found["outcome"]) == ("m", "succeeded")


def test_an_outputs_folder_that_can_not_be_written_is_one_line_and_exit_code_2(project):
    project.model("m.py", "v")
    project.list("m.py")
    project.outputs.write_text("a file where the folder should be")

    done = project.run("-r")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_project_on_a_read_only_file_system_is_one_line_and_exit_code_2(project, tmp_path):
    project.model("m.py", "v")
    project.list("m.py")
    project.list("m.py", test=True)
    bind = ["mount", "--bind", str(project.folder), str(project.folder)]
    skip_without("mount", bind)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(project.folder)], check=True)
        session, status, rehearsal = project.run("-r"), project.run("status"), project.run()
    finally:
        subprocess.run(["umount", "--lazy", str(project.folder)], check=True)

    assert session.returncode == 2
    assert "Read-only file system" in session.stderr
    assert len(session.stderr.splitlines()) == 1
    assert (status.returncode, rehearsal.returncode) == (0, 0)


def test_a_file_system_that_lacks_locks_is_one_line_and_exit_code_2(project):
    project.model("m.py", "v")
    project.list("m.py")
    (project.folder / "sitecustomize.py").write_text(
        "import errno, fcntl\n"
        "def flock(*_): raise OSError(errno.ENOSYS, 'Function not implemented')\n"
        "fcntl.flock = flock\n"
    )

    done = project.run("-r", PYTHONPATH=str(project.folder))

    assert done.returncode == 2
    assert "can't be locked" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_archived_project_is_one_line_and_exit_code_2(ran):
    user = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    skip_without("drop rights", [*user, "true"])
    modes = {path: path.stat().st_mode for path in (*ran.folder.rglob("*"), ran.folder)}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)

    done = {
        name: subprocess.run(
            [*user, *ran.command(*name.split())], cwd=ran.folder, capture_output=True, text=True
        )
        for name in ("-r -u", "doctor", "doctor --rebuild", "stop", "status")
    }

    for path, mode in modes.items():
        path.chmod(mode)
    assert [name for name, each in done.items() if "Traceback" in each.stderr] == []
    assert done["status"].returncode == 0
    assert done["-r -u"].returncode == 2


def test_a_command_that_looks_at_the_lock_keeps_no_session_from_starting(ran):
    looking = [ran.start("doctor") for _ in range(3)]
    sessions = [ran.run("-r", "-u") for _ in range(5)]
    for each in looking:
        each.communicate(timeout=60)

    assert [session.returncode for session in sessions] == [0] * 5


def test_control_characters_of_a_script_do_not_reach_the_output_raw(project):
    project.model("m.py", "v", body=r"raise ValueError('a\0b\x1b[2Jc')")
    project.list("m.py")

    project.run("-r")

    output = project.text("output")
    assert {"\x00", "\x1b"} & set(output) == set()
    assert "a\\x00b\\x1b[2Jc" in output
