"""The standard streams as they are found: closed, in ASCII, or with nobody who reads."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

NOBODY_READS = 141  # 128 + SIGPIPE: the exit code of what a closed pipe ends
REPLACED = "mlpipeline.ascii"  # the name under which Python knows in_ascii

# What terminals without UTF-8 get instead: one character for one, so that tables still line up.
ASCII = str.maketrans(
    "…✓✗★·■×━╸╺⌈⌉→−–—‘’“”─│┌┐└┘├┤┬┴┼⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
    "~+x*-#x== []>---''\"\"-|+++++++++|/-\\|/-\\|/",
)


def settle() -> None:
    """Have the standard streams take every text; one that is closed leads nowhere."""
    codecs.register_error(REPLACED, in_ascii)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # in this order each gets the number that is its own
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=REPLACED)


def in_ascii(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that a stream can't encode (see codecs.register_error)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(ASCII)
    return "".join(x if x.isascii() else "?" for x in text), error.end


def is_terminal() -> bool:
    """Whether standard output is a terminal that knows colours and can be drawn on."""
    term = os.environ.get("TERM", "")
    return sys.stdout.isatty() and term.lower() not in ("", "dumb", "unknown")


def has_colours() -> bool:
    """Whether standard output is to be coloured (https://no-color.org)."""
    return is_terminal() and not os.environ.get("NO_COLOR")


def say(text: str, *, err: bool = False) -> None:
    """Print ``text`` at once; a session goes on, unseen, when nobody reads that any more."""
    try:
        print(text, file=sys.stderr if err else sys.stdout, flush=True)
    except BrokenPipeError:
        mute()


def mute() -> None:
    """Have what is printed from now on go nowhere, and never fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def ending_unread() -> Iterator[None]:
    """End quietly when nobody reads any more what is printed within."""
    try:
        yield
    except BrokenPipeError:
        mute()
        raise click.exceptions.Exit(NOBODY_READS) from None
