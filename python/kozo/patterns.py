"""Which messages fit: texts in which `*` stands for any characters."""

import re
from typing import Any, Callable, Dict, List, Union

from kozo.message import Message


def fits(patterns: Dict[str, Callable[[str], Any]], message: Message) -> bool:
    """Whether all of these fields of a message fit."""
    # A message without a channel fits what fits the empty text.
    return all(fits(getattr(message, name) or "") for name, fits in patterns.items())


def compiled(pattern: Union[str, List[str]]) -> Callable[[str], Any]:
    """What tells whether a text fits a pattern, or any of a list."""
    patterns = [pattern] if isinstance(pattern, str) else list(pattern)
    # Only `*` means something.
    parts = [".*".join(re.escape(part) for part in one.split("*")) for one in patterns]
    return re.compile("|".join(f"(?:{part})" for part in parts) or r"(?!)", re.DOTALL).fullmatch
