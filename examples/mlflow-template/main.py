"""The pipeline: runs the steps that are asked for, each a project of MLflow's, in their order."""

import difflib
import sys
from pathlib import Path

import hydra
import mlflow
from omegaconf import DictConfig

ROOT = Path(__file__).resolve().parent
ARTIFACTS = ROOT / "artifacts"


def chosen_steps(config: DictConfig) -> list[str]:
    """The steps that ``main.steps`` names, in the order of the pipeline."""
    known = list(config.execute_steps)
    if config.steps == "all":
        return known
    wanted = []
    for name in str(config.steps).split(","):
        step = config.aliases.get(name.strip(), name.strip())
        if step not in known:
            near = difflib.get_close_matches(step, [*known, *config.aliases], n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            sys.exit(f"steps={config.steps}: there is no step {step!r}{hint}; steps are: {known}")
        wanted.append(step)
    return [step for step in known if step in wanted]


def parameters_of(step: str, config: DictConfig) -> dict[str, object]:
    """What each step is given."""
    forest = config.modeling.random_forest
    return {
        "download": {
            "file_url": config.data.file_url,
            "output_artifact": ARTIFACTS / "raw_data.csv",
        },
        "basic_cleaning": {
            "input_artifact": ARTIFACTS / "raw_data.csv",
            "output_artifact": ARTIFACTS / "clean_data.csv",
            "min_words": config.data.min_words,
        },
        "segregate": {
            "input_artifact": ARTIFACTS / "clean_data.csv",
            "train_artifact": ARTIFACTS / "train_data.csv",
            "test_artifact": ARTIFACTS / "test_data.csv",
            "test_size": config.data.test_size,
            "random_seed": config.main.random_seed,
        },
        "train_random_forest": {
            "train_artifact": ARTIFACTS / "train_data.csv",
            "output_artifact": ARTIFACTS / "model.pkl",
            "max_tfidf_features": config.modeling.max_tfidf_features,
            "n_estimators": forest.n_estimators,
            "max_features": forest.max_features,
            "max_depth": forest.max_depth or 0,
            "random_seed": config.main.random_seed,
        },
        "evaluate": {
            "model_artifact": ARTIFACTS / "model.pkl",
            "test_artifact": ARTIFACTS / "test_data.csv",
            "output_artifact": ARTIFACTS / "metrics.json",
        },
    }[step]


@hydra.main(config_path=".", config_name="config", version_base="1.3")
def go(config: DictConfig) -> None:
    """Run the steps."""
    steps = chosen_steps(config.main)
    with mlflow.start_run():  # the runs of the steps are below it
        for step in steps:
            print(f"step {step}", flush=True)
            _ = mlflow.run(
                str(ROOT / "src" / step),
                "main",
                env_manager="local",
                parameters={
                    name: str(value) for name, value in parameters_of(step, config).items()
                },
            )


if __name__ == "__main__":
    go()
