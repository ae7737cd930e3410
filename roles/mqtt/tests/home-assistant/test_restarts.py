"""Home Assistant, broker, bridge and nodes end and start in random orders, and nobody notices afterwards."""

import os
import random
import time

from kit import wait
from kit.home import NOTHING
from kit.house import ATTIC, COTTAGE, HUB, shown
from kit.scene import Scene

ORDERS = int(os.environ.get("KOZO_ORDERS", "20"))
"""How many orders are tried."""

LONGEST_PAUSE = 1.0
"""Seconds that pass at most between one end or start and the next."""


class Restarts(Scene):
    # It comes late, when all is announced already.
    home_runs = False

    def test_whatever_starts_anew_in_whatever_order(self):
        seed = int(os.environ.get("KOZO_SEED", random.randrange(1_000_000)))
        print(f"the orders are those of KOZO_SEED={seed}", flush=True)
        self.random = random.Random(seed)
        self.house = self.house("restarts")
        self.house.bridge(self.broker)
        self.house.start()
        wait("it is announced", lambda: [topic for topic in self.bare(self.house) if topic.startswith("homeassistant/")])
        self.home.start()
        print(f"Home Assistant {self.home.version()}", flush=True)
        self.house.settle()
        self.rings, self.moves = 0, 0
        self.ring()

        for number in range(ORDERS):
            started = time.monotonic()
            what = self.order()
            print(f"{number + 1:2}. {time.monotonic() - started:4.1f} s: {what}", flush=True)

        self.remove(self.house)
        # That it had no connection at times, it says, too.
        about_the_connection = ("[paho.mqtt.client]", "[homeassistant.components.mqtt.client]")
        complaints = [line for line in self.home.complaints() if not any(name in line for name in about_the_connection)]
        self.assertEqual([], complaints)

    def order(self):
        """Lets some of them end and start, and something happen meanwhile. Returns what, for people."""
        house = self.house
        parts = {
            "home": (self.home.stop, self.home.start),
            "broker": self.random.choice([(self.broker.stop, self.broker.start), (self.broker.forget, self.start_empty_broker)]),
            "bridge": self.node(HUB),
            "node": self.node(self.random.choice([COTTAGE, ATTIC])),
        }
        chosen = self.random.sample(sorted(parts), self.random.randint(1, len(parts)))
        ends, starts = chosen, self.random.sample(chosen, len(chosen))
        forgets = "broker" in chosen and parts["broker"][0] == self.broker.forget
        moves, rings = self.random.random() < 0.5, self.random.random() < 0.5
        what = f"{', '.join(ends)} ended{' (the broker forgot)' if forgets else ''}, {', '.join(starts)} started"

        before, since, rung = dict(house.expected), len(self.home.seen), self.rings
        for part in ends:
            parts[part][0]()
            self.pause()
        if moves:
            house.move(house.expected[house.motion()] == "off")
        if rings:
            self.rings += 1
            house.things.happen("rang", {"number": self.rings})
        for part in starts:
            parts[part][1]()
            self.pause()
        if forgets and "bridge" in chosen:
            # How things are, only the roles know now.
            house.say_again()
        try:
            house.settle()
            if "bridge" in chosen:
                house.say_again()
            # Where something may arrive late, it has by now.
            self.ring()
            self.nothing_else_happened(before, since, rung)
        except AssertionError as error:
            raise AssertionError(f"{what}{', moved' * moves}{', rang' * rings}: {error}") from None
        return what

    def node(self, name):
        end = self.random.choice([self.house.network.stop, self.house.network.kill])
        return (lambda: end(name), lambda: self.house.network.start(name))

    def start_empty_broker(self):
        self.broker.start()
        self.move_in()

    def pause(self):
        time.sleep(self.random.uniform(0, LONGEST_PAUSE))

    def ring(self):
        """Rings, and waits until it is seen."""
        # A node that was away for a moment only has shown nobody that it was.
        wait("the role that rings runs", self.house.things.runs)
        self.rings += 1
        self.house.things.happen("rang", {"number": self.rings})
        bell = self.house.thing("bell")
        wait(f"ring {self.rings}", lambda: self.home.attributes(bell).get("number") == self.rings)
        # Until it is acknowledged, it is sent again to a bridge that was killed and starts anew.
        wait(f"ring {self.rings} is acknowledged", lambda: self.house.network.has_sent_all(COTTAGE, HUB))

    def nothing_else_happened(self, before, since, rung):
        """No state was seen but those from before and from now, in this order, and each ring once."""
        changes = self.home.heard()[since:]
        for name, now in self.house.expected.items():
            seen = shown(changes, self.home.entity(name))
            allowed = [before[name], now] if before[name] != now else [now]
            self.assertIn(seen, ([], allowed[:1], allowed[-1:], allowed), f"{name} was seen as {seen}")
        bell = self.home.entity(self.house.thing("bell"))
        rings = {}
        for _, change in changes:
            new = change["new_state"]
            if change["entity_id"] == bell and new and new["state"] not in NOTHING:
                rings.setdefault(new["attributes"].get("number"), set()).add(new["state"])
        for number, times in rings.items():
            self.assertLessEqual(rung, number, f"ring {number} was heard after ring {rung}")
            self.assertEqual(1, len(times), f"ring {number} was heard at {sorted(times)}")
