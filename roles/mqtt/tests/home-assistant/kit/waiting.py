"""Waiting for conditions, and what processes need on a machine that others use as well."""

import atexit
import signal
import socket
import subprocess
import time

PATIENCE = 90.0
"""Seconds after which what has not come does not come any more, also on a machine with much else to do."""


def wait(what, test, seconds=PATIENCE):
    """Waits until `test` gives something true, and returns that. `what` is the condition, for people."""
    end = time.monotonic() + seconds
    while True:
        found = test()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.05)


def free_port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


STARTED = []


def started(words, **options):
    """Starts a process, which ends with this one at the latest, however that ends."""
    if not STARTED:
        atexit.register(lambda: [process.kill() for process in STARTED if process.poll() is None])
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    process = subprocess.Popen(words, **options)
    STARTED.append(process)
    return process


def ended(process, seconds=PATIENCE):
    """Ends a process with SIGTERM, and waits for it; one that does not end is killed, which is a fault."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"{process.args[0]} did not end on SIGTERM") from None
