"""The historic ``set_logger``: a standard-library logger whose records reach the run's log.

Apart from reporting.py because ``logging`` costs each run some milliseconds to import.
"""

import logging

from mlpipeline.api.reporting import log


class _RunLogHandler(logging.Handler):
    """Hands each record to :func:`mlpipeline.api.reporting.log`."""

    def emit(self, record: logging.LogRecord) -> None:
        log(self.format(record), level=record.levelno)


def set_logger(
    test_mode: bool = True, no_log: bool = True, log_file: str | None = None
) -> logging.Logger:
    """Return the logger ``mlp``, connected to the run's log.

    The arguments are accepted for historic scripts; where messages go is the pipeline's business.
    """
    logger = logging.getLogger("mlp")
    logger.setLevel(logging.INFO)
    logger.handlers = [_RunLogHandler()]
    logger.propagate = False
    return logger
