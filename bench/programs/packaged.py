"""Passes numbered events on, with the package `kozo`."""

import os

import kozo

role = kozo.Role()


@role.on_start
def begin():
    """Tells who it is, and that it is there."""
    ready = role.options["ready"]
    with open(ready + ".draft", "w") as file:
        file.write(str(os.getpid()))
    os.replace(ready + ".draft", ready)


@role.on_event("numbered")
def pass_on(message):
    role.send_event("numbered", message.data)


if __name__ == "__main__":
    role.run()
