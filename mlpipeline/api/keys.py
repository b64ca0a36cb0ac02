"""The fixed words between the pipeline and a model script."""

from enum import StrEnum


class ExecutionModeKeys(StrEnum):
    """How the pipeline runs a version: for real (``TRAIN``) or as a rehearsal (``TEST``)."""

    TRAIN = "Train"
    TEST = "Test"


class ModeKeys(StrEnum):
    """What a data loader's input is wanted for."""

    TRAIN = "Train"
    PREDICT = "Predict"
    EVALUATE = "Evaluate"


# Parameters of ours that are no experiment's.
TIMEOUT = "timeout"  # seconds that a run may take
CONSOLE_LIMIT = "console_limit"  # GB that are kept of what it prints
NO_LIMIT = "none"  # what says that all of it is

# Others of that kind: what a run asks of its host.
CPUS = "cpus"
MEMORY = "memory"  # GB
GPUS = "gpus"  # whole ones, or a share of one

AFTER = "after"  # one of that kind, too: the names of versions that must have succeeded before


SECRET = "***"  # what stands in records for the value of one


def looks_secret(name: str, value: object) -> bool:
    """Whether a parameter is kept out of records by its name: a token, password, secret or key.

    A number of tokens, and a tokenizer, are no secrets. Of a dotted name, each part counts.
    """
    if "." in name:
        *outer, last = name.split(".")
        return looks_secret(last, value) or any(looks_secret(each, "") for each in outer)
    word = name.lower()
    if "tokenizer" in word or (word.endswith("tokens") and isinstance(value, (int, float))):
        return False
    parts = ("token", "secret", "password", "passwd", "apikey")
    return word == "pw" or word.endswith(("_key", "_pw")) or any(part in word for part in parts)


def holds_secret(name: str, value: object) -> bool:
    """Whether a parameter, or something in it, looks secret."""
    if isinstance(value, dict):
        return any(holds_secret(str(key), item) for key, item in value.items())
    return looks_secret(name, value)


class version_parameters:  # noqa: N801 - the historic spelling is the public name
    """Names of the parameters that the pipeline itself reads from a version."""

    NAME = "name"
    DATALOADER = "dataloader"
    BATCH_SIZE = "batch_size"
    EPOCH_COUNT = EPOC_COUNT = "epoc_count"
    LEARNING_RATE = "learning_rate"
    MODEL_DIR_SUFFIX = "model_dir_suffix"
    ORDER = "order"
    HOOKS = "hooks"
    CLASSES_COUNT = "classes_count"
    CLASSES_OFFSET = "classes_offset"
    USE_ALL_CLASSES = "use_all_classes"
