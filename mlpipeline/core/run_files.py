"""The names of the files in a run's folder, for all who write or read them. Imports nothing."""

SPEC = "spec.json"  # what the worker is to run
PROCESSES = "proc.json"  # the run's processes, written before user code
CONSOLE = "console.log"  # everything the run printed
MESSAGES = "messages.log"  # what the script said with `log`, for log-<hostname>
PROGRESS = "progress.json"  # how far the run is
METRICS = "metrics.jsonl"  # metrics over steps, one JSON object a line
PREPARED = "prepared"  # there as soon as the model_dir has been made ready for this run
REPORT = "report.json"  # what the worker says of the user's code
RETURNED = "returned.pickle"  # what the task of a Hydra job returned or raised, for its sweeper
RESULTS = "results.json"  # what a program's results are, where it says so itself
ARTIFACTS = "artifacts.json"  # what a step was given, and what it made
EXIT = "exit.json"  # how the worker process ended
RECORD = "run.yaml"  # all there is to know of the run, for people
BALLAST = ".ballast"  # given up when the disk is full, so that the end can be written
