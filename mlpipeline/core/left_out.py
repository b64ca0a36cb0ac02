"""The line that stands for what console_limit has left out of a log. Imports nothing."""


def left_out(count: int) -> str:
    """The line for ``count`` bytes, without its end."""
    return f"[{count:,} bytes left out here: console_limit]"
