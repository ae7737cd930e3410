#!/usr/bin/env python3
"""The far end of an IPOP link, made of what others wrote: slixmpp, aioice, and OpenSSL's DTLS (pyOpenSSL).

It does what a tincan with a controller does, without a network device: it announces itself on XMPP, exchanges con_req
and con_resp, makes ICE and DTLS links to every tincan that it sees, answers pings (ICMP, ICMPv6) and ARP that come
through them, and can ping by itself. All lines on standard output are JSON, one for each thing that happens.

    pip install slixmpp aioice pyOpenSSL
    tincanpeer.py --jid alice@kozo.test --password secret --server 127.0.0.1:5222 --ca ca.pem --uid <40 hex digits>
                  --ip4 172.31.0.100 [--stun HOST:PORT] [--turn HOST:PORT,USER,PASSWORD] [--relay-only] [--plain]
                  [--digest sha1|sha256] [--rsa] [--ping N] [--seconds S] [--verbose]
                  [--no-relay] [--wrong-fingerprint] [--foreign-frame]

With --no-relay it makes no use of TURN, as if it had not been told of it: aioice takes the first way that works, be it
the best one or not. With --wrong-fingerprint it tells another fingerprint than that of its certificate; with
--foreign-frame it sends one frame whose header names another node as its source before anything else. Both are to be
refused. With --ping N it pings until N of its pings of each peer that it sees first came back, and ends (exit code 0),
or after S seconds (1).
"""

import argparse
import asyncio
import datetime
import hashlib
import ipaddress
import json
import logging
import struct
import sys
import time
import xml.etree.ElementTree as ET

import aioice
import slixmpp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

NAMESPACE = "jabber:iq:tincan"
PREFIX6 = "fd50:0dbc:41f2:4a3c"
KINDS = {"host": "local", "srflx": "stun", "prflx": "stun", "relay": "relay"}
MAC = bytes.fromhex("020000000002")
FOREIGN = "f0" * 20


def say(what, **fields):
    print(json.dumps({"at": round(time.time() - START, 3), "what": what, **fields}), flush=True)


def ip6_of(uid):
    return ipaddress.IPv6Address(PREFIX6 + "".join(":" + uid[i:i + 4] for i in range(0, 16, 4)))


def identity(options):
    """A key, a certificate whose common name is the uid, and its fingerprint."""
    key = rsa.generate_private_key(65537, 2048) if options.rsa else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, options.uid)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    certificate = builder.not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256())
    return key, certificate, fingerprint(certificate, options.digest)


