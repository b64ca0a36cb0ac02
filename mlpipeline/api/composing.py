"""Composing the configs of a sweep's jobs quickly, and as Hydra would."""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import suppress
from itertools import pairwise

from mlpipeline.api.config_copies import copy_of, texts_in
from mlpipeline.api.hydra_adapter import (
    FALLING_BACK,
    ConfigLoader,
    ConfigLoaderImpl,
    DictConfig,
    JobRuntime,
    ListConfig,
    OmegaConf,
    Overrides,
    OverridesParser,
    get_overrides_dirname,
    open_dict,
    version,
)

TYPE_CHECKING = False  # without typing, which costs each run 10 ms: docs/decisions/0002
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from mlpipeline.api.hydra_adapter import Override

BASES = 64  # compositions that a FastLoader keeps
PARSED = 100_000  # overrides that it keeps


class FastLoader(ConfigLoader):
    """A ConfigLoader that composes once for each choice of groups, and applies values on a copy.

    What it gives equals what Hydra's own gives. Files are taken to stay as they are while it lives.
    Wherever it can't be sure, and wherever something is wrong, Hydra's own way is taken.
    """

    def __init__(self, config_loader: ConfigLoader):
        self.inner = config_loader
        self._masters: dict[tuple[Any, ...], _Master] = {}
        self._newest: tuple[DictConfig, _Master] | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # where it is just being made
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return FastLoader, (self.inner,)

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """As Hydra's own: a new config for each call."""
        made = None
        with suppress(*FALLING_BACK):  # Hydra says what is wrong
            made = self._master(master_config).config(sweep_overrides)
        if made is None:
            made = self.inner.load_sweep_config(master_config, sweep_overrides)
        OmegaConf.copy_cache(from_config=master_config, to_config=made)
        return made

    def load_container(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> Any:
        """What ``load_sweep_config`` gives but for Hydra's own node, as unresolved dicts and lists.

        It shares what is the same with what it gave before, so nothing in it may be changed.
        """
        with suppress(*FALLING_BACK):
            if self._newest is None or self._newest[0] is not master_config:
                self._newest = master_config, self._master(master_config)
            overlaid = self._newest[1].container(sweep_overrides)
            if overlaid is not None:
                return overlaid
        return task_container(self.load_sweep_config(master_config, list(sweep_overrides)))

    def base(
        self, master_config: DictConfig, sweep_overrides: Sequence[str]
    ) -> tuple[Base, list[str]]:
        """The composition that a job's config is made of, and which overrides are set in it then.

        Raises one of FALLING_BACK where that is not how it is made, or can't be.
        """
        return self._master(master_config).parts(sweep_overrides)

    def load_configuration(self, *args: Any, **kwargs: Any) -> DictConfig:
        """As Hydra's own."""
        return self.inner.load_configuration(*args, **kwargs)

    def get_search_path(self) -> Any:
        """As Hydra's own."""
        return self.inner.get_search_path()

    def get_sources(self) -> Any:
        """As Hydra's own."""
        return self.inner.get_sources()

    def list_groups(self, parent_name: str) -> list[str]:
        """As Hydra's own."""
        return self.inner.list_groups(parent_name)

    def get_group_options(self, *args: Any, **kwargs: Any) -> list[str]:
        """As Hydra's own."""
        return self.inner.get_group_options(*args, **kwargs)

    def compute_defaults_list(self, *args: Any, **kwargs: Any) -> Any:
        """As Hydra's own."""
        return self.inner.compute_defaults_list(*args, **kwargs)

    def _master(self, master: Any) -> _Master:
        node = master._get_node("hydra")
        hydra = texts_in(node._get_node("overrides")._get_node("hydra"))
        name = node._get_node("job")._get_node("config_name")._value()
        app = JobRuntime.instance().conf._get_node("name")._value()
        key = (name, os.getcwd(), app, version.getbase(), *hydra)
        if key not in self._masters:
            self._masters[key] = _Master(self.inner, master, hydra)
        return self._masters[key]


class _Master:
    """The compositions of one config, with Hydra's own part given."""

    def __init__(self, loader: ConfigLoader, master: DictConfig, hydra: list[str]):
        self._loader = loader
        self._master = master
        assert isinstance(loader, ConfigLoaderImpl)
        name = master.hydra.job.config_name
        _, self._repository = loader._parse_overrides_and_create_caching_repo(name, hydra)
        self._parser = OverridesParser.create(loader)
        self._parsed: dict[str, tuple[Override, bool]] = {}
        self._bases: OrderedDict[tuple[str, ...], Base] = OrderedDict()

    def config(self, overrides: Sequence[str]) -> DictConfig:
        """The composition with ``overrides``."""
        parsed = [self._parse(each) for each in overrides]
        values = [each for each, is_value in parsed if is_value]
        return self._base(overrides).with_values(values, [each for each, _ in parsed])

    def container(self, overrides: Sequence[str]) -> Any:
        """The same as plain data; None where that is not so simple."""
        base = self._base(overrides)
        return base.overlaid([each for each in overrides if self._parse(each)[1]], self._parse)

    def parts(self, overrides: Sequence[str]) -> tuple[Base, list[str]]:
        """The composition without what only sets values, and that."""
        return self._base(overrides), [each for each in overrides if self._parse(each)[1]]

    def _base(self, overrides: Sequence[str]) -> Base:
        """The composition without what only sets values."""
        lines = tuple([each for each in overrides if not self._parse(each)[1]])
        base = self._bases.get(lines)
        if base is None:
            base = Base(self._loader.load_sweep_config(self._master, list(lines)))
            self._bases[lines] = base
            if len(self._bases) > BASES:
                self._bases.popitem(last=False)
        else:
            self._bases.move_to_end(lines)
        return base

    def _parse(self, text: str) -> tuple[Override, bool]:
        """An override, and whether it only sets a value, which no choice of configs depends on."""
        known = self._parsed.get(text)
        if known is None:
            [override] = self._parser.parse_overrides([text])
            key = override.key_or_group
            is_value = (
                not override.is_sweep_override()
                and override.package is None
                and key != "hydra"
                and not override.is_hydra_override()
                and bool(Overrides(self._repository, [override]).config_overrides)
            )
            known = override, is_value
            if len(self._parsed) >= PARSED:
                self._parsed.clear()
            self._parsed[text] = known
        return known


class Base:
    """A composition, and how to make others of it that differ in values."""

    def __init__(self, config: DictConfig):
        self._config = config
        self._line = _line_of(config)
        self._names = _naming(config)
        self._copied = list(config.hydra.job.env_copy)
        self._plain: Any = None
        self._patches: dict[str, tuple[tuple[str, ...], Any] | None] = {}
        self._apart: dict[tuple[tuple[str, ...], ...], bool] = {}

    def copy(self) -> DictConfig:
        """A copy that shares nothing with it."""
        copied: DictConfig = copy_of(self._config, None)
        return copied

    def with_values(self, values: list[Override], overrides: list[Override]) -> DictConfig:
        """As composed with ``overrides``, of which ``values`` are those that it was not."""
        config = self.copy()
        set_values(config, values, overrides, self._names, self._line)
        if self._copied:
            with open_dict(config.hydra):
                for key in self._copied:
                    config.hydra.job.env_set[key] = os.environ[key]
        return config

    def overlaid(self, values: Sequence[str], parse: Callable[[str], tuple[Override, bool]]) -> Any:
        """The task's part as plain data with ``values`` set; None where that is not so simple."""
        patches = []
        for text in values:
            if text not in self._patches:
                self._patches[text] = self._made_patch(parse(text)[0])
            patch = self._patches[text]
            if patch is None:
                return None
            patches.append(patch)
        paths = tuple([path for path, _ in patches])
        if paths not in self._apart:
            self._apart[paths] = _are_apart(paths)
        if not self._apart[paths]:
            return None
        if self._plain is None:
            self._plain = task_container(self._config)
        root = dict(self._plain)
        own = {id(root)}  # dicts that are not shared
        for path, value in patches:
            here: dict[Any, Any] = root
            for name in path[:-1]:
                inner: dict[Any, Any] = here.get(name) or {}
                if id(inner) not in own:
                    here[name] = inner = dict(inner)
                    own.add(id(inner))
                here = inner
            here[path[-1]] = value
        return root

    def _made_patch(self, override: Override) -> tuple[tuple[str, ...], Any] | None:
        key = override.key_or_group
        if override.is_delete() or "[" in key:
            return None
        path = tuple(key.split("."))
        config = self.copy()
        here: Any = config
        for name in path:
            if not isinstance(here, DictConfig) or here._is_none() or here._is_missing():
                return None
            here = here._get_node(name, validate_access=False)
            if here is None:  # it is added
                break
            if isinstance(here, (DictConfig, ListConfig)) and here._is_interpolation():
                return None
        ConfigLoaderImpl._apply_overrides_to_config([override], config)
        value = task_container(config)
        for name in path:
            value = value[name]
        return path, value


def _are_apart(paths: Sequence[tuple[str, ...]]) -> bool:
    """Whether none of them lies within another."""
    ordered = sorted(paths)
    return all(b[: len(a)] != a for a, b in pairwise(ordered))


def task_container(config: DictConfig) -> dict[Any, Any]:
    """A composed config but for Hydra's own node, as dicts and lists, unresolved."""
    nodes: list[tuple[Any, Any]] = [
        (key, config._get_node(key)) for key in config if key != "hydra"
    ]
    return {
        key: OmegaConf.to_container(node) if OmegaConf.is_config(node) else node._value()
        for key, node in nodes
    }


def set_values(
    config: DictConfig,
    values: Sequence[Override],
    overrides: Sequence[Override],
    naming: dict[str, Any] | None = None,
    line: Any = None,
) -> None:
    """Set ``values`` in a config, which becomes that of a job with all of ``overrides``.

    ``naming`` is how override_dirname is written, ``line`` a node as in the list of overrides; by
    default as the config has them.
    """
    ConfigLoaderImpl._apply_overrides_to_config(list(values), config)
    hydra = config.hydra
    task = [each for each in overrides if not each.is_hydra_override()]
    node: Any = hydra.overrides.task
    pattern = _line_of(config) if line is None else line
    node.__dict__["_content"] = []  # assigning the texts would take ten times as long
    for i, override in enumerate(task):
        made = copy_of(pattern, node)
        made.__dict__["_val"] = override.input_line
        made._metadata.key = i
        node.__dict__["_content"].append(made)
    hydra.job.override_dirname = get_overrides_dirname(task, **(naming or _naming(config)))


def _line_of(config: DictConfig) -> Any:
    """A node as it stands in the list of a config's overrides."""
    lines: Any = copy_of(config.hydra.overrides.task, config.hydra.overrides)
    lines.append("")
    return lines.__dict__["_content"][-1]


def _naming(config: DictConfig) -> dict[str, Any]:
    dirname = config.hydra.job.config.override_dirname
    return {
        "kv_sep": dirname.kv_sep,
        "item_sep": dirname.item_sep,
        "exclude_keys": list(dirname.exclude_keys),
    }
