"""Messages and their data."""

import dataclasses
import unittest

from kozo.message import from_line, from_object, to_line, to_object


class DataTest(unittest.TestCase):
    def test_what_goes_out_comes_back(self):
        for value in [None, True, 7, -1, 2.5, "ö\n", b"\x00\xff", [1, [b""]], {"a": {"b": [None]}}, 2**64 - 1]:
            self.assertEqual(from_line(to_line(value)), value)

    def test_sets_dataclasses_and_buffers_have_a_form(self):
        @dataclasses.dataclass
        class Ring:
            times: int
            tone: bytes

        self.assertEqual(to_line(Ring(2, b"\x00")), b'{"times":2,"tone":{"base64":"AA=="}}')
        self.assertEqual(to_line([{1}, bytearray(b"\x00")]), b'[[1],{"base64":"AA=="}]')

    def test_what_has_no_form_is_an_error_that_says_so(self):
        with self.assertRaisesRegex(TypeError, "complex has no form in a message"):
            to_line({"a": 1j})
        with self.assertRaises(ValueError):
            to_line(float("inf"))
        with self.assertRaisesRegex(ValueError, r"'\\udcff' is no character.*os\.fsencode"):
            to_line({"name": "bad\udcff"})
        deep = []
        for _ in range(100_000):
            deep = [deep]
        with self.assertRaisesRegex(ValueError, "too deep"):
            to_line(deep)

    def test_whole_numbers_have_64_bits(self):
        @dataclasses.dataclass
        class Count:
            n: int

        for value in [-(2**63), 2**64 - 1, "1" * 50, {"1" * 50: 1}, [True, "1" * 50, 1e30]]:
            self.assertEqual(from_line(to_line(value)), value)
        for value in [2**64, -(2**63) - 1, 10**400, {"a": [2**64]}, ({2**64},), Count(2**64)]:
            with self.assertRaisesRegex(ValueError, "whole number"):
                to_line(value)

    def test_an_object_with_more_than_base64_is_an_object(self):
        for text in ['{"base64":"AA==","x":1}', '{"base64":7}', '{"base64":"!"}']:
            self.assertIsInstance(from_line(text.encode()), dict)


class ObjectTest(unittest.TestCase):
    def test_messages_of_every_kind_are_read(self):
        event = from_object({"event": "tick", "channel": "c", "data": 1, "node": "n", "role": "r", "age": 2, "time": 3})
        self.assertEqual(dataclasses.astuple(event), ("event", "tick", "c", 1, "n", "r", 2, 3))
        log = from_object({"log": "text", "node": "n", "role": "r", "more": 1})
        self.assertEqual((log.kind, log.type, log.data, log.channel), ("log", "", "text", None))
        self.assertEqual(from_object({"log": [1]}).data, [1])
        self.assertIsNone(from_object({"signal": "x"}))
        self.assertIsNone(from_object({"event": 7}))

    def test_a_message_cannot_be_changed(self):
        with self.assertRaises(dataclasses.FrozenInstanceError):
            from_object({"order": "ring"}).type = "other"

    def test_only_what_is_there_is_written(self):
        self.assertEqual(to_object("event", "tick", None, None), {"event": "tick"})
        self.assertEqual(to_object("order", "x", 0, "c"), {"order": "x", "channel": "c", "data": 0})
        with self.assertRaisesRegex(TypeError, "the type of a message is a text"):
            to_object("event", 7, None, None)
        with self.assertRaisesRegex(TypeError, "the channel"):
            to_object("event", "x", None, 7)


if __name__ == "__main__":
    unittest.main()
