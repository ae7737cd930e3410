"""Messages, and what their data is in lines of JSON."""

import base64
import binascii
import dataclasses
import json
from typing import Any, Dict, Mapping, Optional

EVENT = "event"
ORDER = "order"
LOG = "log"
KINDS = (EVENT, ORDER, LOG)

BYTES_KEY = "base64"
"""The one key of an object that stands for bytes."""

_BYTES_MARK = b'"base64"'


@dataclasses.dataclass(frozen=True)
class Message:
    """A message that reached a role, or that one sent."""

    __slots__ = ("kind", "type", "channel", "data", "node", "role", "age", "time")

    kind: str
    """`event`, `order` or `log`."""
    type: str
    """What it is about, `tick` say; empty for a log."""
    channel: Optional[str]
    """The channel, if it has one."""
    data: Any
    """Its data: what JSON has, and bytes. That of a log is its text."""
    node: str
    """The node that sent it: the one at the other end of an authenticated link, whatever anybody claims."""
    role: str
    """The role that sent it."""
    age: float
    """How long it was under way, in seconds, until the node handed it over."""
    time: float
    """When it was sent, by the sender's clock: seconds since 1970. Not every machine has a clock."""


def to_line(value: Any) -> bytes:
    """A value as JSON on one line, without its end.

    Raises ValueError or TypeError, with what is wrong, for what has no form in a message: an object of some class,
    a number without end or of more than 64 bits, a list that holds itself, half of a character.
    """
    try:
        text = _encode(value)
    except RecursionError:
        raise ValueError("the data goes too deep: a message has 127 lists and dicts in each other at most") from None
    try:
        line = text.encode()
    except UnicodeEncodeError as error:
        # What a name of a file that is no UTF-8 has, in Python.
        raise ValueError(
            f"{ascii(error.object[error.start])} is no character, and has no form in a message: send the text as bytes "
            "(`os.fsencode`)"
        ) from None
    # Ten times as fast as an expression, and most lines are without.
    if _MANY_DIGITS in line.translate(_DIGITS):
        _check_numbers(value)
    return line


_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else ord(" ") for byte in range(256))
"""Makes all digits the same one, and all else blanks."""

_MANY_DIGITS = b"0" * 19
"""What no such line is without that holds a whole number of more than 64 bits."""

_LEAST, _MOST = -(2**63), 2**64 - 1


def _check_numbers(value: Any) -> None:
    if isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            raise ValueError(
                "a whole number beyond -2**63 and 2**64-1 has no form in a message: send it as a text, or as a float"
            )
    elif isinstance(value, dict):
        for item in value.values():
            _check_numbers(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _check_numbers(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            _check_numbers(getattr(value, field.name))


def _special(value: Any) -> Any:
    """What JSON itself does not know."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {BYTES_KEY: base64.b64encode(value).decode("ascii")}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError(
        f"{type(value).__name__} has no form in a message: use numbers, texts, booleans, None, bytes, "
        "and lists and dicts of those"
    )


_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_special
).encode


def _bytes_or_object(pairs: Dict[str, Any]) -> Any:
    text = pairs.get(BYTES_KEY)
    if len(pairs) == 1 and isinstance(text, str):
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            return pairs
    return pairs


def from_line(line: bytes) -> Any:
    """What a line of JSON says. Raises ValueError if it is none."""
    # Most lines hold no bytes, and are read much faster when not every object is looked at.
    if _BYTES_MARK in line:
        return json.loads(line, object_hook=_bytes_or_object)
    return json.loads(line)


def from_object(line: Mapping[str, Any]) -> Optional[Message]:
    """The message that an object of the protocol is; none if it is something else."""
    for kind in KINDS:
        what = line.get(kind)
        # Some roles send a line for the log that is no text.
        if isinstance(what, str) or (kind == LOG and kind in line):
            break
    else:
        return None
    return Message(
        kind,
        "" if kind == LOG else str(what),
        line.get("channel"),
        what if kind == LOG else line.get("data"),
        line.get("node", ""),
        line.get("role", ""),
        line.get("age", 0.0),
        line.get("time", 0.0),
    )


def to_object(kind: str, what: str, data: Any, channel: Optional[str]) -> Dict[str, Any]:
    """The object of the protocol that sends a message."""
    if not isinstance(what, str):
        raise TypeError(f"the {'text' if kind == LOG else 'type'} of a message is a text, not {what!r}")
    line: Dict[str, Any] = {kind: what}
    if channel is not None:
        if not isinstance(channel, str):
            raise TypeError(f"the channel of a message is a text, not {channel!r}")
        line["channel"] = channel
    if data is not None:
        line["data"] = data
    return line
