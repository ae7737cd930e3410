"""Mosquitto."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading

from kit.waiting import PATIENCE, ended, free_port, started, wait


class Broker:
    """A broker that remembers what is retained, until it is told to forget."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="kozo-broker-")
        self.port = free_port()
        self.process = None
        store = os.path.join(self.folder, "store", "")
        os.mkdir(store)
        # Mosquitto gives up being root, and needs its folders all the same.
        os.chmod(self.folder, 0o755)
        os.chmod(store, 0o777)
        self.store = os.path.join(store, "mosquitto.db")
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence true", f"persistence_location {store}"]
        self.file = os.path.join(self.folder, "mosquitto.conf")
        with open(self.file, "w") as file:
            file.write("\n".join(lines) + "\n")

    def start(self):
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with open(os.path.join(self.folder, "log"), "a") as log:
            self.process = started([program, "-c", self.file], stdout=log, stderr=log)
        wait("the broker listens", self._listens)
        return self

    def _listens(self):
        with socket.socket() as stream:
            return stream.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process:
            ended(self.process)

    def forget(self):
        """Stops it, and loses everything that it has kept."""
        self.stop()
        if os.path.exists(self.store):
            os.remove(self.store)

    def clear(self):
        """Stops it for good."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def publish(self, topic, payload="", retain=False, qos=1):
        """Publishes a text, or anything else as JSON. Nothing retained is taken away."""
        if not isinstance(payload, str):
            payload = json.dumps(payload)
        words = ["mosquitto_pub", "-p", str(self.port), "-q", str(qos), "-t", topic]
        words += ["-r"] * retain + (["-m", payload] if payload else ["-n"])
        subprocess.run(words, check=True, timeout=PATIENCE)

    def retained(self, pattern="#"):
        """What it keeps, as a map of topics."""
        # All of it comes before what is sent once the subscription stands, which the recorder has waited for.
        recorder = self.listen(pattern)
        recorder.close()
        return {topic: payload for topic, payload, retained in recorder.messages if retained}

    def listen(self, pattern="#"):
        """A recorder of all messages from now on."""
        return Recorder(self.port, pattern)


class Recorder:
    """All messages of some topics, as `(topic, payload, retained)`."""

    def __init__(self, port, pattern):
        self.messages = []
        # It ends with its connection, so with the broker.
        words = ["mosquitto_sub", "-p", str(port), "-F", "%t\t%r\t%p", "-t", pattern, "-t", "kozo-test/listening"]
        self.process = started(words, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        broker = ["mosquitto_pub", "-p", str(port), "-t", "kozo-test/listening", "-m", "now"]

        def listening():
            subprocess.run(broker, check=True, timeout=PATIENCE)
            return any(topic == "kozo-test/listening" for topic, _, _ in self.messages)

        wait("the recorder listens", listening)

    def _read(self):
        for line in self.process.stdout:
            topic, retained, payload = line.rstrip("\n").split("\t", 2)
            self.messages.append((topic, payload, retained == "1"))

    def of(self, topic):
        """The payloads of a topic."""
        return [payload for name, payload, _ in self.messages if name == topic]

    def close(self):
        # It would take leave of the broker first, for which it waits.
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
