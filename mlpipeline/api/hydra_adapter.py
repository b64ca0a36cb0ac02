"""Hydra, as the pipeline uses it: the one module that imports hydra and omegaconf.

Others take their names from here, and sweeps their axes; configs are composed in ``composing``.
Import it where it is needed, since that takes 0.2 s; without hydra that raises HydraMissing. What
Hydra says of a bad override or config comes as a HydraProblem, in one line.
"""

from __future__ import annotations

import decimal
import math
from contextlib import contextmanager

from mlpipeline.api import sweeps
from mlpipeline.errors import HydraMissing, ModelError

try:
    from hydra import version
    from hydra._internal import utils as hydra_utils
    from hydra._internal.callbacks import Callbacks
    from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
    from hydra._internal.defaults_list import Overrides
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep
    from hydra.core.utils import JobReturn, JobRuntime, JobStatus, run_job, setup_globals
    from hydra.errors import HydraException
    from hydra.main import main as hydra_main
    from hydra.types import HydraContext, RunMode
    from omegaconf import DictConfig, ListConfig, Node, OmegaConf, open_dict, read_write
    from omegaconf.errors import OmegaConfBaseException
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in ("hydra", "omegaconf", "antlr4"):
        raise
    raise HydraMissing("hydra is not installed: pip install 'mlpipeline[hydra]'") from None

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "FALLING_BACK",
    "Callbacks",
    "ConfigLoader",
    "ConfigLoaderImpl",
    "DictConfig",
    "GlobalHydra",
    "Hydra",
    "HydraConfig",
    "HydraContext",
    "HydraProblem",
    "JobReturn",
    "JobRuntime",
    "JobStatus",
    "ListConfig",
    "Node",
    "OmegaConf",
    "Override",
    "Overrides",
    "OverridesParser",
    "RunMode",
    "axes",
    "begin_app",
    "count_of_jobs",
    "get_overrides_dirname",
    "hydra_main",
    "hydra_utils",
    "one_text",
    "open_dict",
    "read_write",
    "readable",
    "run_job",
    "setup_globals",
    "version",
]

NOISE = ("object_type=", "reference_type=", "See https://hydra.cc", "^")  # that no reader misses
# What comes of an override or a config that can't be used, somewhere in Hydra or OmegaConf.
FALLING_BACK = (
    *(HydraException, OmegaConfBaseException, AssertionError),
    *(ValueError, TypeError, LookupError, AttributeError, OSError),
)


class HydraProblem(ModelError, ValueError):
    """What Hydra has to say of overrides or configs that can't be used."""


@contextmanager
def readable() -> Iterator[None]:
    """Turn what Hydra, OmegaConf and the reader of YAML raise into HydraProblem."""
    try:
        yield
    except ModelError:
        raise
    except (HydraException, OmegaConfBaseException) as error:
        raise HydraProblem(one_text(error)) from None
    except Exception as error:  # what they run into with a config that is not as they expect it
        raise HydraProblem(f"{type(error).__name__}: {one_text(error)}") from None


def one_text(error: BaseException) -> str:
    """What an exception of Hydra says, of which override, and with what caused it; in one line."""
    override = getattr(error, "override", None)  # where its text is no override at all
    said = [str(error)]
    if override and str(override) not in said[0]:
        said.insert(0, f"{override}:")
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        said.append(str(cause))
    text, seen = "", set()
    for line in "\n".join(said).splitlines():
        piece = line.strip()
        if not piece or piece.startswith(NOISE) or piece in seen:
            continue
        seen.add(piece)
        if not text:
            text = piece
        elif line.startswith(("\t", "  ")):  # an item of a list
            text += f"{' ' if text.endswith(':') else ', '}{piece}"
        else:
            text += f"{' ' if text[-1] in '.:?!' else '. '}{piece}"
    return text or type(error).__name__


def begin_app(task: str, config_dir: str, version_base: str | None) -> ConfigLoader:
    """Do what @hydra.main does first; returns what composes the configs in a folder.

    ``task`` is the app's name; ``version_base`` as for @hydra.main. Raises what Hydra does.
    """
    version.setbase(version_base)
    setup_globals()
    JobRuntime.instance().set("name", task)
    loader = ConfigLoaderImpl(create_config_search_path(config_dir))
    loader.ensure_main_config_source_available()
    return loader


def axes(
    overrides: Sequence[str],
    config_loader: ConfigLoader | None = None,
    most: int | None = sweeps.MOST,
) -> list[list[str]]:
    """The axes of a sweep: for each key its overrides, one a value, as BasicSweeper splits them.

    They are counted before they are written out. A key that is given twice counts as it was given
    last, in the place where it was first. ``config_loader`` is asked for the options of a group,
    for ``glob``. ``most``: jobs that there may be; None: any number.

    Raises HydraProblem; and TooManyJobs, EmptySweep and DuplicateJobs of ``sweeps``.
    """
    with readable():
        by_key = _by_key(overrides, config_loader)
        number = _number(by_key)
        if number is None or (most is not None and number > most):
            raise sweeps.TooManyJobs(number, most or sweeps.MOST)
        made = [_axis(key, each) for key, each in by_key.items()]
    for axis, override in zip(made, by_key.values(), strict=True):
        if not axis:
            raise sweeps.EmptySweep(f"{override.input_line} has no values")
    sweeps.check(made, most)
    return made


def count_of_jobs(
    overrides: Sequence[str], config_loader: ConfigLoader | None = None
) -> int | None:
    """The number of jobs of a sweep, of which none is written out; None: there is no end of them.

    A ``glob`` counts as one. Raises HydraProblem, and EmptySweep.
    """
    with readable():
        return _number(_by_key(overrides, config_loader))


def _by_key(overrides: Sequence[str], config_loader: ConfigLoader | None) -> dict[str, Override]:
    parsed = OverridesParser.create(config_loader).parse_overrides(list(overrides))
    ConfigLoaderImpl.validate_sweep_overrides_legal(parsed, RunMode.MULTIRUN, from_shell=False)
    return {each.get_key_element(): each for each in parsed}


def _axis(key: str, override: Override) -> list[str]:
    if override.is_sweep_override():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]


def _number(by_key: dict[str, Override]) -> int | None:
    lengths = [_length(each) for each in by_key.values()]
    for override, length in zip(by_key.values(), lengths, strict=True):
        if length == 0:
            raise sweeps.EmptySweep(f"{override.input_line} has no values")
    return None if None in lengths else math.prod(length or 0 for length in lengths)


def _length(override: Override) -> int | None:
    """The number of its values, or nearly so; None where there is no end of them.

    Raises HydraProblem where that can't be told.
    """
    if not override.is_sweep_override():
        return 1
    value = override.value()
    if not override.is_discrete_sweep():
        raise HydraProblem(
            f"{override.input_line}: an interval has no list of values; name them, as in "
            f"{override.get_key_element()}=0.1,0.2 or range(0,1,0.1), or use a sweeper that "
            "chooses, such as Optuna's"
        )
    if isinstance(value, ChoiceSweep):
        return len(value.list)
    if not isinstance(value, RangeSweep):
        return 1  # of a group: as many as there are files
    try:
        whole = value.range()
        if isinstance(whole, range):
            return len(whole)
        ends = decimal.Decimal(whole.stop), decimal.Decimal(whole.start)
        steps = (ends[0] - ends[1]) / decimal.Decimal(whole.step)
        return max(0, math.ceil(steps)) if steps.is_finite() else None
    except (ValueError, ArithmeticError):
        raise HydraProblem(f"{override.input_line}: there is no such range") from None
