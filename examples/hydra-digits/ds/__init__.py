"""The project's own code: its data, how a model is trained on it, and how that is tracked."""
