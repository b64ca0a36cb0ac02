"""The app's commands: each prints the part of the config that it works on."""

import json
from collections.abc import Callable

import hydra
from omegaconf import DictConfig, OmegaConf

# For each command, the parts of the config that it works on.
PARTS = {
    "preprocessing": ("dataset", "p_param"),
    "modeling": ("model", "m_param"),
    "deployment": ("cluster",),
}
SUBCOMMANDS = ("foo", "bar")


def foo(command: str, cfg: DictConfig) -> None:
    """The first way to do a command."""
    print_parts(command, cfg)
    print("Do something here!")


def bar(command: str, cfg: DictConfig) -> None:
    """The other way."""
    print_parts(command, cfg)
    print("Do something else here!")


def print_parts(command: str, cfg: DictConfig) -> None:
    """Print what `command` works on, as JSON."""
    for part in PARTS[command]:
        print(f"{part}:")
        print(json.dumps(OmegaConf.to_container(cfg[part], resolve=True), indent=2))


def print_help() -> None:
    """Print the tree of commands, with the arguments that choose each."""
    print("Commands, and the arguments that choose them:")
    for command in PARTS:
        print(f"├── {command}")
        for subcommand in SUBCOMMANDS:
            corner = "└" if subcommand == SUBCOMMANDS[-1] else "├"
            print(f"│   {corner}── {subcommand}  -> c={command} c/{command}_sub={subcommand}")
    print("└── help     -> c=help")


@hydra.main(config_path="config", config_name="config", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Do the command that the config names."""
    command: str = cfg.c.name
    if command == "help":
        print_help()
        return
    subcommand: str = cfg.c[f"{command}_sub"].name
    run: Callable[[str, DictConfig], None] = {"foo": foo, "bar": bar}[subcommand]
    print(f"========== Run {command}'s '{subcommand}' subcommand ==========")
    run(command, cfg)


if __name__ == "__main__":
    main()
