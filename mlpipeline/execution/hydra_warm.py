"""Preloaded where runs are jobs of Hydra's: what all of them import, and what parsers learn."""

from __future__ import annotations

import pickle
from importlib import import_module

from mlpipeline.api.hydra_adapter import OmegaConf, OverridesParser, hydra_utils, setup_globals
from mlpipeline.execution import hydra_job  # noqa: F401 - that is what it is for

# What a job's config, its logging and its records bring in.
MODULES = (
    *("logging.config", "logging.handlers", "omegaconf._impl", "hydra.conf"),
    *("hydra._internal.logging_config", "hydra._internal.core_plugins.basic_sweeper"),
    *("hydra_plugins.mlpipeline_launcher", "mlpipeline.sources.command"),
    *("mlpipeline.execution.program", "mlpipeline.api.saying"),
)
OVERRIDES = ["a=1", "a.b=0.1", "+a.b=c", "a/b=c", "~a", "a=[1,b]", "a={b:1}", "a='b c'", "a=/b/c"]
CONFIG = {
    "a": "${b.c}/${now:%Y-%m-%d}/${now:%H-%M-%S}-${b.c}.log",
    "b": {"c": "${d}", "e": [1, 2.0, None, True]},
    "d": "f",
}


def _warm() -> None:
    for module in MODULES:
        import_module(module)
    setup_globals()
    OverridesParser.create().parse_overrides(OVERRIDES)
    config = OmegaConf.create(CONFIG)
    OmegaConf.to_container(pickle.loads(pickle.dumps(config)), resolve=True)
    OmegaConf.to_yaml(config)
    hydra_utils.get_args_parser().parse_args([])


_warm()
