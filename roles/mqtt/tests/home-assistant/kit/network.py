"""Nodes, the program `kozo` in processes of their own, and roles that a test plays."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from kit.waiting import PATIENCE, ended, free_port, started, wait

HERE = os.path.dirname(os.path.abspath(__file__))


def escaped(name):
    """A name as it stands in topics and in the ids of Home Assistant."""
    return re.sub(rb"[^a-zA-Z0-9-]", lambda found: b"_%02x" % found[0][0], name.encode()).decode()


def unique_id(network, *names):
    """What Home Assistant knows an entity by (a node, a role and a face), or a device (a node)."""
    return "__".join(["kozo", network, *map(escaped, names)])


class Network:
    """Nodes that all have the same file, each with a control socket, a storage and a log of its own."""

    def __init__(self, program, nodes):
        self.program, self.processes = program, {}
        self.folder = tempfile.mkdtemp(prefix="kozo-network-")
        self.file = self.path("network.yaml")
        self.nodes = {}
        for node in nodes:
            key = subprocess.run([program, "keygen", self.path(node + ".key")], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.nodes[node] = {
                "privateKey": node + ".key",
                "publicKey": key.stdout.strip().partition("publicKey: ")[2],
                "roleStorage": node + ".storage",
                "roles": {},
                "transports": {"tcp": {"address": "127.0.0.1", "bindAddress": "127.0.0.1", "port": free_port()}},
            }
            os.mkdir(self.path(node + ".storage"))
        self.puppets = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def role(self, node, name, **options):
        """Gives a node a role, from its next start on."""
        self.nodes[node]["roles"][name] = options

    def puppet(self, node, name, face):
        """A role with these faces that the test plays."""
        puppet = Puppet(self.path(f"{node}.{name}"))
        self.puppets.append(puppet)
        options = {
            "command": [sys.executable, os.path.join(HERE, "puppet.py")],
            "options": {"socket": puppet.path},
            "interests": [{"kind": "order", "type": face[key]["command"]["order"]} for key in face if "command" in face[key]],
        }
        self.role(node, name, type="program", face=face, **options)
        return puppet

    def write(self):
        """Writes the file, which nodes read when they start."""
        # No machine is so busy that a link of 30 s in silence is one that works.
        network = {"system": self.nodes, "heartbeat": 10, "connectionRetry": 2}
        with open(self.file + ".new", "w") as file:
            json.dump(network, file, ensure_ascii=False, indent=1)
        os.rename(self.file + ".new", self.file)

    def start(self, *nodes):
        """Starts nodes, by default all."""
        self.write()
        for node in nodes or self.nodes:
            words = [self.program, "run", self.file, node, "--control", self.path(node + ".sock")]
            with open(self.path(node + ".log"), "a") as log:
                self.processes[node] = started(words, stdout=log, stderr=log)

    def stop(self, *nodes):
        """Stops nodes, by default all."""
        for node in nodes or list(self.processes):
            ended(self.processes.pop(node))

    def kill(self, node):
        """Ends a node as a power failure does."""
        process = self.processes.pop(node)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def restart(self, *nodes):
        self.stop(*nodes)
        self.start(*nodes)

    def status(self, node):
        """What `kozo status --json` says of a node; nothing while it does not answer."""
        words = [self.program, "status", "--json", "--control", self.path(node + ".sock")]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=PATIENCE)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def has_sent_all(self, node, to):
        """Whether all that a node has sent to another one is acknowledged."""
        peers = [peer for peer in (self.status(node) or {}).get("peers", []) if peer["peer"] == to]
        return bool(peers) and not any(peer[where]["messages"] for peer in peers for where in ("queued", "in_flight"))

    def text(self, node):
        """What `kozo status` shows a person."""
        words = [self.program, "status", "--control", self.path(node + ".sock")]
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE).stdout

    def log(self, node):
        with open(self.path(node + ".log"), errors="replace") as file:
            return file.read()

    def clear(self):
        """Stops everything for good."""
        self.stop()
        for puppet in self.puppets:
            puppet.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Puppet:
    """A role that the test plays. Like a real one it says how it is when it starts."""

    def __init__(self, path):
        self.path = path
        self.orders, self.states = [], {}
        self.answers = None
        self.lock, self.stream = threading.Lock(), None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.stream = stream
                for type, data in self.states.items():
                    self._write({"event": type, "data": data})
            with stream, stream.makefile() as lines:
                for line in lines:
                    order = json.loads(line)
                    sender = f"{order['role']}@{order['node']}"
                    self.orders.append((time.monotonic(), order["order"], order["data"], sender))
                    if self.answers:
                        self.answers(order)
                with self.lock:
                    self.stream = None

    def _write(self, message):
        if self.stream:
            try:
                self.stream.sendall(json.dumps(message).encode() + b"\n")
            except OSError:
                self.stream = None

    def runs(self):
        """Whether its node runs it."""
        return self.stream is not None

    def set(self, type, data):
        """Says by an event how something is, and once more whenever it starts."""
        with self.lock:
            self.states[type] = data
            self._write({"event": type, "data": data})

    def say_again(self):
        """Says by events how everything is."""
        for type, data in list(self.states.items()):
            self.set(type, data)

    def happen(self, type, data=None):
        """Says by an event that something has happened, which is over then."""
        with self.lock:
            self._write({"event": type, "data": data})

    def follow(self, orders):
        """From now on does as it is ordered to: a map from orders to the events that say so."""

        def answer(order):
            if order["order"] in orders:
                self.set(orders[order["order"]], order["data"])

        self.answers = answer

    def close(self):
        # Whoever accepts in another thread is let go by this alone.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(PATIENCE)
        self.listener.close()
