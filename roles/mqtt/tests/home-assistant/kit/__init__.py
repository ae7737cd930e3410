"""A real Home Assistant, a real broker and real nodes on loopback, for tests. Python's own library only."""

from kit.broker import Broker
from kit.home import HomeAssistant, Skipped, installed
from kit.network import Network, Puppet, unique_id
from kit.waiting import PATIENCE, wait

__all__ = ["PATIENCE", "Broker", "HomeAssistant", "Network", "Puppet", "Skipped", "installed", "unique_id", "wait"]
