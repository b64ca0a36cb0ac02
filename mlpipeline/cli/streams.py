"""The standard streams as they are found: closed, in ASCII, or with nobody who reads."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mlpipeline.cli import room
from mlpipeline.core.wording import width

NOBODY_READS = 141  # 128 + SIGPIPE: the exit code of what a closed pipe ends
REPLACED = "mlpipeline"  # the name under which Python knows in_ascii
# ASCII by a name that click does not know: where it meets ASCII, it writes UTF-8 nevertheless.
ENCODING = "mlpipeline_ascii"

# What terminals without UTF-8 get instead: one character for one, so that tables still line up.
ASCII = str.maketrans(
    "…✓✗★·■×━╸╺⌈⌉→−–—‘’“”─│┌┐└┘├┤┬┴┼⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
    "~+x*-#x== []>---''\"\"-|+++++++++|/-\\|/-\\|/",
)


def settle() -> None:
    """Have the standard streams take every text; one that is closed leads nowhere."""
    codecs.register(_find_codec)
    codecs.register_error(REPLACED, in_ascii)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # in this order each gets the number that is its own
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=ENCODING if is_ascii else None, errors=REPLACED)
    for size in ("COLUMNS", "LINES"):  # 0 of them is what some terminals say who do not know
        if os.environ.get(size) == "0":
            del os.environ[size]


def in_ascii(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that a stream can't encode (see codecs.register_error)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(ASCII)
    return "".join(x if x.isascii() else "?" * width(x) for x in text), error.end


def _find_codec(name: str) -> codecs.CodecInfo | None:
    """What Python asks for encodings by their names."""
    if name != ENCODING:
        return None
    found = codecs.lookup("ascii")
    return codecs.CodecInfo(
        found.encode,
        found.decode,
        found.streamreader,
        found.streamwriter,
        found.incrementalencoder,
        found.incrementaldecoder,
        name=ENCODING,
    )


def is_terminal() -> bool:
    """Whether standard output is a terminal that knows colours and can be drawn on."""
    term = os.environ.get("TERM", "")
    return sys.stdout.isatty() and term.lower() not in ("", "dumb", "unknown")


def has_colours() -> bool:
    """Whether standard output is to be coloured (https://no-color.org)."""
    return is_terminal() and not os.environ.get("NO_COLOR")


def say(text: str | bytes, *, err: bool = False) -> None:
    """Print ``text`` at once; a session goes on, unseen, when nobody reads that any more.

    Bytes are printed as they are, whatever the terminal's encoding.
    """
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        mute()


def complain(text: str) -> None:
    """Print what went wrong to stderr; on a terminal, lines are broken between words."""
    text = f"mlpipeline: {text}"
    if sys.stderr.isatty():
        columns = room.columns()
        text = "\n".join(row for line in text.splitlines() for row in room.wrapped(line, columns))
    click.echo(text, err=True)


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
