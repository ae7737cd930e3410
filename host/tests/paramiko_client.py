"""A node of a Kōzō network in Python: written from docs/protocol.md alone.

    paramiko_client.py PORT OWN-NAME OWN-KEY-FILE THEIR-NAME "THEIR PUBLIC KEY"

Joins as OWN-NAME, sends the event `tick`, waits for what the role `cuckoo` of the other node says
about it, prints that, and goes.
"""

import secrets
import socket
import struct
import sys
import time

import msgpack
import paramiko

HELLO, HEARTBEAT, ECHO, MESSAGE, ACKNOWLEDGEMENT, BYE = range(1, 7)
EVENT, ORDER, LOG = range(3)
DEADLINE = 60


def connect(port, own_name, key_file, their_key):
    """One session channel with the subsystem `kozo`; both sides have proven their keys."""
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", port), DEADLINE))
    transport.start_client(timeout=DEADLINE)
    kind, blob = their_key.split()[:2]
    shown = transport.get_remote_server_key()
    assert (shown.get_name(), shown.get_base64()) == (kind, blob), "another host key"
    transport.auth_publickey(own_name, paramiko.Ed25519Key.from_private_key_file(key_file))
    channel = transport.open_session(timeout=DEADLINE)
    channel.settimeout(DEADLINE)
    channel.invoke_subsystem("kozo")
    try:
        transport.open_session(timeout=DEADLINE)
        sys.exit("a second channel was accepted")
    except paramiko.ChannelException:
        pass
    return transport, channel


def send(channel, *frame):
    body = msgpack.packb(frame)
    channel.sendall(struct.pack(">I", len(body)) + body)


def read(channel, length):
    data = b""
    while len(data) < length:
        piece = channel.recv(length - len(data))
        if not piece:
            sys.exit("the other end closed the link")
        data += piece
    return data


def receive(channel):
    (length,) = struct.unpack(">I", read(channel, 4))
    return msgpack.unpackb(read(channel, length))


def main(port, own_name, key_file, their_name, their_key):
    transport, channel = connect(int(port), own_name, key_file, their_key)
    hello = {
        "protocol": 1,
        "node": own_name,
        "session": secrets.randbits(64),
        "link": secrets.randbits(64),
        "rank": 8,
        "heartbeat": 1000 * DEADLINE,
        "base": 1,
        "interests": [{"role": "ear", "interests": [{"kind": "log", "role": ["cuckoo"]}]}],
    }
    send(channel, HELLO, hello)
    number, theirs, *_ = receive(channel)
    assert number == HELLO and theirs["protocol"] == 1 and theirs["node"] == their_name, theirs
    send(channel, MESSAGE, 1, 60_000, EVENT, "bell", "tick", None, time.time(), ["from afar", "12:00:00"])
    acknowledged = heard = None
    while not (acknowledged and heard):
        number, *rest = receive(channel)
        if number == HEARTBEAT:
            send(channel, ECHO, rest[0])
        elif number == ACKNOWLEDGEMENT:
            acknowledged = rest[0]
        elif number == MESSAGE:
            sequence, _remaining, kind, role, _type, _channel, _timestamp, data = rest[:8]
            assert kind == LOG and role == "cuckoo", rest
            send(channel, ACKNOWLEDGEMENT, sequence)
            heard = data if own_name in data else None
        elif number == BYE:
            sys.exit(f"the other end closed the link: {rest[0]}")
    print(heard)
    send(channel, BYE, "all is said")
    channel.close()
    transport.close()


main(*sys.argv[1:])
