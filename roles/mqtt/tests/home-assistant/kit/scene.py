"""What all tests here stand on: a broker, a Home Assistant, and neighbours that are to be left alone."""

import os
import unittest

from kit.broker import Broker
from kit.home import HomeAssistant, Skipped, installed
from kit.house import House
from kit.waiting import wait

NEIGHBOURS = {
    "zigbee2mqtt/bridge/state": '{"state":"online"}',
    "zigbee2mqtt/kitchen": '{"occupancy":false,"battery":97}',
    "homeassistant/binary_sensor/0x00158d0001/occupancy/config": (
        '{"name":"Occupancy","unique_id":"0x00158d0001_occupancy_zigbee2mqtt","device_class":"occupancy",'
        '"state_topic":"zigbee2mqtt/kitchen","value_template":"{{ value_json.occupancy }}","payload_on":true,'
        '"payload_off":false,"availability":[{"topic":"zigbee2mqtt/bridge/state","value_template":"{{ value_json.state }}"}],'
        '"device":{"identifiers":["zigbee2mqtt_0x00158d0001"],"name":"kitchen"}}'
    ),
    "homeassistant/device/kozonovice/config": (
        '{"device":{"identifiers":["kozonovice"],"name":"kozonovice"},"origin":{"name":"another"},'
        '"components":{"lamp":{"platform":"switch","unique_id":"kozonovice","command_topic":"kozonovice/set"}}}'
    ),
    "kozo-else/node/cottage/status": "online",
}
"""What others keep on the same broker, by topics: as zigbee2mqtt does, and with names that look like ours."""


def program():
    """The program that is tested, with the modules beside it."""
    return os.environ["KOZO_TEST_PROGRAM"]


class Scene(unittest.TestCase):
    """Tests that share a broker and a Home Assistant."""

    home_runs = True
    """Whether Home Assistant runs from the beginning."""

    @classmethod
    def setUpClass(cls):
        version = os.environ.get("KOZO_HOME_ASSISTANT", "current")
        try:
            command = installed(version)
        except Skipped as skipped:
            raise unittest.SkipTest(str(skipped)) from None
        cls.broker = Broker().start()
        cls.addClassCleanup(cls.broker.clear)
        cls.move_in()
        cls.home = HomeAssistant(command, cls.broker)
        cls.addClassCleanup(cls.home.clear)
        if cls.home_runs:
            cls.home.start()
            print(f"Home Assistant {cls.home.version()}", flush=True)

    @classmethod
    def move_in(cls):
        """Lets the neighbours say what they have."""
        for topic, payload in NEIGHBOURS.items():
            cls.broker.publish(topic, payload, retain=True)

    def house(self, name):
        """A network that does not run yet."""
        house = House(program(), self.home, name)
        self.addCleanup(house.clear)
        return house

    def bare(self, house):
        """What the broker still keeps of a network."""
        return {
            topic: payload
            for topic, payload in self.broker.retained().items()
            if topic.startswith(house.prefix + "/") or topic.startswith(f"homeassistant/device/kozo__{house.name}__")
        }

    def remove(self, house):
        """Lets the bridge take everything away, and looks whether it did, and touched nothing else."""
        house.bridge(self.broker, nodes=[])
        house.network.restart("hub")
        # As Home Assistant does when it has started. The bridge would do it later without that.
        wait("the bridge is connected", lambda: "connected to" in house.network.text("hub"))
        self.broker.publish("homeassistant/status", "online")
        wait(lambda: f"nothing is left, but {self.bare(house)}", lambda: not self.bare(house))
        wait("Home Assistant has nothing left of it", lambda: not house.entities())
        self.untouched()

    def untouched(self):
        kept = self.broker.retained()
        self.assertEqual(NEIGHBOURS, {topic: kept.get(topic) for topic in NEIGHBOURS})
