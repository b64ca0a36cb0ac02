"""The config groups, as Hydra finds them in an installed package."""
