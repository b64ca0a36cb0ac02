import pytest

from mlpipeline.core.planning import Rules


@pytest.fixture
def looks(monkeypatch):
    """The versions that the rules are asked about, one after the other."""
    asked, ask = [], Rules.standing

    def standing(self, model, version, *more, **named):
        asked.append(version.name)
        return ask(self, model, version, *more, **named)

    monkeypatch.setattr(Rules, "standing", standing)
    return asked
