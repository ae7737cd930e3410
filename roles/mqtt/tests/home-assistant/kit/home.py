"""Home Assistant."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing

from kit.waiting import PATIENCE, ended, free_port, started, wait
from kit.websocket import WebSocket

HERE = os.path.dirname(os.path.abspath(__file__))

NOTHING = ("unavailable", "unknown")
"""What stands for the state of an entity that has none."""

CONFIGURATION = """\
homeassistant: {{name: Home, latitude: 0, longitude: 0, elevation: 0, unit_system: metric, time_zone: UTC}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
api:
config:
onboarding:
{more}
logger: {{default: warning}}
"""


class Skipped(Exception):
    """Home Assistant cannot be had on this machine, for this reason."""


def installed(version):
    """The words that start Home Assistant, which is installed if need be. Raises `Skipped`."""
    done = subprocess.run([os.path.join(HERE, "..", "install"), version], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode == 77:
        raise Skipped(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


class HomeAssistant:
    """One with a person who has set up MQTT, and nothing else."""

    def __init__(self, command, broker, frontend=False):
        self.command, self.broker = command, broker
        self.port, self.process, self.token, self.changes = free_port(), None, None, None
        self.seen = []
        # In a folder of its own it sees its configuration by another path.
        self.root = command[1] if command[0] == "chroot" else ""
        self.folder = tempfile.mkdtemp(prefix="kozo-home-", dir=self.root + "/tmp" if self.root else None)
        self.url = f"http://127.0.0.1:{self.port}/"
        with open(os.path.join(self.folder, "configuration.yaml"), "w") as file:
            file.write(CONFIGURATION.format(port=self.port, more="frontend:" if frontend else ""))

    def start(self):
        with open(os.path.join(self.folder, "output"), "a") as log:
            words = [*self.command, "-c", self.folder[len(self.root):], "--skip-pip"]
            self.process = started(words, stdout=log, stderr=log)
        wait("Home Assistant answers", lambda: self.process.poll() is not None or self._answers())
        assert self.process.poll() is None, self.log()
        if not self.token:
            self._set_up()
        wait("Home Assistant runs", lambda: self.rest("GET", "api/config").get("state") == "RUNNING")
        self.changes = Changes(WebSocket(self.port, self.token), self.seen)
        return self

    def stop(self):
        if self.process:
            ended(self.process)
        if self.changes:
            self.changes.close()

    def restart(self):
        self.stop()
        return self.start()

    def clear(self):
        """Stops it for good."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        with open(os.path.join(self.folder, "output"), errors="replace") as file:
            return file.read()

    def heard(self):
        """The changes of states so far, and when each was told. None is missing while it ran."""
        assert self.changes.thread.is_alive(), "Home Assistant does not tell changes any more"
        return self.seen

    def complaints(self):
        """What it has logged about MQTT, as a warning or worse."""
        lines = self.log().splitlines()
        found = [line for line in lines if ("WARNING" in line or "ERROR" in line) and "mqtt" in line.lower()]
        # When a device is gone, it empties the device's topics itself, and is surprised to hear of that.
        return [line for line in found if "No device components to cleanup" not in line]

    def version(self):
        return self.rest("GET", "api/config")["version"]

    def _answers(self):
        try:
            return urllib.request.urlopen(self.url + "manifest.json", timeout=PATIENCE).status == 200
        except (OSError, urllib.error.URLError):
            return False

    def _set_up(self):
        """What a person does: an account, and the broker's address."""
        user = {"client_id": self.url, "name": "Somebody", "username": "somebody", "password": "some-body", "language": "en"}
        code = self.rest("POST", "api/onboarding/users", user)["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": self.url}
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(self.url + "auth/token", data, timeout=PATIENCE) as answer:
            self.token = json.load(answer)["access_token"]
        self.token = self.ask(type="auth/long_lived_access_token", client_name="test", lifespan=30)
        flow = self.rest("POST", "api/config/config_entries/flow", {"handler": "mqtt"})
        form = {"broker": "127.0.0.1", "port": self.broker.port}
        for field in flow["data_schema"]:
            if field["name"] == "protocol":
                form["protocol"] = field["default"]
            elif field["name"] == "other_settings":  # since 2026
                form["other_settings"] = {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}
        result = self.rest("POST", "api/config/config_entries/flow/" + flow["flow_id"], form)
        assert result["type"] == "create_entry", result
        if self.version() >= "2026":
            # Of a port that nobody confirms it thinks after five minutes that it does not work.
            self.ask(type="http/config/promote")

    def welcome(self):
        """Ends what is shown to a person at first, which would set up much else. It has to be stopped."""
        with open(os.path.join(self.folder, ".storage", "onboarding"), "w") as file:
            done = ["user", "core_config", "analytics", "integration"]
            json.dump({"version": 4, "minor_version": 1, "key": "onboarding", "data": {"done": done}}, file)

    def log_in(self, browser):
        """Lets a browser in."""
        browser.open(self.url + "manifest.json")
        tokens = {
            "hassUrl": self.url.rstrip("/"),
            "clientId": self.url,
            "access_token": self.token,
            "refresh_token": "",
            "token_type": "Bearer",
            "expires_in": 86400,
            "expires": int(time.time() * 1000) + 86_400_000,
        }
        browser.evaluate(f"localStorage.setItem('hassTokens', JSON.stringify({json.dumps(tokens)}))")

    def rest(self, method, path, body=None):
        """What its REST interface answers; nothing for what is not there."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return {}
                raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None

    def connection(self):
        """A connection of its own with the WebSocket interface."""
        return closing(WebSocket(self.port, self.token))

    def ask(self, **command):
        """What a command of its WebSocket interface answers."""
        with self.connection() as connection:
            return connection.command(**command)

    def states(self):
        """All entities' states and attributes, by their ids."""
        return {state["entity_id"]: state for state in self.rest("GET", "api/states")}

    def entities(self):
        """The entities of MQTT, also those that are not enabled, by their unique ids."""
        found = self.ask(type="config/entity_registry/list")
        return {entity["unique_id"]: entity for entity in found if entity["platform"] == "mqtt"}

    def devices(self):
        """The devices of MQTT, by their identifiers."""
        found = self.ask(type="config/device_registry/list")
        return {device_id[1]: device for device in found for device_id in device["identifiers"] if device_id[0] == "mqtt"}

    def areas(self):
        """The names of areas, by their ids."""
        return {area["area_id"]: area["name"] for area in self.ask(type="config/area_registry/list")}

    def entity(self, unique_id):
        """The id under which an entity has its state."""
        return self.entities()[unique_id]["entity_id"]

    def state(self, unique_id):
        """The state of an entity; None when there is no such entity, or it is not enabled."""
        entity = self.entities().get(unique_id)
        return entity and self.rest("GET", "api/states/" + entity["entity_id"]).get("state")

    def attributes(self, unique_id):
        return self.rest("GET", "api/states/" + self.entity(unique_id)).get("attributes", {})

    def wait_state(self, unique_id, state):
        """Waits until an entity has this state."""
        wait(lambda: f"{unique_id} is {state}, and not {self.state(unique_id)}", lambda: self.state(unique_id) == state)

    def call(self, service, unique_id, **data):
        """Calls a service, as `switch.turn_on`, for an entity."""
        domain, name = service.split(".")
        return self.rest("POST", f"api/services/{domain}/{name}", {"entity_id": self.entity(unique_id), **data})

    def rename(self, unique_id, name, entity_id):
        """Gives an entity another name and id, as a person does."""
        entity = self.entity(unique_id)
        self.ask(type="config/entity_registry/update", entity_id=entity, name=name, new_entity_id=entity_id)

    def delete_device(self, identifier):
        """Deletes a device, as a person does."""
        device = self.devices()[identifier]
        (entry,) = device["config_entries"]
        self.ask(type="config/device_registry/remove_config_entry", config_entry_id=entry, device_id=device["id"])


class Changes:
    """Writes down all changes of states that Home Assistant tells of, from its start on, and when it did."""

    def __init__(self, connection, seen):
        self.seen = seen
        self.connection = connection
        connection.command(type="subscribe_events", event_type="state_changed")
        connection.stream.settimeout(None)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            while True:
                message = self.connection.receive()
                if message["type"] == "event":
                    self.seen.append((time.monotonic(), message["event"]["data"]))
        except (OSError, ValueError):
            # Home Assistant ends, which it does not do before this connection has.
            self.connection.close()

    def close(self):
        self.connection.close()
        self.thread.join()
