"""What a model file may be, and what a command is made of, by their names. Imports nothing."""

SCRIPT = ".py"  # a Python script with a global MODEL
COMMAND = (".yaml", ".yml")  # a command with its versions
SUFFIXES = (SCRIPT, *COMMAND)
# Files of these kinds are what a command is made of, and not what it writes.
CODE = (
    ".py",
    ".sh",
    ".bash",
    ".R",
    ".r",
    ".jl",
    ".pl",
    ".rb",
    ".js",
    ".ts",
    ".lua",
    ".m",
    ".ipynb",
)


def model_name(path: str) -> str:
    """The model's name: its path in models_dir without the suffix."""
    for suffix in SUFFIXES:
        if path.endswith(suffix):
            return path[: -len(suffix)]
    return path


def is_model_file(path: str) -> bool:
    """Whether a model file may be called so."""
    return path.endswith(SUFFIXES)


def is_command_file(path: str) -> bool:
    """Whether a model file of that name is a command with its versions."""
    return path.endswith(COMMAND)
