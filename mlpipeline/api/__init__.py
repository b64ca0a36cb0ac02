"""What a model script sees: models, versions, metrics, progress. Imports nothing heavy."""
