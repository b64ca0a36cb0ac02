"""Historic face: the classes that a model script extends. No logic lives here."""

from mlpipeline.api.model import DataLoader, Model

Dataloader = DataLoader

__all__ = ["DataLoader", "Dataloader", "Model"]
