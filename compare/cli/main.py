"""Where the command line begins and ends: no traceback leaves it, and nothing outlives it.

What takes time to import is imported within, once signals are handled: a Ctrl-C in the first half second is no
different from a later one.
"""

import os
import re
import signal
import sys
import time
import warnings
from types import FrameType
from typing import Any

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
LEAST_MEMORY = 384 * 2**20  # bytes of addresses
NUMBERS = ("SOURCE_DATE_EPOCH", "NUMPY_MADVISE_HUGEPAGE")  # variables that NumPy takes for numbers, and ends if not
GONE = "the working folder is gone; change to one that exists"
ONCE = 5.0  # seconds in which further signals change nothing: what the first began is being put in order


class Ended(KeyboardInterrupt):
    """A signal asks this process to end."""


class Signals:
    """Ctrl-C, and what asks likewise: the first raises an exception, so that everything is put in order."""

    def __init__(self) -> None:
        self.number = 0  # of the first that came
        self.last = 0.0

    def handle(self) -> None:
        """From here on; one that is ignored, as SIGHUP under nohup, stays so."""
        for number in ENDING:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                signal.signal(number, self._came)

    def ignore(self) -> None:
        """From here on nothing is interrupted."""
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)

    def _came(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number
        if time.monotonic() - self.last > ONCE:
            self.last = time.monotonic()
            raise Ended


SIGNALS = Signals()


def main() -> None:
    """Run the command line in a process of its own, and end that."""
    signals, code = SIGNALS, 0
    try:
        signals.handle()
        _ignore_what_libraries_trip_over()
        from compare.cli import streams

        streams.install()
        code = run()
    except BaseException as error:
        code = 128 + signal.SIGINT  # an import that was interrupted may have raised anything
        if not signals.number and not isinstance(error, KeyboardInterrupt):
            code = 70
            print(f"twin: cannot start: {_told(error)}; {_kept(error)}", file=sys.stderr)
    signals.ignore()
    for module, last in (("compare.engines.guard", "end"), ("compare.cli.streams", "complain")):
        if do := getattr(sys.modules.get(module), last, None):  # an import may have been interrupted
            code = do() or code
    if signals.number:
        os._exit(128 + signals.number)  # a thread that still computes is not waited for
    if sys.flags.inspect:  # Python would ask for more to run
        os._exit(code)
    sys.exit(code)


def run() -> int:
    """Run the command that the arguments name; whatever is wrong is one line on stderr.

    Returns:
        The exit code.

    Raises:
        KeyboardInterrupt: when a signal came.
    """
    from compare.cli.streams import say
    from twin.errors import INCOMPLETE, INTERNAL, USAGE, TwinError, shortage

    if _folder_is_gone():
        say(f"twin: {GONE}")
        return USAGE
    if too_little := _memory_limit():
        say(f"twin: {too_little}")
        return INCOMPLETE
    try:
        from compare.cli.app import app

        if (asked := os.environ.get("_TWIN_COMPLETE")) and not re.fullmatch(r"(complete|source)_\w+", asked):
            raise TwinError(f"_TWIN_COMPLETE={asked}: expected what a shell sets, such as complete_bash; unset it")
        if SIGNALS.number:  # Python drops what is raised in a callback of an import
            raise KeyboardInterrupt
        return app(prog_name="twin", standalone_mode=False) or 0
    except TwinError as error:
        say(f"twin: {' '.join(str(error).split())}")
        return INCOMPLETE if shortage(error) else error.exit_code
    except Exception as error:
        if SIGNALS.number or isinstance(error.__cause__, KeyboardInterrupt):  # click has a name of its own for it
            raise KeyboardInterrupt from None
        if hasattr(error, "format_message"):  # a complaint about the arguments
            context = getattr(error, "ctx", None)
            message = (_value_refused(error) or error.format_message()).replace("Value error, ", "").rstrip(".")
            see = f"{' See' if message.endswith('?') else '; see'} {context.command_path if context else 'twin'} --help"
            say(f"twin: {message}{see}")
            return USAGE
        if "_TWIN_COMPLETE" in os.environ and isinstance(error, KeyError | ValueError):
            say("twin: _TWIN_COMPLETE is set, but COMP_WORDS and COMP_CWORD are not as a shell sets them; unset it")
            return USAGE
        if isinstance(error, FileNotFoundError) and _folder_is_gone():
            say(f"twin: {GONE}")
            return INCOMPLETE
        if cause := shortage(error):
            say(f"twin: {cause}; what was measured until then is kept")
            return INCOMPLETE
        what = "cannot start:" if isinstance(error, ImportError) else "a fault of its own,"  # a library that is broken
        say(f"twin: {what} {_told(error)}; {_kept(error)}")
        return INTERNAL


def _ignore_what_libraries_trip_over() -> None:
    """Warnings of libraries are not for who types a command; an environment variable may be anybody's."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for name in NUMBERS:
        if not os.environ.get(name, "0").isdecimal():
            del os.environ[name]


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _folder_is_gone() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _memory_limit() -> str:
    """A complaint about a limit of memory that nothing can be computed in; "" where there is none.

    OpenBLAS asks again without end for the memory that its threads are refused.
    """
    try:
        import resource
    except ImportError:  # not on Windows
        return ""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if not 0 <= limit < LEAST_MEMORY:
        return ""
    return f"ulimit -v leaves {limit >> 20} MiB of memory, and {LEAST_MEMORY >> 20} are the least; raise it"


def _value_refused(error: Exception) -> str:
    """A complaint about a number, with the option and the value; "" for other complaints."""
    told: list[Any] = getattr(error.__cause__, "errors", list)()
    parameter = getattr(error, "param", None)
    if not told or not parameter or not told[0].get("msg", "").startswith("Input should be "):
        return ""
    expected = told[0]["msg"].removeprefix("Input should be ").partition(", unable")[0]
    what = "a number " if expected.startswith(("less", "greater")) else ""
    return f"{parameter.opts[0]} {told[0].get('input')}: expected {what}{expected}"


def _kept(error: BaseException) -> str:
    """Write the traceback to a file, and say where that is; where no file can be written, the last place in it."""
    import tempfile
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    try:
        name = f"twin-fault-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        place = os.path.join(tempfile.gettempdir(), name)
        with open(place, "x", encoding="utf-8", errors="replace") as file:
            file.write(f"{sys.argv}\n{''.join(traceback.format_exception(error))}")
    except OSError:
        return f"at {last.filename}:{last.lineno}"
    return f"please report it with {place}, which says where"
