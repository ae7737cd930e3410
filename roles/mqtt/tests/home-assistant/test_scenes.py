"""What people see in Home Assistant of a network, and do there."""

import random
import time

from kit import PATIENCE, wait
from kit.house import ATTIC, COTTAGE, FOLLOWS, HUB, THINGS
from kit.scene import Scene

SAMPLES = 200
"""How many times are measured."""


class Scenes(Scene):
    maxDiff = None

    def setUp(self):
        self.complaints = len(self.home.complaints())

    def quiet(self):
        """Home Assistant had nothing to complain of in this test."""
        self.assertEqual([], self.home.complaints()[self.complaints:])

    def test_everything_is_there_without_a_click(self):
        house = self.house("first")
        house.start()
        wait("the nodes have links", lambda: len(house.network.status(HUB)["peers"]) == 2)
        house.bridge(self.broker, areas={COTTAGE: "Garden"})
        started = time.monotonic()
        house.network.restart(HUB)
        wait("all is there", lambda: set(house.expected) <= set(house.entities()) and "unavailable" not in house.shown().values())
        print(f"all nodes and roles are there {time.monotonic() - started:.1f} s after the broker was named", flush=True)
        # What they have said before, nobody has heard.
        house.say_again()
        house.settle()

        entities, devices = house.entities(), self.home.devices()
        self.assertEqual("integration", entities[house.id(ATTIC, "clock", "tick")]["disabled_by"])
        cottage = devices[house.id(COTTAGE)]
        self.assertEqual((COTTAGE, "Garden"), (cottage["name"], self.home.areas()[cottage["area_id"]]))
        self.assertEqual(ATTIC, devices[house.id(ATTIC)]["name"])
        (bridge,) = [device for name, device in devices.items() if device["id"] == cottage["via_device_id"]]
        self.assertEqual("Kōzō first", bridge["name"])

        warmth = self.home.attributes(house.thing("warmth"))
        told = {key: warmth.get(key) for key in ("device_class", "unit_of_measurement", "state_class", "battery")}
        self.assertEqual({"device_class": "temperature", "unit_of_measurement": "°C", "state_class": "measurement", "battery": 80}, told)
        self.assertEqual("motion", self.home.attributes(house.motion())["device_class"])
        self.assertEqual(["day", "night"], self.home.attributes(house.thing("mode"))["options"])

        self.remove(house)
        self.quiet()

    def test_orders_reach_the_role_and_its_answer_is_shown(self):
        house = self.house("orders")
        # As a careful person has it: from nobody else.
        house.network.nodes[COTTAGE]["roles"]["things"]["acceptOrdersFrom"] = ["mqtt@hub"]
        house.bridge(self.broker)
        house.start()
        house.settle()

        def ordered(order, data):
            wait(lambda: f"{order} {data!r} among {house.things.orders}", lambda: (order, data) in [one[1:3] for one in house.things.orders])

        for service, face, more, data, state in [
            ("switch.turn_on", "lamp", {}, True, "on"),
            ("switch.turn_off", "lamp", {}, False, "off"),
            ("number.set_value", "level", {"value": 7}, 7, "7"),
            ("select.select_option", "mode", {"option": "day"}, "day", "day"),
            ("text.set_value", "greeting", {"value": "Grüß Gott"}, "Grüß Gott", "Grüß Gott"),
        ]:
            self.home.call(service, house.thing(face), **more)
            ordered(THINGS[face]["command"]["order"], data)
            house.expected[house.thing(face)] = state
            self.home.wait_state(house.thing(face), state)
        self.home.call("button.press", house.thing("reset"))
        ordered("reset", None)
        self.assertEqual({"mqtt@hub"}, {one[3] for one in house.things.orders})

        # What the role does not do, does not look as if it were done; what does not fit, or is kept by the broker
        # for whoever comes later, reaches no role.
        house.things.answers = None
        before = len(house.things.orders)
        level = f"{house.prefix}/node/{COTTAGE}/things/level/set"
        self.broker.publish(level, "11")
        self.broker.publish(level, "warm")
        self.home.call("switch.turn_on", house.thing("lamp"))
        wait("the order comes", lambda: len(house.things.orders) > before)
        self.assertEqual([("set lamp", True)], [one[1:3] for one in house.things.orders[before:]])
        self.assertEqual("off", self.home.state(house.thing("lamp")))
        house.network.stop(HUB)
        self.broker.publish(level, "9", retain=True)
        house.network.start(HUB)
        house.settle()
        house.things.follow(FOLLOWS)
        self.home.call("number.set_value", house.thing("level"), value=8)
        house.expected[house.thing("level")] = "8"
        self.home.wait_state(house.thing("level"), "8")
        self.assertNotIn(9, [one[2] for one in house.things.orders])

        self.broker.publish(level, "", retain=True)
        self.quiet()

    def test_events_happen_once_and_states_change_when_the_role_says_so(self):
        house = self.house("events")
        house.bridge(self.broker)
        house.start()
        house.settle()
        bell = house.thing("bell")
        self.assertEqual("unknown", self.home.state(bell))
        house.things.happen("rang", {"times": 3})
        wait("the bell rings", lambda: self.home.attributes(bell).get("event_type") == "ring")
        rang = self.home.state(bell)

        house.move(True)
        house.warm(-3.5)
        house.set("door", False, "off")
        house.set("phone", False, "not_home")
        house.settle()
        self.assertEqual(rang, self.home.state(bell))
        self.assertFalse([topic for topic in self.broker.retained() if topic.endswith("/event")])
        self.quiet()

    def test_a_node_that_is_gone_takes_its_own_things_alone(self):
        house = self.house("gone")
        house.bridge(self.broker, sleeping=[ATTIC])
        house.start()
        house.settle()
        house.network.kill(COTTAGE)
        house.network.kill(ATTIC)
        for face in THINGS:
            self.home.wait_state(house.thing(face), "unavailable")
        # One that sleeps is thought to be as it was.
        self.assertEqual("off", self.home.state(house.motion()))
        house.network.start(COTTAGE, ATTIC)
        house.settle()
        # The bridge itself: all are gone at once, however it ends.
        house.network.kill(HUB)
        self.home.wait_state(house.thing("lamp"), "unavailable")
        self.home.wait_state(house.motion(), "unavailable")
        house.network.start(HUB)
        house.settle()
        house.network.stop(HUB)
        self.home.wait_state(house.thing("lamp"), "unavailable")
        house.network.start(HUB)
        house.settle()
        self.quiet()

    def test_a_role_whose_face_is_wrong_hides_nothing_else(self):
        house = self.house("wrong")
        house.network.puppet(COTTAGE, "odd", {
            "good": {"kind": "binary_sensor", "state": {"event": "good"}},
            "odd": {"kind": "binary_sensor", "class": "no_such_class", "state": {"event": "odd"}},
        })
        house.bridge(self.broker)
        house.start()
        house.settle()
        wait("the good one is there", lambda: house.id(COTTAGE, "odd", "good") in house.entities())
        self.assertNotIn(house.id(COTTAGE, "odd", "odd"), house.entities())

    def test_what_a_person_deletes_stays_away_until_it_is_another_thing(self):
        house = self.house("deleted")
        house.bridge(self.broker)
        house.start()
        house.settle()
        device = house.id(COTTAGE)
        self.home.delete_device(device)
        wait("the device goes", lambda: device not in self.home.devices())
        wait(lambda: f"it is said to be hidden:\n{house.network.text(HUB)}", lambda: "hidden" in house.network.text(HUB))
        self.assertIn(COTTAGE, house.network.text(HUB))
        # Neither a Home Assistant that starts, nor a bridge that does, brings it back.
        self.broker.publish("homeassistant/status", "online")
        house.network.restart(HUB)
        self.home.wait_state(house.motion(), "off")
        wait("it is still hidden", lambda: "hidden" in house.network.text(HUB))
        self.assertNotIn(device, self.home.devices())
        # It has another face now.
        face = house.network.nodes[COTTAGE]["roles"]["things"]["face"]
        house.network.nodes[COTTAGE]["roles"]["things"]["face"] = {**face, "window": {**THINGS["door"], "class": "window"}}
        house.network.restart(COTTAGE, HUB)
        wait("it comes back", lambda: house.id(COTTAGE, "things", "window") in house.entities())
        self.home.wait_state(house.thing("lamp"), "off")
        self.quiet()

    def test_names_that_a_person_gives_stay(self):
        house = self.house("names")
        house.bridge(self.broker)
        house.start()
        house.settle()
        lamp = house.thing("lamp")
        self.home.rename(lamp, "Lantern", "switch.lantern")
        house.network.restart(HUB, COTTAGE)
        house.settle()
        self.broker.publish("homeassistant/status", "online")
        house.set("lamp", True, "on")
        house.settle()
        self.assertEqual("switch.lantern", self.home.entity(lamp))
        self.assertIn("Lantern", self.home.attributes(lamp)["friendly_name"])
        # A node that leaves the file and comes back. What was removed, only the present version remembers.
        cottage = house.network.nodes.pop(COTTAGE)
        house.network.stop(COTTAGE)
        house.network.restart(HUB)
        wait("the node goes", lambda: house.id(COTTAGE) not in self.home.devices())
        house.network.nodes[COTTAGE] = cottage
        house.network.restart(HUB)
        house.network.start(COTTAGE)
        house.settle()
        if self.home.version() >= "2026":
            self.assertEqual("switch.lantern", self.home.entity(lamp))
        self.remove(house)
        self.quiet()

    def test_what_leaves_the_file_leaves_home_assistant(self):
        house = self.house("leaving")
        house.network.puppet(COTTAGE, "shed", {"door": THINGS["door"]})
        house.bridge(self.broker)
        house.start()
        house.settle()
        shed = house.id(COTTAGE, "shed", "door")
        wait("the shed is there", lambda: shed in house.entities())
        # A face of a role that stays, and a role of a node that stays.
        things = house.network.nodes[COTTAGE]["roles"]["things"]
        things["face"] = {name: face for name, face in things["face"].items() if name != "door"}
        del house.expected[house.thing("door")]
        del house.things.states["door"]
        del house.network.nodes[COTTAGE]["roles"]["shed"]
        house.network.restart(HUB, COTTAGE)
        wait("face and role go", lambda: not {shed, house.thing("door")} & set(house.entities()))
        house.settle()
        wait(
            lambda: f"the broker keeps nothing of them, but {sorted(self.bare(house))}",
            lambda: not [topic for topic in self.bare(house) if "/shed/" in topic or "/door/" in topic],
        )
        # A node, while the bridge does not run.
        house.network.stop(HUB, COTTAGE)
        del house.network.nodes[COTTAGE]
        house.network.start(HUB)
        house.expected = {house.motion(): "off"}
        wait("the node goes", lambda: house.id(COTTAGE) not in self.home.devices())
        house.settle()
        wait(
            lambda: f"the broker keeps nothing of it, but {sorted(self.bare(house))}",
            lambda: not [topic for topic in self.bare(house) if f"/{COTTAGE}/" in topic or f"__{COTTAGE}__" in topic],
        )
        self.remove(house)
        self.quiet()

    def test_how_long_it_takes(self):
        house = self.house("times")
        house.things.follow({})
        house.bridge(self.broker)
        house.start()
        house.settle()

        def figures(what, times):
            times.sort()
            middle, late = times[len(times) // 2], times[len(times) * 99 // 100]
            print(f"{what}: p50 {middle * 1000:.1f} ms, p99 {late * 1000:.1f} ms, of {len(times)}", flush=True)

        entity, changes = self.home.entity(house.motion()), self.home.heard()
        times = []
        for number in range(SAMPLES):
            seen = len(changes)
            started = time.monotonic()
            house.move(number % 2 == 0)

            def arrived():
                return [at for at, change in changes[seen:] if change["entity_id"] == entity]

            times.append(soon(arrived)[0] - started)
            time.sleep(random.uniform(0, 0.02))
        figures("motion at a node, to the state in Home Assistant", times)

        times = []
        lamp = {"entity_id": self.home.entity(house.thing("lamp"))}
        with self.home.connection() as connection:
            for number in range(SAMPLES):
                before = len(house.things.orders)
                started = time.monotonic()
                service = "turn_off" if number % 2 else "turn_on"
                connection.command(type="call_service", domain="switch", service=service, target=lamp)
                times.append(soon(lambda: house.things.orders[before:])[0][0] - started)
                time.sleep(random.uniform(0, 0.02))
        figures("switch in Home Assistant, to the role", times)
        self.quiet()


def soon(test):
    """Waits as `wait` does, and sees it as soon as it is so."""
    end = time.monotonic() + PATIENCE
    while not test():
        assert time.monotonic() < end, "nothing comes"
        time.sleep(0.0005)
    return test()
