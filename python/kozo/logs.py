"""Python's logging, and what is printed, into the daemon's log."""

import io
import logging
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO, Optional

if TYPE_CHECKING:
    from kozo.role import Role


def level_name(number: int) -> str:
    """The daemon's word for a level of Python's logging."""
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    return "info" if number >= logging.INFO else "debug"


class LogHandler(logging.Handler):
    """Hands Python's log records to the daemon's log.

    A role that starts puts one at the root, unless there is a handler already.
    """

    def __init__(self, role: "Role", level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._role = role

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._role.log(level_name(record.levelno), self.format(record))
        except Exception:  # As logging wants it: a log line that fails ends nothing.
            self.handleError(record)


class PrintedLines(io.TextIOBase):
    """In place of the standard output, which belongs to the protocol: what is printed becomes log lines."""

    MAX_LINE = 64 * 1024
    """Characters after which a line ends, though none was printed."""

    def __init__(self, role: "Role") -> None:
        super().__init__()
        self._role = role
        self._rest = ""
        self._lock = threading.Lock()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> Optional[str]:  # type: ignore[override]
        return "replace"

    def write(self, text: str) -> int:
        with self._lock:
            *lines, rest = (self._rest + text).split("\n")
            if len(rest) > self.MAX_LINE:
                lines.append(rest)
                rest = ""
            self._rest = rest
        for line in lines:
            if line:
                self._role.info(line)
        return len(text)

    def finish(self) -> None:
        """Says what was printed without an end of line."""
        with self._lock:
            rest, self._rest = self._rest, ""
        if rest:
            self._role.info(rest)

    # For what goes around the texts: it reaches the error output, whose lines the daemon logs as well.

    def fileno(self) -> int:
        return sys.stderr.fileno()

    @property
    def buffer(self) -> BinaryIO:
        return sys.stderr.buffer
