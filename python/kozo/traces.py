"""Where an error came from, as far as that is the role's."""

import json
import os
import traceback


def shown(error: BaseException) -> str:
    """The error with the role's own lines that led to it."""
    trace = error.__traceback__
    # It begins where the role's own code does.
    while trace is not None and trace.tb_next is not None and is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    told = traceback.TracebackException(type(error), error, trace)
    # It ends there as well: how a call of this package came to its error helps nobody.
    while len(told.stack) > 1 and is_inside(told.stack[-1].filename):
        told.stack.pop()
    return "".join(told.format())


def is_ours(file: str) -> bool:
    """Whether this is a file of this package."""
    return os.path.dirname(os.path.abspath(file)) == os.path.dirname(os.path.abspath(__file__))


def is_inside(file: str) -> bool:
    """Whether this is a file of this package, or of one that it hands data to."""
    return is_ours(file) or os.path.dirname(file) == os.path.dirname(json.__file__)
