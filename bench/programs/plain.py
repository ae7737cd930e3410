"""Passes numbered events on, with nothing but the lines of the protocol."""

import json
import os
import sys


def main():
    lines, out = sys.stdin.buffer, sys.stdout.buffer
    ready = json.loads(lines.readline())["options"]["ready"]
    # Tells who it is, and that it is there.
    with open(ready + ".draft", "w") as file:
        file.write(str(os.getpid()))
    os.replace(ready + ".draft", ready)
    for line in lines:
        said = json.loads(line)
        if "event" in said:
            passed = {"event": said["event"], "data": said["data"], "wait": 10}
            out.write(json.dumps(passed).encode() + b"\n")
            out.flush()
        elif "stop" in said:
            break


if __name__ == "__main__":
    main()
