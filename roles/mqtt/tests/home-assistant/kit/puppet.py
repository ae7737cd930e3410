"""The role of a node that a test plays: what it gets goes to the test, and what the test writes is sent."""

import json
import socket
import sys
import threading


def main():
    hello = json.loads(sys.stdin.readline())
    test = socket.socket(socket.AF_UNIX)
    test.connect(hello["options"]["socket"])
    threading.Thread(target=speak, args=[test.makefile()], daemon=True).start()
    for line in sys.stdin:
        if "stop" in json.loads(line):
            break
        test.sendall(line.encode())


def speak(lines):
    for line in lines:
        sys.stdout.write(line)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
