"""`python -m when_ml_pipeline_meets_hydra`: the app, where it is not installed."""

from when_ml_pipeline_meets_hydra.app import main

main()
