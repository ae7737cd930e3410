#!/usr/bin/env python3
"""flood.py SECONDS ADDRESS:PORT…: sends datagrams that mean nothing to all of them in turn, 10,000 a second at most."""

import random
import socket
import sys
import time

RATE = 10_000
HEADS = [b"", b"{", b'{"m": ', b"\x02\x01{", b"\x02\x01", b"\x02\x02", b"\x02\x03", b"\x00\x01\x00\x00\x21\x12\xa4\x42",
         b"\x01\x01\x00\x00\x21\x12\xa4\x42", b"\x16\xfe\xfd", b"\x17\xfe\xfd"]


def main():
    generator = random.Random(7)
    end = time.monotonic() + float(sys.argv[1])
    targets = []
    for text in sys.argv[2:]:
        host, _, port = text.rpartition(":")
        host = host.strip("[]").split("%")[0]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        targets.append((socket.socket(family, socket.SOCK_DGRAM), (host, int(port))))
    sent = failed = 0
    begin = time.monotonic()
    while time.monotonic() < end:
        for _ in range(100):
            sock, address = targets[sent % len(targets)]
            data = generator.choice(HEADS) + generator.randbytes(generator.randrange(200))
            try:
                sock.sendto(data, address)
            except OSError:
                # Where nobody listens any more.
                failed += 1
            sent += 1
        ahead = sent / RATE - (time.monotonic() - begin)
        if ahead > 0:
            time.sleep(ahead)
    print(f"{sent} datagrams to {len(targets)} ports in {time.monotonic() - begin:.1f} s, {failed} refused")


main()
