"""What tests with Hydra share."""

import os

import pytest
from api_configs import write_configs


@pytest.fixture(scope="module")
def conf(tmp_path_factory):
    """The configs, for tests that do not change them."""
    return write_configs(tmp_path_factory.mktemp("app"))


@pytest.fixture
def hydra():
    """A Hydra that no job has run in yet, and which leaves nothing behind."""
    from hydra.core.hydra_config import HydraConfig

    from mlpipeline.api import listed

    known, environment = listed.now, dict(os.environ)
    HydraConfig.instance().cfg = None
    listed.now = listed.Listed()
    yield
    HydraConfig.instance().cfg = None
    listed.now = known
    os.environ.clear()
    os.environ.update(environment)
