"""A client for the one kind of WebSocket that Home Assistant speaks: JSON in texts."""

import base64
import json
import os
import socket
import struct

from kit.waiting import PATIENCE

CONTINUED, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
"""Kinds of frames."""


class WebSocket:
    """A connection with Home Assistant's interface, which has proven who it is."""

    def __init__(self, port, token):
        self.stream = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.reader = self.stream.makefile("rb")
        self.number = 0
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall(
            f"GET /api/websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while self.reader.readline() not in (b"\r\n", b""):
            pass
        self.receive()
        self.send({"type": "auth", "access_token": token})
        answer = self.receive()
        assert answer["type"] == "auth_ok", answer

    def close(self):
        # Whoever reads in another thread is let go by this alone.
        try:
            self.stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.stream.close()

    def send(self, message):
        self._send(TEXT, json.dumps(message).encode())

    def _send(self, kind, data):
        mask = os.urandom(4)
        size = struct.pack("!B", 0x80 | len(data)) if len(data) < 126 else struct.pack("!BH", 0x80 | 126, len(data))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.stream.sendall(bytes([0x80 | kind]) + size + mask + masked)

    def receive(self):
        """The next message. Raises OSError when there is none any more."""
        text = b""
        while True:
            first, size = self._bytes(2)
            if size == 126:
                (size,) = struct.unpack("!H", self._bytes(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._bytes(8))
            data = self._bytes(size)
            kind = first & 0x0F
            if kind == CLOSE:
                raise OSError("Home Assistant closes the connection")
            if kind == PING:
                self._send(PONG, data)
            if kind in (CONTINUED, TEXT):
                text += data
                if first & 0x80:
                    return json.loads(text)

    def _bytes(self, count):
        data = self.reader.read(count)
        if len(data) < count:
            raise OSError("Home Assistant is gone")
        return data

    def command(self, **command):
        """What a command answers."""
        self.number += 1
        self.send({"id": self.number, **command})
        while True:
            answer = self.receive()
            if answer.get("id") == self.number and answer["type"] == "result":
                assert answer.get("success"), answer
                return answer["result"]
