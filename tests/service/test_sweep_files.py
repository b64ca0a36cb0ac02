"""The model file of a sweep says what it was written for."""

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mlpipeline.api.words import escaped
from mlpipeline.service.sweep_files import Sweep, SweptJob, earlier_jobs, text_of
from mlpipeline.sources.command import CommandModel
from mlpipeline.sources.command_file import CommandFile

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
OVERRIDES = st.builds("{}={}".format, TEXTS.filter(lambda text: text.strip("=")), TEXTS)
JOBS = st.lists(
    st.builds(
        SweptJob,
        name=st.text("abcxyz=,.-+~é 0123456789", min_size=1).filter(str.strip),
        overrides=st.lists(OVERRIDES, max_size=3).map(tuple),
        number=st.integers(0, 9999),
        dir=TEXTS.filter(str.strip),
        config=st.text("0123456789abcdef", min_size=12, max_size=12),
        handover=st.text("0123456789abcdef", max_size=16),
    ),
    unique_by=lambda job: job.name,
    min_size=1,
    max_size=4,
)


def sweep(jobs, **more) -> Sweep:
    given = {
        "model": "app-1",
        "said": "app.py -m a=1,2",
        "command": ("python", "app.py"),
        "cwd": "",
    }
    return Sweep(**{**given, **more}, jobs=tuple(jobs))


def job(name: str, *overrides: str) -> SweptJob:
    return SweptJob(name=name, overrides=overrides, number=0, dir="d", config="0" * 12)


@given(JOBS)
@example(
    [job("no", "a=null", "1=1e5", "0x1f=", "12:30=~", "~", "a: b=", "- c=#", "={x}=", "[y]=é")]
)
def test_what_is_written_is_read_the_same_by_the_queue_and_by_the_next_launch(
    tmp_path_factory, jobs
):
    text = text_of(sweep(jobs))
    path = tmp_path_factory.mktemp("sweep") / "app-1.yaml"
    path.write_text(text, "utf-8")

    assert list(earlier_jobs(path).values()) == jobs
    file = CommandFile(text.encode())
    assert [(each.name, tuple(each.overrides)) for each in file.versions] == [
        (each.name, each.overrides) for each in jobs
    ]
    assert [each.hydra["dir"] for each in file.versions] == [each.dir for each in jobs]


def test_a_command_with_braces_is_run_as_it_was():
    words = ["app.py", "+y={c:{d:1}}", "z={name}", "{{name}}", "${oc.env:A}"]
    text = text_of(
        sweep([job("a", "x={b:1}", "y={name}")], command=("{python}", *map(escaped, words)))
    )

    model = CommandModel(CommandFile(text.encode()))

    started = model.job("a", {"python": "/bin/python"})
    assert started.argv == ["/bin/python", *words, "x={b:1}", "y={name}"]


def test_the_rest_of_the_file_is_said_once():
    text = text_of(
        sweep(
            [job("a")],
            cwd="sub folder",
            preload=("torch",),
            chain="c",
            settings={"timeout": 60, "gpus": 0.5},
        )
    )

    content = yaml.safe_load(text)
    assert {key: content[key] for key in content if key not in ("versions", "command")} == {
        "cwd": "sub folder",
        "preload": ["torch"],
        "chain": "c",
        "timeout": 60,
        "gpus": 0.5,
    }


def test_the_folder_and_the_place_of_a_job_are_not_signed():
    def signature(**hydra):
        text = text_of(sweep([SweptJob(**{"name": "a", "overrides": ("x=1",), **hydra})]))
        from mlpipeline.sources import command

        return command.signature(CommandModel(CommandFile(text.encode())).versions.get("a"))

    here = {"number": 0, "dir": "d", "config": "0" * 12, "handover": "f"}
    assert signature(**here) == signature(**here | {"number": 1, "dir": "e", "handover": ""})
    assert signature(**here) != signature(**here | {"config": "1" * 12})


def test_a_file_that_is_no_sweep_has_no_earlier_jobs(tmp_path):
    path = tmp_path / "app.yaml"
    assert earlier_jobs(path) == {}
    for text in ("", "a: [", "versions: 3", "versions: [3, {name: a}, {hydra: {}}]", "\udcff"):
        path.write_text(text, "utf-8", "surrogateescape")
        assert earlier_jobs(path) == {}
