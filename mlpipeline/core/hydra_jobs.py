"""Where a run finds what it is told of its job of Hydra's. Imports nothing."""

VARIABLE = "MLPIPELINE_HYDRA_JOB"  # of the environment: the fields of a hydra_job.Job, as JSON
HANDED_OVER = "handed-over"  # in outputs/: for each sweep a folder with the configs of its jobs
KIND = ".pickle"  # what their files' names end in
RUNNER = "mlpipeline.execution.hydra_app"  # the module that runs such a job's app
