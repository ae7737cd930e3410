"""The versions of the package and of the protocol that it speaks."""

VERSION = "0.1.0"

PROTOCOL = 1
"""The version of the protocol of programs, which the daemon's first line names."""
