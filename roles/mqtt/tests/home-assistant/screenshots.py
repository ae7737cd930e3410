"""Takes the pictures of docs/home-assistant.md: screenshots.py FOLDER. Exit code 77: it cannot be done here."""

import os
import shutil
import sys
import time

from kit import Broker, HomeAssistant, Network, Skipped, installed, unique_id, wait
from kit.browser import Browser
from kit.scene import program

WIDTH, HEIGHT = 1280, 800
"""Pixels of the window."""

SIDEBAR, BAR = 256, 56
"""Pixels of what Home Assistant shows on all pages, at the left and at the top."""

HALL = {
    "hallway": {"motion": {"kind": "binary_sensor", "name": "Motion", "class": "motion", "state": {"event": "motion detection"}}},
    "lamp": {
        "output": {
            "kind": "switch",
            "name": "Lamp",
            "icon": "mdi:ceiling-light",
            "state": {"event": "gpio state"},
            "command": {"order": "gpio set"},
        }
    },
}
GARDEN = {"gate": {"gate": {"kind": "binary_sensor", "name": "Gate", "class": "door", "state": {"event": "motion detection"}}}}
"""What the nodes of packaging/examples/home-assistant.yml have, without its pins."""

WITHOUT_BRANDS = """(function hide(node) {
    for (const image of node.querySelectorAll('img')) image.style.visibility = 'hidden';
    for (const child of node.querySelectorAll('*')) if (child.shadowRoot) hide(child.shadowRoot);
})(document)"""
"""Hides the signs of integrations, which Home Assistant would have to fetch."""


def main(folder):
    if not shutil.which("chromium"):
        print("there is no `chromium`: install Debian's package of that name")
        return 77
    try:
        command = installed("current")
    except Skipped as skipped:
        print(skipped)
        return 77
    broker = Broker().start()
    home = HomeAssistant(command, broker, frontend=True)
    network = Network(program(), ["server", "hall", "garden"])
    browser = None
    try:
        home.start()
        home.stop()
        home.welcome()
        home.start()
        puppets = {}
        for node, roles in (("hall", HALL), ("garden", GARDEN)):
            for role, face in roles.items():
                puppets[role] = network.puppet(node, role, face)
        puppets["hallway"].set("motion detection", True)
        puppets["lamp"].set("gpio state", True)
        puppets["gate"].set("motion detection", False)
        areas = {"hall": "Hall", "garden": "Garden"}
        network.role(
            "server", "mqtt", grant=["status"], broker=[f"mqtt://127.0.0.1:{broker.port}"], network="house", areas=areas
        )
        network.start()
        home.wait_state(unique_id("house", "hall", "hallway", "motion"), "on")
        home.wait_state(unique_id("house", "hall", "lamp", "output"), "on")
        home.wait_state(unique_id("house", "garden", "gate", "gate"), "off")

        browser = Browser(WIDTH, HEIGHT)
        home.log_in(browser)
        device = home.devices()[unique_id("house", "hall")]["id"]
        browser.open(f"{home.url}config/devices/device/{device}")
        browser.wait_text("Motion")
        still(browser)
        browser.picture(os.path.join(folder, "home-assistant-device.png"), 690, 650, SIDEBAR, BAR)
        browser.open(f"{home.url}config/devices/dashboard")
        browser.wait_text("garden")
        browser.evaluate(WITHOUT_BRANDS)
        still(browser)
        browser.picture(os.path.join(folder, "home-assistant-devices.png"), WIDTH - SIDEBAR, 420, SIDEBAR, BAR)
    finally:
        if browser:
            browser.close()
        network.clear()
        home.clear()
        broker.clear()
    return 0


def still(browser):
    """Waits until nothing moves on the page any more."""
    last, since = None, time.monotonic()

    def stands():
        nonlocal last, since
        shown = browser.shown()
        if shown != last:
            last, since = shown, time.monotonic()
        return time.monotonic() - since > 2

    wait("the page stands still", stands)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
