"""stdout and stderr as commands find them: printing never fails, and what is printed steers no terminal.

A reader that goes away, a closed stream and a full disk end no command: the record is written, and the exit code is
that of the measurements. Names and messages come from files and from users' models: control characters in them are
shown as such, and none reaches the terminal.
"""

import io
import os
import re
import select
import shutil
import sys
import textwrap
from typing import TextIO

from twin.errors import INCOMPLETE
from twin.untrusted import printable

NARROWEST, WIDEST = 40, 1000  # columns of a terminal


class Raw(io.RawIOBase):
    """A file descriptor that takes everything: after an error, what is written goes nowhere."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.descriptor

    def isatty(self) -> bool:
        return os.isatty(self.descriptor)

    def write(self, data) -> int:
        while self.error is None:
            try:
                return os.write(self.descriptor, data)
            except BlockingIOError:  # whoever shares the stream has made it so
                select.select([], [self.descriptor], [])
            except OSError as error:
                self.error = error
        return len(data)


class Printed(io.TextIOWrapper):
    """Text for people; `unfiltered` is the same stream for our own colours and progress."""

    unfiltered: TextIO

    def write(self, text: str) -> int:
        return super().write(printable(text))


def install() -> None:
    """Put them in the place of Python's own."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would take its number, and what is printed
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    columns = shutil.get_terminal_size().columns
    if not NARROWEST <= columns <= WIDEST:  # nothing can be laid out in one column
        os.environ["COLUMNS"] = str(min(max(columns, NARROWEST), WIDEST))
    sys.stdout, sys.stderr = _printed(1, sys.stdout, "replace"), _printed(2, sys.stderr, "backslashreplace")


def _printed(descriptor: int, before: TextIO | None, errors: str) -> Printed:
    encoding = getattr(before, "encoding", None) or "utf-8"
    raw = Raw(descriptor)
    buffer = io.BufferedWriter(raw)
    each = raw.isatty() or descriptor == 2  # as Python has it
    stream = Printed(buffer, encoding, errors, line_buffering=each, write_through=True)
    stream.unfiltered = io.TextIOWrapper(buffer, encoding, errors, line_buffering=each, write_through=True)
    return stream


def say(message: str) -> None:
    """A line on stderr, folded at words where the terminal is narrower; where there is none, a line stays a line.

    A word without end is shortened.
    """
    message = re.sub(r"\S{500,}", lambda word: f"{word[0][:200]}...{word[0][-50:]}", message)
    width = shutil.get_terminal_size((0, 0)).columns
    if width:
        message = textwrap.fill(message, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    print(message, file=sys.stderr)


def unfiltered(stream: TextIO) -> TextIO:
    """The stream that lets control sequences through."""
    return getattr(stream, "unfiltered", stream)


def complain() -> int:
    """Write what is still to be written; where stdout did not take everything, say so.

    Returns:
        0, or the exit code for a command whose answer is lost.
    """
    if not isinstance(sys.stdout, Printed) or not isinstance(sys.stderr, Printed):
        return 0
    sys.stdout.flush()
    error, code = sys.stdout.buffer.raw.error, 0  # type: ignore[attr-defined]
    if error is not None and not isinstance(error, BrokenPipeError):  # a reader that has gone wants no more
        say(f"twin: cannot write to stdout: {error.strerror}")
        code = INCOMPLETE
    sys.stderr.flush()
    return code
