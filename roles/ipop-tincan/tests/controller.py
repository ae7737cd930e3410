#!/usr/bin/env python3
"""A controller, for tests: it makes links with everybody that it sees, as the public ones do, with rounds of a second.

    controller.py --api 14.01|14.07 --port 5800 --account alice@kozo.test --host ADDRESS --uid UID --ip4 ADDRESS
                  [--stun HOST:PORT] [--turn HOST:PORT,USER,PASSWORD] [--password PASSWORD] [--plain]

What tincan says comes out as a line of JSON each. Lines of JSON that come in are sent to tincan as they are.
"""

import argparse
import hashlib
import ipaddress
import json
import select
import socket
import sys
import time

ROUND = 1.0
# A peer is asked for a link if it was seen on XMPP of late: tincans say every two minutes that they are there.
SEEN = 150
# How many seconds a link may take to come up.
PATIENCE = 8
PREFIX = "fd50:0dbc:41f2:4a3c"


def ip6_of(uid):
    return PREFIX + "".join(":" + uid[i:i + 4] for i in range(0, 16, 4))


class Controller:
    def __init__(self, options):
        self.options = options
        self.header = b"\x02\x01" if options.api == "14.07" else b""
        self.sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.sock.bind(("", 0))
        self.tincan = ("::1", options.port)
        self.state, self.peers, self.requested = {}, {}, set()
        network = ipaddress.ip_network(options.ip4 + "/24", strict=False)
        self.group = {hashlib.sha1(str(ip).encode()).hexdigest(): str(ip) for ip in network}

    def call(self, method, **fields):
        self.sock.sendto(self.header + json.dumps({"m": method, **fields}).encode(), self.tincan)

    def start(self):
        options = self.options
        self.call("set_logging", logging=1)
        self.call("set_cb_endpoint", ip=self.sock.getsockname()[0], port=self.sock.getsockname()[1])
        self.call("set_local_ip", uid=options.uid, ip4=options.ip4, ip6=ip6_of(options.uid), ip4_mask=24, ip6_mask=64,
                  subnet_mask=32)
        self.call("register_svc", username=options.account, password=options.password, host=options.host)
        self.call("get_state", stats=True)

    def heard(self, message):
        kind = message.get("type")
        uid, data = message.get("uid"), message.get("data", "")
        if kind == "local_state":
            self.state = message
        elif kind == "peer_state":
            self.peers[uid] = message
            if "fpr" not in message and message["xmpp_time"] < SEEN:
                self.requested.add(uid)
                self.call("con_req", overlay_id=1, uid=uid, data=self.state["_fpr"])
        elif kind == "con_req" and uid in self.requested:
            if uid > self.options.uid:
                self.call("trim_link", uid=uid)
                self.requested.discard(uid)
            self.create(uid, data)
        elif kind == "con_resp":
            self.requested.discard(uid)
            self.create(uid, data)

    def create(self, uid, data):
        options = self.options
        length = len(self.state["_fpr"])
        turn, user, password = (options.turn or ",,").split(",")
        self.call("create_link", uid=uid, fpr=data[:length], overlay_id=1, sec=not options.plain, cas=data[length + 1:],
                  stun=options.stun, turn=turn, turn_user=user, turn_pass=password)
        self.call("set_remote_ip", uid=uid, ip4=self.group[uid], ip6=ip6_of(uid))

    def round(self):
        for uid, state in self.peers.items():
            if "fpr" in state and state["status"] == "offline" and state["last_time"] > PATIENCE:
                self.call("trim_link", uid=uid)
        self.call("get_state", stats=True)

    def run(self):
        self.start()
        at = time.monotonic()
        inputs = [self.sock, sys.stdin]
        while True:
            ready, _, _ = select.select(inputs, [], [], 0.1)
            if self.sock in ready:
                data = self.sock.recv(65536)
                if data.startswith(self.header + b"{"):
                    message = json.loads(data[len(self.header):])
                    print(json.dumps(message), flush=True)
                    self.heard(message)
                else:
                    print(json.dumps({"type": "packet", "length": len(data)}), flush=True)
            if sys.stdin in ready:
                line = sys.stdin.readline()
                if line.strip():
                    self.sock.sendto(self.header + line.encode(), self.tincan)
                elif not line:
                    inputs.remove(sys.stdin)
            if time.monotonic() - at > ROUND:
                at = time.monotonic()
                self.round()


def main():
    parser = argparse.ArgumentParser()
    for name in ("account", "host", "uid", "ip4"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--api", choices=["14.01", "14.07"], default="14.07")
    parser.add_argument("--port", type=int, default=5800)
    parser.add_argument("--stun", default="")
    parser.add_argument("--turn", default="")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--plain", action="store_true")
    Controller(parser.parse_args()).run()


if __name__ == "__main__":
    main()