def fingerprint(certificate, digest):
    text = hashlib.new(digest, certificate.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
    return ":".join(text[i:i + 2] for i in range(0, len(text), 2))


# Candidates as text: twelve fields with colons between; addresses of IPv6 in brackets.

def write_candidates(ice):
    texts = []
    for number, candidate in enumerate(ice.local_candidates, 1):
        host = f"[{candidate.host}]" if ":" in candidate.host else candidate.host
        fields = [number, 1, "udp", host, candidate.port, candidate.priority, ice.local_username, ice.local_password,
                  KINDS[candidate.type], "eth0", 0, candidate.foundation]
        texts.append(":".join(map(str, fields)))
    return " ".join(texts)


def read_candidates(text):
    """Yields user name, password and candidate."""
    for entry in text.split():
        host = None
        if "[" in entry:
            before, _, rest = entry.partition("[")
            host, _, after = rest.partition("]")
            entry = before + after
        fields = entry.split(":")
        if len(fields) < 12:
            continue
        _, component, protocol, address, port, priority, user, password, kind, _, generation, foundation = fields[:12]
        kind = {text: name for name, text in KINDS.items() if name != "prflx"}.get(kind, "host")
        yield user, password, aioice.Candidate(foundation, int(component), protocol, int(priority), host or address,
                                               int(port), kind, generation=int(generation))


class Link:
    """ICE and DTLS with one peer."""

    def __init__(self, node, uid, fpr):
        self.node, self.uid, self.fpr = node, uid, fpr
        options = node.options
        ways = {}
        if options.stun:
            ways["stun_server"] = endpoint(options.stun)
        if options.turn and not options.no_relay:
            server, user, password = options.turn.split(",")
            ways.update(turn_server=endpoint(server), turn_username=user, turn_password=password)
        if options.relay_only:
            ways["transport_policy"] = aioice.TransportPolicy.RELAY
        self.ice = aioice.Connection(ice_controlling=options.uid > uid, **ways)
        self.tls = None
        self.started = time.time()
        self.connecting = False
        self.gathered = asyncio.Event()
        self.pinged, self.answered = {}, 0

    async def gather(self):
        await self.ice.gather_candidates()
        self.gathered.set()
        self.node.signal(self.uid, "con_resp", f"{self.node.fpr} {write_candidates(self.ice)}")

    async def connect(self, candidates):
        if self.connecting:
            return
        self.connecting = True
        await self.gathered.wait()
        for user, password, candidate in read_candidates(candidates):
            self.ice.remote_username, self.ice.remote_password = user, password
            await self.ice.add_remote_candidate(candidate)
        await self.ice.add_remote_candidate(None)
        await self.ice.connect()
        pair = self.ice._nominated[1]
        say("ice", uid=self.uid, local=pair.local_candidate.type, remote=pair.remote_candidate.type,
            to=pair.remote_candidate.host, took=round(time.time() - self.started, 3))
        if not self.node.options.plain:
            await self.handshake()
        say("online", uid=self.uid, took=round(time.time() - self.started, 3))
        if self.node.options.foreign_frame:
            ping = echo6(128, MAC, b"\xff" * 6, ip6_of(FOREIGN), ip6_of(self.uid), 0)
            await self.send(ping, source=FOREIGN)
        await asyncio.gather(self.listen(), self.ping())

    async def handshake(self):
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(self.node.certificate)
        context.use_privatekey(self.node.key)
        # Who it is, the fingerprint tells.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.tls = SSL.Connection(context, None)
        self.tls.set_ciphertext_mtu(1400)
        if self.node.options.uid < self.uid:
            self.tls.set_connect_state()
        else:
            self.tls.set_accept_state()
        while True:
            try:
                self.tls.do_handshake()
                break
            except SSL.WantReadError:
                await self.flush()
                try:
                    self.tls.bio_write(await asyncio.wait_for(self.ice.recv(), self.tls.DTLSv1_get_timeout() or 1))
                except asyncio.TimeoutError:
                    self.tls.DTLSv1_handle_timeout()
        await self.flush()
        found = fingerprint(self.tls.get_peer_certificate(as_cryptography=True), self.node.options.digest)
        if found != self.fpr:
            raise ValueError(f"the certificate's fingerprint is {found}, not {self.fpr}")
        say("dtls", uid=self.uid, version=self.tls.get_protocol_version_name(), cipher=self.tls.get_cipher_name())

    async def flush(self):
        """One record a datagram: the BIO runs them together."""
        while True:
            try:
                data = self.tls.bio_read(65536)
            except SSL.WantReadError:
                return
            while data:
                length = 13 + int.from_bytes(data[11:13], "big")
                await self.ice.send(data[:length])
                data = data[length:]

    async def send(self, frame, source=None):
        data = bytes.fromhex(source or self.node.options.uid) + bytes.fromhex(self.uid) + frame
        if self.tls:
            self.tls.send(data)
            await self.flush()
        else:
            await self.ice.send(data)

    async def receive(self):
        while self.tls:
            try:
                return self.tls.recv(4096)
            except SSL.WantReadError:
                self.tls.bio_write(await self.ice.recv())
        return await self.ice.recv()

    async def listen(self):
        while True:
            try:
                data = await self.receive()
            except (ConnectionError, SSL.ZeroReturnError):
                say("offline", uid=self.uid)
                self.node.links.pop(self.uid, None)
                return
            if data[:8] != bytes.fromhex(self.uid)[:8]:
                say("foreign frame", uid=self.uid, source=data[:20].hex())
                continue
            answer = self.node.answer(self, data[40:])
            if answer:
                await self.send(answer)

    async def ping(self):
        # While the link changes to a better way, one may be lost.
        number = 0
        while self.answered < self.node.options.ping:
            self.pinged[number] = time.time()
            await self.send(echo6(128, MAC, b"\xff" * 6, ip6_of(self.node.options.uid), ip6_of(self.uid), number))
            number = (number + 1) % 65536
            await asyncio.sleep(0.1)

    def pong(self, number):
        if number in self.pinged:
            self.answered += 1
            say("pong", uid=self.uid, number=number, took=round(time.time() - self.pinged.pop(number), 6))
            if self.answered == self.node.options.ping:
                self.node.over.set()


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo6(kind, source, target, ip_source, ip_target, number, rest=b"kozo", name=7):
    body = struct.pack("!BBHHH", kind, 0, 0, name, number) + rest
    pseudo = ip_source.packed + ip_target.packed + struct.pack("!I3xB", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 64)
    return target + source + b"\x86\xdd" + head + ip_source.packed + ip_target.packed + body


class Node(slixmpp.ClientXMPP):
    def __init__(self, options):
        super().__init__(f"{options.jid}/tincan{options.uid}", options.password)
        self.options = options
        self.key, self.certificate, self.fpr = identity(options)
        if options.wrong_fingerprint:
            self.fpr = self.fpr[::-1]
        self.links, self.peers, self.requested = {}, {}, set()
        self.over = asyncio.Event()
        self.ca_certs = options.ca
        self.add_event_handler("session_start", self.start)
        self.add_event_handler("presence_available", self.available)
        self.add_event_handler("presence_unavailable", self.unavailable)
        self.add_event_handler("failed_all_auth", lambda _: say("refused"))
        matcher = MatchXPath(f"{{{self.default_ns}}}iq/{{{NAMESPACE}}}query")
        self.register_handler(Callback("tincan", matcher, self.heard))

    async def start(self, _):
        say("registered", jid=str(self.boundjid))
        self.send_presence(ppriority=0)

    def available(self, presence):
        jid = presence["from"]
        if jid == self.boundjid or not jid.resource.startswith("tincan"):
            return
        uid = jid.resource[len("tincan"):]
        if uid not in self.peers:
            say("sees", uid=uid)
        self.peers[uid] = jid
        if uid not in self.links:
            self.requested.add(uid)
            self.signal(uid, "con_req", self.fpr)

    def unavailable(self, presence):
        if presence["from"].resource.startswith("tincan"):
            say("gone", uid=presence["from"].resource[len("tincan"):])

    def signal(self, uid, kind, data):
        iq = self.make_iq_get(ito=self.peers[uid])
        query = ET.Element(f"{{{NAMESPACE}}}query")
        for name, text in (("data", data), ("type", kind)):
            ET.SubElement(query, f"{{{NAMESPACE}}}{name}").text = text
        iq.append(query)
        iq.send(callback=lambda _: None, timeout=1000)

    def heard(self, iq):
        jid = iq["from"]
        query = iq.xml.find(f"{{{NAMESPACE}}}query")
        kind, data = (query.findtext(f"{{{NAMESPACE}}}{name}") or "" for name in ("type", "data"))
        uid = jid.resource.removeprefix("tincan")
        self.peers[uid] = jid
        say("heard", uid=uid, type=kind, data=data)
        fpr, candidates = data[:len(self.fpr)], data[len(self.fpr) + 1:]
        if kind in ("con_req", "con_resp"):
            link = self.links.get(uid)
            if link and kind == "con_req" and fpr != link.fpr:
                # It was started anew.
                self.links.pop(uid)
                self.requested.discard(uid)
                self.run(link.ice.close())
                link = None
            if not link:
                if uid not in self.requested:
                    self.requested.add(uid)
                    self.signal(uid, "con_req", self.fpr)
                link = self.links[uid] = Link(self, uid, fpr)
                self.run(link.gather())
            if candidates:
                self.run(link.connect(candidates))

    def run(self, work):
        async def guarded():
            try:
                await work
            except Exception as error:
                say("failed", error=f"{type(error).__name__}: {error}")
        asyncio.get_running_loop().create_task(guarded())

    def answer(self, link, frame):
        """What an Ethernet frame is answered with, if it is a question."""
        target, source, kind, packet = frame[:6], frame[6:12], frame[12:14], frame[14:]
        own4 = ipaddress.IPv4Address(self.options.ip4).packed
        own6 = ip6_of(self.options.uid)
        if kind == b"\x86\xdd" and packet[6] == 58 and packet[24:40] == own6.packed:
            asker, number = ipaddress.IPv6Address(packet[8:24]), int.from_bytes(packet[46:48], "big")
            if packet[40] == 128:
                name = int.from_bytes(packet[44:46], "big")
                return echo6(129, MAC, source, own6, asker, number, packet[48:], name)
            if packet[40] == 129:
                link.pong(number)
        elif kind == b"\x08\x06" and packet[6:8] == b"\0\1" and packet[24:28] == own4:
            return source + MAC + kind + packet[:6] + b"\0\2" + MAC + own4 + packet[8:18]
        elif kind == b"\x08\0" and packet[9] == 1 and packet[16:20] == own4 and packet[20] == 8:
            body = b"\0\0\0\0" + packet[24:]
            body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
            head = packet[:10] + b"\0\0" + packet[16:20] + packet[12:16]
            head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
            return source + MAC + kind + head + body
        else:
            say("frame", uid=link.uid, ethertype=kind.hex(), length=len(frame))
        return None


def endpoint(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


async def main(options):
    node = Node(options)
    host, port = endpoint(options.server)
    node.connect(host, port)
    try:
        await asyncio.wait_for(node.over.wait(), options.seconds)
        # The other end may still want answers.
        await asyncio.sleep(1)
        return 0
    except asyncio.TimeoutError:
        return 1 if options.ping else 0
    finally:
        for link in list(node.links.values()):
            await link.ice.close()
        await node.disconnect(wait=0.5)


START = time.time()
if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("jid", "password", "server", "ca", "uid", "ip4"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("stun", "turn"):
        parser.add_argument(f"--{name}")
    for name in ("relay-only", "plain", "rsa", "verbose", "no-relay", "wrong-fingerprint", "foreign-frame"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--digest", choices=["sha1", "sha256"], default="sha1")
    parser.add_argument("--ping", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    if arguments.verbose:
        logging.basicConfig(level=logging.INFO)
    sys.exit(asyncio.run(main(arguments)))
