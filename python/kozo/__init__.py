"""Roles for Kōzō in Python.

A role is told of messages and sends some. The daemon of its node runs it by a block of the type `program`::

    import kozo

    role = kozo.Role()

    @role.on_event("tick")
    def ticked(message):
        role.send_event("tock", {"after": message.age})

    role.run()

For a role that is a loop of its own, make a class of :class:`Role` and give it to :func:`run`. It is tested
without a daemon by :class:`kozo.testing.Bench`.
"""

from kozo.errors import Error, NotRunning, Refused
from kozo.logs import LogHandler
from kozo.message import Message
from kozo.role import Role
from kozo.start import run
from kozo.version import VERSION as __version__

__all__ = [
    "Error",
    "LogHandler",
    "Message",
    "NotRunning",
    "Refused",
    "Role",
    "__version__",
    "run",
]
