"""What lets messages in: the `interests` of a role's block."""

from typing import Any, Mapping, Optional

from kozo.message import EVENT, KINDS, Message
from kozo.patterns import compiled, fits

INTEREST_KEYS = ("kind", "type", "channel", "role", "node")


class Interest:
    """A pattern of a block's `interests`."""

    def __init__(self, patterns: Mapping[str, Any]) -> None:
        unknown = set(patterns) - set(INTEREST_KEYS)
        if unknown:
            raise ValueError(f"an interest has no key {sorted(unknown)}: there are {', '.join(INTEREST_KEYS)}")
        if patterns.get("kind", EVENT) not in KINDS:
            raise ValueError(f"the kind of an interest is one of {', '.join(KINDS)}, not {patterns['kind']!r}")
        self._patterns = {key: compiled(pattern) for key, pattern in patterns.items()}

    def fits(self, message: Message) -> bool:
        return fits(self._patterns, message)

    def may_fit(self, kind: str, type: Optional[str]) -> bool:
        """Whether it lets in messages of a kind, and of a type if one is given, whatever else they are."""
        known = {"kind": kind} if type is None else {"kind": kind, "type": type}
        return all(self._patterns[name](text) for name, text in known.items() if name in self._patterns)
