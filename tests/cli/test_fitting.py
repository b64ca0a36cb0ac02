"""Which columns a table of results has where there is no room for all."""

from datetime import UTC, datetime
from itertools import product

from mlpipeline.cli.fitting import ResultTable
from mlpipeline.service.results import MetricResult, Result, Results
from mlpipeline.service.selection import columns


def of(model, version, parameters, results, metrics=None):
    return Result(
        run=f"{model}/{version}#1",
        model=model,
        version=version,
        attempt=1,
        host="here",
        state="succeeded",
        reason="",
        resumed=False,
        started=datetime.now(UTC),
        seconds=1.0,
        parameters=parameters,
        results=results,
        metrics=metrics or {},
    )


def sweep():
    """What a sweep of twelve versions over a choice of models and two values comes to."""
    for model, epochs, lr in product(["linear", "mlp"], [1, 2, 3], [0.1, 0.01]):
        parameters = {
            "model._target_": f"sklearn.models.{model}.Classifier",
            "model.rate": "${params.lr}" if model == "mlp" else None,
            "command": f"python train.py model={model} params.epoch_count={epochs}",
            "epoch_count": epochs,
            "params.epoch_count": epochs,
            "params.lr": lr,
            "params.seed": 0,
        }
        version = f"model={model},params.epoch_count={epochs},params.lr={lr}"
        yield of("digits", version, parameters, {"test.loss": 0.25})


def table(runs, width):
    found = Results(runs=tuple(runs))
    made = ResultTable(found, columns(found.runs), width=width)
    return [name for name in made.columns if any(row[name] for row in made.rows)], made


def test_what_is_swept_comes_first_and_names_lack_what_columns_say():
    names, made = table(sweep(), 80)

    assert names == ["run", "epoch_count", "params.lr", "test.loss", "took"]
    assert [row["run"] for row in made.rows[::6]] == [
        *("digits/model=linear,…#1", "digits/model=mlp,…#1")
    ]
    assert made.more > 0


def test_what_follows_from_other_values_comes_after_them_where_there_is_room_for_all():
    names, made = table(sweep(), 300)

    assert names.index("params.lr") < names.index("model._target_")
    assert names.index("params.lr") < names.index("command")
    assert "params.seed" not in names
    assert made.rows[0]["run"] == "digits/model=linear,params.epoch_count=1,params.lr=0.1#1"


def test_a_value_that_is_the_same_in_all_that_have_it_waits_for_room():
    runs = [*sweep(), of("other", "x" * 80, {"params.seed": 0, "depth": 1}, {"test.loss": 1.0})]

    names, _ = table([*runs, of("other", "y", {"depth": 2}, {"test.loss": 1.0})], 80)

    assert "params.seed" not in names
    assert "params.lr" in names


def test_where_a_run_comes_from_and_long_paths_come_late():
    runs = [
        of(
            "p",
            f"depth={n}",
            {
                "data": f"/home/somebody/some/where/data-{n}.csv",
                "source": f"https://host/p{n}.git",
                "commit": f"{n}" * 40,
                "hydra_options": f"m.depth={n}",
                "m.depth": n,
            },
            {"loss": n},
        )
        for n in (1, 2)
    ]

    assert table(runs, 38)[0] == ["run", "m.depth", "loss", "took"]


def test_where_there_is_no_result_a_metric_comes_first_and_then_what_is_swept():
    score = MetricResult(last=0.25, last_step=1, best=0.25, best_step=1, count=1)
    runs = [
        of("m", f"{'long' * 12},lr={lr}", {"steps": f"{lr}" * 6, "lr": lr}, {}, {"score": score})
        for lr in (0.1, 0.01)
    ]

    names, _ = table(runs, 46)

    assert names == ["run", "lr", "score", "took"]
