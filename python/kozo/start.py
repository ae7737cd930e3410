"""Starting a role: the standard input and output become the connection with the daemon."""

import io
import logging
import os
import signal
import sys
import threading
from typing import Any, TextIO, Type, Union

from kozo.connection import Connection
from kozo.errors import Error, NotRunning
from kozo.logs import LogHandler, PrintedLines
from kozo.role import Role

STANDARD_INPUT, STANDARD_OUTPUT, STANDARD_ERROR = 0, 1, 2

FAULT = 1
"""The exit code of a program whose role could not begin, or has failed."""


def run(role: Union[Role, Type[Role]]) -> None:
    """Runs a role, or makes one of its class and runs that, until the daemon ends it.

    This is the last line of a program. What is printed goes to the daemon's log from here on. An error of the
    role's `run` ends the program, with its traceback; the daemon starts it again after a while.
    """
    if os.isatty(STANDARD_INPUT):
        sys.exit(by_hand(sys.argv[0] or "PROGRAM"))
    printed = sys.stdout
    connection = take_over()
    try:
        try:
            connection.greet()
        except Error as error:
            # To the error output: whoever is at the other end may be no daemon.
            print(f"kozo: {error}", file=sys.stderr)
            sys.exit(FAULT)
        begin(role, connection)
    except NotRunning:
        # What is asked for while the role is told to end may have no answer any more, and is no fault of the role's.
        if not connection.told_to_stop:
            raise
    except KeyboardInterrupt:
        # Somebody is impatient.
        pass
    finally:
        leave(printed)
        connection.close()


def take_over() -> Connection:
    """Keeps the two descriptors for the daemon alone: neither `print` nor a program that the role starts may write
    between the protocol's lines, or read some of them."""
    incoming, outgoing = os.dup(STANDARD_INPUT), os.dup(STANDARD_OUTPUT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STANDARD_INPUT)
    os.close(nothing)
    os.dup2(STANDARD_ERROR, STANDARD_OUTPUT)
    # What was printed before is no line of the protocol either, and not to come when all is over.
    sys.stdout.flush()
    return Connection(incoming, outgoing)


def begin(role: Union[Role, Type[Role]], connection: Connection) -> None:
    """Makes the role, if it is not there yet, and runs it."""
    if isinstance(role, type):
        made = role.__new__(role)
        made._host = connection
        prepare(made, connection)
        # In `__init__` its options are there already.
        init: Any = made.__init__  # type: ignore[misc]
        init()
    else:
        made = role
        made._host = connection
        prepare(made, connection)
    made.run()


def prepare(role: Role, connection: Connection) -> None:
    """What Python has for texts and for signals is made the daemon's."""
    sys.stdout = PrintedLines(role)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(LogHandler(role))
    if threading.current_thread() is threading.main_thread():
        end_by_signals(connection)


def leave(printed: TextIO) -> None:
    """What is printed and logged from here on goes to the error output, whose lines the daemon logs as well."""
    lines, sys.stdout = sys.stdout, printed
    if isinstance(printed, io.TextIOWrapper):
        printed.reconfigure(line_buffering=True)
    if isinstance(lines, PrintedLines):
        lines.finish()
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, LogHandler):
            root.removeHandler(handler)


def end_by_signals(connection: Connection) -> None:
    """SIGTERM and Ctrl-C end the role orderly, and a second Ctrl-C at once.

    A thread waits for them. Python calls handlers in the main thread alone, which may be just about to wait for
    something, and would go on waiting.
    """

    def interrupted(*_: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, interrupted)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def watch() -> None:
        while True:
            numbers = os.read(reading, 64)
            if signal.SIGTERM in numbers or signal.SIGINT in numbers:
                connection.stop()

    threading.Thread(target=watch, name="kozo-signals", daemon=True).start()


def by_hand(program: str) -> int:
    """Says to somebody at a terminal what this is. Returns the exit code."""
    interpreter = sys.executable or "python3"
    print(
        f"""\
This is a role for Kōzō: a daemon starts it and talks to it over its standard input and output. In the block of a node
in the network's file:

    roles:
      my-role:
        type: program
        command: [{interpreter}, {os.path.abspath(program)}]
        interests:
          - {{kind: event, type: tick}}

To see what it does without a daemon, be one: run

    cat | {interpreter} {program}

and enter the greeting, messages, and to each line with an "id" the answer; Ctrl-D ends it.

    {{"hello":1,"node":"here","role":"my-role","options":{{}}}}
    {{"answer":1,"value":null}}
    {{"event":"tick","data":null,"node":"here","role":"timer","age":0,"time":0}}""",
        file=sys.stderr,
    )
    return 2
