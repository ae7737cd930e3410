"""A network with something of every kind, and a bridge."""

from kit.home import NOTHING
from kit.network import Network, unique_id
from kit.waiting import wait

HUB, COTTAGE, ATTIC = "hub", "cottage", "attic.north"
"""The nodes: one with the bridge, and two with roles."""

THINGS = {
    "lamp": {"kind": "switch", "name": "Lamp", "state": {"event": "lamp"}, "command": {"order": "set lamp"}},
    "door": {"kind": "binary_sensor", "name": "Door", "class": "door", "state": {"event": "door"}},
    "warmth": {
        "kind": "sensor",
        "name": "Warmth",
        "class": "temperature",
        "unit": "°C",
        "statistics": "measurement",
        "state": {"event": "warmth"},
        "value": "degrees",
        "attributes": ".",
    },
    "bell": {
        "kind": "event",
        "name": "Bell",
        "class": "doorbell",
        "state": {"event": "rang"},
        "types": ["ring"],
        "attributes": ".",
    },
    "reset": {"kind": "button", "name": "Reset", "command": {"order": "reset"}},
    "level": {
        "kind": "number",
        "name": "Level",
        "minimum": 0,
        "maximum": 10,
        "state": {"event": "level"},
        "command": {"order": "set level"},
    },
    "mode": {
        "kind": "select",
        "name": "Mode",
        "options": ["day", "night"],
        "state": {"event": "mode"},
        "command": {"order": "set mode"},
    },
    "greeting": {"kind": "text", "name": "Greeting", "state": {"event": "greeting"}, "command": {"order": "set greeting"}},
    "phone": {"kind": "device_tracker", "name": "Phone", "source": "bluetooth_le", "state": {"event": "phone"}},
}
"""The faces of the role `things` at the cottage: one of each kind."""

STAIRS = {"motion": {"kind": "binary_sensor", "class": "motion", "state": {"event": "motion detection"}}}
"""That of the role `stairs` in the attic."""

FOLLOWS = {"set lamp": "lamp", "set level": "level", "set mode": "mode", "set greeting": "greeting"}
"""The orders that `things` does, and the events that say so."""


class House:
    """A network, as its bridge calls it, and what people should see of it."""

    def __init__(self, program, home, network):
        self.home, self.name, self.prefix = home, network, f"kozo/{network}"
        self.network = Network(program, [HUB, COTTAGE, ATTIC])
        self.things = self.network.puppet(COTTAGE, "things", THINGS)
        self.stairs = self.network.puppet(ATTIC, "stairs", STAIRS)
        self.network.role(ATTIC, "clock", type="timer")
        self.expected = {}
        self.things.follow(FOLLOWS)
        self.set("lamp", False, "off")
        self.set("door", True, "on")
        self.warm(21.5)
        self.set("level", 3, "3")
        self.set("mode", "night", "night")
        self.set("greeting", "Hello", "Hello")
        self.set("phone", True, "home")
        self.move(False)

    def bridge(self, broker, **options):
        """Gives the hub a bridge to this broker, from its next start on."""
        broker = [f"mqtt://127.0.0.1:{broker.port}"]
        names = {"network": self.name, "prefix": self.prefix}
        options = {"broker": broker, **names, "messageQueueLength": 1000, **options}
        self.network.role(HUB, "mqtt", grant=["status"], **options)

    def id(self, *names):
        """The unique id of an entity, or the identifier of a device."""
        return unique_id(self.name, *names)

    def thing(self, face):
        return self.id(COTTAGE, "things", face)

    def motion(self):
        return self.id(ATTIC, "stairs", "motion")

    def set(self, face, data, shown):
        """Changes one of the things, which Home Assistant is to show so."""
        self.expected[self.thing(face)] = shown
        self.things.set(face, data)

    def warm(self, degrees):
        self.expected[self.thing("warmth")] = str(degrees)
        self.things.set("warmth", {"degrees": degrees, "battery": 80})

    def move(self, moves):
        """Somebody comes, or has gone."""
        self.expected[self.motion()] = "on" if moves else "off"
        self.stairs.set("motion detection", moves)

    def start(self):
        self.network.start()
        wait("the roles run", lambda: self.things.runs() and self.stairs.runs())

    def entities(self):
        """What Home Assistant has of this network, by unique ids."""
        begin = f"kozo__{self.name}__"
        return {name: entity for name, entity in self.home.entities().items() if name.startswith(begin)}

    def shown(self):
        """How the entities are, by unique ids; None for one that is not enabled."""
        states = self.home.states()
        return {name: states.get(entity["entity_id"], {}).get("state") for name, entity in self.entities().items()}

    def wrong(self):
        """What is not as people should see it, in words."""
        states = self.shown()
        found = [f"there is no {name}" for name in self.expected if name not in states]
        for name, state in states.items():
            if name in self.expected:
                if state != self.expected[name]:
                    found.append(f"{name} is {state}, and not {self.expected[name]}")
            elif state == "unavailable":
                found.append(f"{name} is unavailable")
        return found

    def settle(self):
        """Waits until everything is as it should be."""

        def what():
            return f"{'; '.join(self.wrong()) or 'it came late'}\nthe bridge's node says:\n{self.network.log(HUB)[-4000:]}"

        wait(what, lambda: not self.wrong())

    def say_again(self):
        """Lets roles say how they are, as many do now and then."""
        for puppet in (self.things, self.stairs):
            wait("the role runs", puppet.runs)
            puppet.say_again()

    def clear(self):
        self.network.clear()


def shown(changes, entity):
    """What an entity was seen to be, one after another, without the times in which nobody knew."""
    states = []
    for _, change in changes:
        new = change["new_state"]
        if change["entity_id"] == entity and new and new["state"] not in NOTHING and states[-1:] != [new["state"]]:
            states.append(new["state"])
    return states
