#!/usr/bin/env python
# -*- coding: utf-8 -*-
"""Hosts of CO2 made of Python's own XML-RPC, for tests: what others may have that they connect with Kōzō.

    peer.py call URL METHOD [JSON...]     calls a method, and prints its result
    peer.py satellite URL PORT NICK       registers, and relays the JSON of each line of standard input
    peer.py relay PORT                    passes on what satellites send

Lines on standard output are JSON. A satellite begins with {"host_id": ...}, then has {"notify": ...} for each message;
it deregisters at the end of its input. A relay begins with {"listening": PORT}, then tells of each call. A port of 0 is
chosen by the system.

Runs with Python 2.7 and 3. Options, before the command:

    --from ADDRESS     makes connections from this address of the machine, and listens on it
    --encoding NAME    writes documents in another encoding than UTF-8
    --stall            a satellite's notify does not return before a line "go on" comes on standard input
"""
from __future__ import print_function

import json
import random
import sys
import threading

try:
    from http.client import HTTPConnection
    from socketserver import ThreadingMixIn
    from xmlrpc.client import Binary, DateTime, Error, Fault, ServerProxy, Transport
    from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer
except ImportError:
    from httplib import HTTPConnection
    from SimpleXMLRPCServer import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer
    from SocketServer import ThreadingMixIn
    from xmlrpclib import Binary, DateTime, Error, Fault, ServerProxy, Transport

TIMEOUT = 60


class Settings(object):
    address = "127.0.0.1"
    encoding = None
    stall = None


class Connecting(Transport):
    """Connects from an address of one's own choice."""

    def make_connection(self, host):
        return HTTPConnection(host, timeout=TIMEOUT, source_address=(Settings.address, 0))


def at(url):
    return ServerProxy(url, transport=Connecting(), encoding=Settings.encoding)


def call(url, method, *arguments):
    return getattr(at(url), method)(*arguments)


printing = threading.Lock()


def tell(value):
    def plain(value):
        if isinstance(value, DateTime):
            return {"dateTime": str(value)}
        if isinstance(value, Binary):
            return {"bytes": list(bytearray(value.data))}
        return repr(value)

    line = json.dumps(value, default=plain, sort_keys=True)
    with printing:
        print(line)
        sys.stdout.flush()


class Handler(SimpleXMLRPCRequestHandler):
    def _dispatch(self, method, arguments):
        found = getattr(self.server.host, "on_" + method.replace(".", "_"), None)
        if found is None:
            raise Exception('method "%s" is not supported' % method)
        return found(self.client_address[0], *arguments)


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port, host):
        SimpleXMLRPCServer.__init__(self, (Settings.address, port), Handler, logRequests=False)
        self.host = host
        thread = threading.Thread(target=self.serve_forever)
        thread.daemon = True
        thread.start()


class Host(object):
    def on_ping(self, ip, *_):
        return "OK"


class Satellite(Host):
    def __init__(self):
        self.secret = "<%d>" % random.getrandbits(64)

    def on_notify(self, ip, message):
        if message.pop("notify_pass", None) != self.secret:
            raise ValueError("this is not the password that the relay was given")
        tell({"notify": message})
        if Settings.stall is not None:
            Settings.stall.wait()
        return "OK"


class Relay(Host):
    def __init__(self):
        self.satellites = {}

    def on_relay_register(self, ip, registration):
        host_id = "%d@%s:%d" % (random.randrange(10 ** 8, 10 ** 9), ip, registration["port"])
        self.satellites[host_id] = registration["notify_pass"]
        tell({"registered": host_id, "nick": registration["nick"], "plugins": registration["plugins"]})
        return host_id

    def on_relay_deregister(self, ip, argument):
        del self.satellites[argument["host_id"]]
        tell({"deregistered": argument["host_id"]})
        return "OK"

    def on_relay_relay(self, ip, argument):
        sender = argument["host_id"]
        if sender not in self.satellites:
            raise KeyError("%s is not registered" % sender)
        tell({"relay": argument["data"], "from": sender})
        for host_id, secret in list(self.satellites.items()):
            if host_id != sender:
                message = {"host_id": sender, "data": argument["data"], "notify_pass": secret}
                try:
                    call("http://%s/RPC2" % host_id.split("@")[1], "notify", message)
                except (EnvironmentError, Error) as error:
                    tell({"failed": host_id, "error": str(error)})
        return "OK"


def satellite(url, port, nick):
    me = Satellite()
    server = Server(int(port), me)
    port = server.server_address[1]
    registration = {"port": port, "plugins": [], "nick": nick, "notify_pass": me.secret}
    host_id = call(url, "relay.register", registration)
    tell({"host_id": host_id})
    for line in iter(sys.stdin.readline, ""):
        if line.strip() == "go on":
            Settings.stall.set()
        else:
            call(url, "relay.relay", {"host_id": host_id, "data": json.loads(line)})
    call(url, "relay.deregister", {"host_id": host_id})


def relay(port):
    server = Server(int(port), Relay())
    tell({"listening": server.server_address[1]})
    # Until whoever has started this goes.
    sys.stdin.read()


def main(words):
    while words and words[0].startswith("--"):
        option = words.pop(0)
        if option == "--from":
            Settings.address = words.pop(0)
        elif option == "--encoding":
            Settings.encoding = words.pop(0)
        elif option == "--stall":
            Settings.stall = threading.Event()
        else:
            sys.exit(__doc__)
    command, rest = words[0] if words else None, words[1:]
    if command == "call" and len(rest) >= 2:
        tell(call(rest[0], rest[1], *[json.loads(text) for text in rest[2:]]))
    elif command == "satellite" and len(rest) == 3:
        satellite(*rest)
    elif command == "relay" and len(rest) == 1:
        relay(*rest)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Fault as fault:
        print("fault %s: %s" % (fault.faultCode, fault.faultString), file=sys.stderr)
        sys.exit(1)
