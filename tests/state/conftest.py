import pytest
from histories import layout_in


@pytest.fixture
def layout(tmp_path):
    return layout_in(tmp_path)
