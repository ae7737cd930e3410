"""A relay as the original of CO2 was made: Python's own XML-RPC server with a thread for each connection.

    relay.py each    a connection for each `notify`, as the original has it
    relay.py kept    a connection for each satellite, which is kept

Prints its port, and serves until its standard input ends.
"""

import random
import sys
import threading
from socketserver import ThreadingMixIn
from xmlrpc.client import ServerProxy
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer


class Handler(SimpleXMLRPCRequestHandler):
    # With it, callers keep their connections as well.
    protocol_version = "HTTP/1.1"


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True
    request_queue_size = 128


class Satellite:
    """One that is told of messages, over a connection that is kept, or a new one each time."""

    def __init__(self, port, notify_pass, is_kept):
        self.url = f"http://127.0.0.1:{port}/RPC2"
        self.notify_pass = notify_pass
        self.kept = ServerProxy(self.url) if is_kept else None
        self.lock = threading.Lock()

    def notify(self, message):
        message = dict(message, notify_pass=self.notify_pass)
        if self.kept is None:
            with ServerProxy(self.url) as proxy:
                proxy.notify(message)
        else:
            with self.lock:
                self.kept.notify(message)


class Relay:
    def __init__(self, is_kept):
        self.is_kept = is_kept
        self.satellites = {}

    def register(self, data):
        host_id = f"{random.randrange(10**8, 10**9)}@127.0.0.1:{data['port']}"
        self.satellites[host_id] = Satellite(data["port"], data["notify_pass"], self.is_kept)
        return host_id

    def relay(self, data):
        for host_id, satellite in list(self.satellites.items()):
            if host_id != data["host_id"]:
                satellite.notify(data)
        return "OK"


def main():
    relay = Relay(sys.argv[1] == "kept")
    server = Server(("127.0.0.1", 0), Handler, logRequests=False)
    server.register_function(relay.register, "relay.register")
    server.register_function(relay.relay, "relay.relay")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
