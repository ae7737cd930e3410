"""What can go wrong between a role and its node."""


class Error(Exception):
    """Something between a role and its node went wrong."""


class Refused(Error):
    """The node said no to what the role asked for, with the reason."""


class NotRunning(Error):
    """There is no node to talk to: the role has not begun, or the node is gone."""
