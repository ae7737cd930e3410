#!/usr/bin/env python3
"""Random bytes, very many: `flood.py SECONDS RATE TARGET…`, where a target is `udp:ADDRESS:PORT`, or `device:NAME`, into
which frames go that the kernel would send. A seed of its own makes them the same each time."""

import random
import socket
import sys
import time

seconds, rate, targets = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
numbers = random.Random(5800)
STARTS = [b"", b"{", b"\x02\x01{", b"\x02\x02", b"\x00\x01\x00\x08\x21\x12\xa4\x42", b"\x16\xfe\xfd", b"\x17\xfe\xfd",
          bytes(12) + b"\x08\x00\x45", bytes(12) + b"\x86\xdd\x60", bytes(12) + b"\x08\x06\x00\x01\x08\x00\x06\x04"]


def sender(target):
    kind, _, rest = target.partition(":")
    if kind == "device":
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sock.bind((rest, 0))
        return lambda data: sock.send(data.ljust(14, b"\0"))
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    return lambda data: sock.sendto(data, (host, int(port)))


senders = [sender(target) for target in targets]
start, sent = time.monotonic(), 0
while time.monotonic() - start < seconds:
    for send in senders:
        data = numbers.choice(STARTS) + numbers.randbytes(numbers.randrange(300))
        try:
            send(data)
            sent += 1
        except OSError:
            pass
    ahead = sent / len(senders) / rate - (time.monotonic() - start)
    if ahead > 0.01:
        time.sleep(ahead)
print(f"sent {sent}")
