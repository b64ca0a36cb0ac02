"""Hydra configs with a bit of everything, in a folder."""

import textwrap
from pathlib import Path

CONFIGS = {
    "config": """
        defaults:
          - _self_
          - model: cnn
          - db@store: lite
          - optional extra: null
        params: {lr: 0.1, batch_size: 32, nested: {a: 1, b: [1, 2]}, note: null}
        paths:
          out: ${hydra:runtime.output_dir}
          data: ${hydra:runtime.cwd}/data
          hour: ${now:%H}
          name: ${model.name}-${params.lr}
        alias: ${params}
        must: ???
        cluster: {pw: abc, user: me}
        """,
    "model/cnn": "{name: cnn, depth: 3, layers: [8, 8]}",
    "model/mlp": "{name: mlp, width: 4}",
    "db/lite": "{file: a.db, timeout: 5}",
    "db/pg": "{host: localhost, timeout: 7, password: hunter2}",
    "extra/more": "{x: 1}",
    "empty": "",
}


def write_configs(folder: Path) -> Path:
    """The folder ``conf`` in ``folder``."""
    for name, text in CONFIGS.items():
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
    return folder / "conf"
