"""What @hydra.main saves of a job in its output folder, without the values of secrets."""

from __future__ import annotations

import os

from mlpipeline.api.hydra_adapter import DictConfig, HydraConfig, OmegaConf
from mlpipeline.api.keys import SECRET, looks_secret
from mlpipeline.api.sweeps import is_secret

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from typing import Any


def save_records(whole: DictConfig, task: DictConfig) -> None:
    """Write config.yaml, hydra.yaml and overrides.yaml as hydra.core.utils.run_job does.

    Into ``hydra.output_subdir`` of the output folder, if there is to be one. Raises OSError.
    """
    subfolder = whole.hydra.output_subdir
    if subfolder is None:
        return
    folder = os.path.join(whole.hydra.runtime.output_dir, subfolder)
    os.makedirs(folder, exist_ok=True)
    kv_sep = whole.hydra.job.config.override_dirname.kv_sep
    texts: dict[
        str, str
    ] = {}  # that have a secret -> what is written instead; also as they stand in a dirname
    for each in (*whole.hydra.overrides.task, *whole.hydra.overrides.hydra):
        if is_secret(each):
            masked = f"{each.partition('=')[0]}={SECRET}"
            texts |= {each: masked, each.replace("=", kv_sep): masked.replace("=", kv_sep)}
    _save(folder, "config.yaml", task, texts)
    _save(folder, "hydra.yaml", HydraConfig.instance().cfg, texts)
    _save(folder, "overrides.yaml", whole.hydra.overrides.task, texts)


def _save(folder: str, name: str, config: Any, secrets: dict[str, str]) -> None:
    container = OmegaConf.to_container(config, enum_to_str=True)
    masked = _masked(container, secrets)
    if masked != container:
        config = OmegaConf.create(masked)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(OmegaConf.to_yaml(config))


def _masked(value: Any, texts: dict[str, str], *, hide: bool = False) -> Any:
    """Plain data without secrets; ``hide``: it stands under the name of one."""
    if isinstance(value, dict):
        return {
            key: _masked(each, texts, hide=hide or looks_secret(str(key), each))
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_masked(each, texts, hide=hide) for each in value]
    if not isinstance(value, str):
        return SECRET if hide and value is not None else value
    if hide:
        return value if value in ("", "???") or value.startswith("${") else SECRET
    for text, masked in texts.items():
        value = value.replace(text, masked)
    return value
