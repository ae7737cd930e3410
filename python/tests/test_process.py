"""Programs as the daemon sees them: a process, and lines on its standard input and output."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEADLINE = 120
"""Seconds that anything may take. Generous: a busy machine is no failure."""

HELLO = {"hello": 1, "node": "hall", "role": "door", "options": {"chime": "ding"}}


class Program:
    """A program at work, with the daemon's end of its pipes."""

    def __init__(self, test, text, hello=HELLO):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "role.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        self.process = subprocess.Popen(
            [sys.executable, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # As a daemon gives it: without what changes how Python buffers.
            env={**os.environ, "PYTHONPATH": PACKAGE, "PYTHONUNBUFFERED": ""},
        )
        test.addCleanup(self.kill)
        self.lines = queue.Queue()
        self.error = []
        self.readers = [
            threading.Thread(target=self._read),
            threading.Thread(target=lambda: self.error.append(self.process.stderr.read())),
        ]
        for reader in self.readers:
            reader.start()
        if hello is not None:
            self.say(hello)

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def say(self, *lines):
        self.process.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self.process.stdin.flush()

    def next(self):
        return self.lines.get(timeout=DEADLINE)

    def end(self):
        """The exit code and the error output."""
        code = self.process.wait(DEADLINE)
        for reader in self.readers:
            reader.join(DEADLINE)
        return code, b"".join(self.error).decode()

    def stop(self):
        self.say({"stop": True})
        self.process.stdin.close()
        return self.end()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join(DEADLINE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def event(type_name, data=None, **more):
    return {"event": type_name, "data": data, "node": "clock", "role": "timer", "age": 0.5, "time": 7.0, **more}


ECHO = """
    import kozo, subprocess, sys
    role = kozo.Role()

    @role.on_event("echo")
    def echo(message):
        role.send_event("echo", [role.node, role.name, role.options, message.data, message.age], channel=message.channel)

    @role.on_event("noise")
    def noise():
        print("printed")
        print("without an end", end="")
        sys.stderr.write("to the error output\\n")
        subprocess.run(["sh", "-c", "echo from a child; cat"])
        role.send_event("silence")

    role.run()
"""


class ProcessTest(unittest.TestCase):
    def test_messages_go_both_ways(self):
        program = Program(self, ECHO)
        program.say(event("echo", {"base64": "AAE="}, channel="c", later="ignored"), {"news": 1}, event("other"))
        self.assertEqual(
            program.next(),
            {"event": "echo", "channel": "c", "data": ["hall", "door", {"chime": "ding"}, {"base64": "AAE="}, 0.5]},
        )
        self.assertEqual(program.stop(), (0, ""))

    def test_functions_that_no_interest_lets_anything_in_for_are_named(self):
        text = """
            import kozo
            role = kozo.Role()
            @role.on_event("tick")
            def ticked(message): pass
            @role.on_order("ring")
            def ring(message): pass
            @role.on_log
            def logged(message): pass
            @role.on_event(["a", "b"], channel="c")
            def either(message): pass
            role.run()
        """
        interests = [{"kind": "event", "type": ["t*"]}, {"kind": "order", "type": ["open"]}]
        program = Program(self, text, {**HELLO, "interests": interests})
        told = "`{}` is never called, for the role's block asks for no such messages: add `{}` to its `interests`"
        for name, wanted in [("ring", "{kind: order, type: ring}"), ("logged", "{kind: log}")]:
            self.assertEqual(program.next(), {"print": told.format(name, wanted), "level": "warn"})
        program.say({"stop": True})
        self.assertIsNone(program.next())
        # A daemon that does not tell them, or that tells more than this package knows.
        for hello in [HELLO, {**HELLO, "interests": [{"mood": ["good"]}]}]:
            program = Program(self, text, hello)
            program.say({"stop": True})
            self.assertIsNone(program.next())

    def test_what_is_printed_and_what_children_write_does_not_disturb(self):
        program = Program(self, ECHO)
        program.say(event("noise"), event("echo"))
        self.assertEqual(program.next(), {"print": "printed", "level": "info"})
        self.assertEqual(program.next(), {"event": "silence"})
        self.assertEqual(program.next()["event"], "echo")
        program.process.stdin.close()
        code, error = program.end()
        self.assertEqual(code, 0)
        self.assertEqual(error, "to the error output\nfrom a child\n")
        self.assertEqual(program.next(), {"print": "without an end", "level": "info"})

    def test_what_is_printed_before_and_after_it_runs_is_on_the_error_output(self):
        program = Program(
            self,
            """
            print("before")
            import kozo, logging, sys
            role = kozo.Role()
            role.on_start(lambda: print("it runs", file=sys.stderr))
            role.run()
            print("after")
            logging.warning("at last")
            """,
        )
        self.assertEqual(program.stop(), (0, "before\nit runs\nafter\nWARNING:root:at last\n"))

    def test_the_end_of_the_input_ends_it_after_what_came_before(self):
        program = Program(self, ECHO)
        program.say(*[event("echo", number) for number in range(1000)])
        program.process.stdin.close()
        self.assertEqual([program.next()["data"][3] for _ in range(1000)], list(range(1000)))
        self.assertEqual(program.end(), (0, ""))

    def test_questions_are_answered_while_messages_come(self):
        program = Program(
            self,
            """
            import kozo
            class Asker(kozo.Role):
                def run(self):
                    self.store({"n": self.load()})
                    self.info(self.ask("status", wait=3)["node"])
                    try:
                        self.send_order("x", wait=2)
                    except kozo.Refused as error:
                        self.warn(str(error))
                    self.info(str(self.send_event("line", wait=1)))
                    while not self.stopping:
                        message = self.receive()
                        if message is not None and message.data == 999:
                            self.info("the last one")
            kozo.run(Asker)
            """,
        )

        def asked(expected, **answer):
            line = program.next()
            # The first in the line, which the daemon may not read to its end.
            self.assertEqual(list(line)[0], "id")
            number = line.pop("id")
            self.assertEqual(line, expected)
            # Far more messages than wait in a program come before the answer.
            flood = [event("flood", count) for count in range(1000)]
            program.say(*flood, {"answer": 77}, {"answer": number, **answer})

        asked({"load": True}, value=[1, {"base64": "AA=="}])
        asked({"store": {"n": [1, {"base64": "AA=="}]}}, value=None)
        asked({"ask": {"request": "status"}, "wait": 3}, value={"node": "hall"})
        self.assertEqual(program.next(), {"print": "hall", "level": "info"})
        asked({"order": "x", "wait": 2}, error="too large")
        self.assertEqual(program.next(), {"print": "too large", "level": "warn"})
        asked({"event": "line", "wait": 1}, value=False)
        self.assertEqual(program.next(), {"print": "False", "level": "info"})
        for _ in range(5):
            self.assertEqual(program.next(), {"print": "the last one", "level": "info"})
        self.assertEqual(program.stop(), (0, ""))

    def test_what_is_stored_at_the_end_needs_no_answer(self):
        program = Program(
            self,
            """
            import kozo
            class Keeper(kozo.Role):
                def run(self):
                    self.store("asked while it runs")
                    self.receive()
                    self.sleep(10)
                    self.store("at the end")
                    self.send_event("last", wait=1)
            kozo.run(Keeper)
            """,
        )
        line = program.next()
        self.assertEqual(line["store"], "asked while it runs")
        # The order to stop comes in place of the answer.
        code, error = program.stop()
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(program.next(), {"store": "at the end"})
        self.assertEqual(program.next(), {"event": "last", "wait": 1})

    def test_an_order_to_stop_is_seen_behind_messages_that_wait(self):
        program = Program(
            self,
            """
            import kozo, time
            class Busy(kozo.Role):
                def run(self):
                    self.receive()
                    self.info("busy")
                    while not self.stopping:
                        time.sleep(0.001)
                    self.info("ends")
            kozo.run(Busy)
            """,
        )
        # More than are read ahead, and then some that stay in the pipe.
        program.say(*[event("flood")] * 300)
        self.assertEqual(program.next(), {"print": "busy", "level": "info"})
        program.say(*[event("flood")] * 300)
        self.assertEqual(program.stop(), (0, ""))
        self.assertEqual(program.next(), {"print": "ends", "level": "info"})

    def test_a_question_ends_when_the_daemon_is_gone(self):
        program = Program(
            self,
            """
            import kozo
            class Asker(kozo.Role):
                def run(self):
                    self.load()
            kozo.run(Asker)
            """,
        )
        program.next()
        program.process.stdin.close()
        code, error = program.end()
        self.assertEqual(code, 1)
        self.assertIn("NotRunning: the daemon is gone, or is ending the role", error)

    def test_a_question_without_an_answer_is_no_error_where_the_role_is_told_to_stop(self):
        asks_in_run = """
            import kozo
            class Asker(kozo.Role):
                def run(self):
                    self.load()
            kozo.run(Asker)
            """
        asks_as_it_begins = """
            import kozo
            role = kozo.Role()
            role.on_start(role.load)
            role.run()
            """
        for text in (asks_in_run, asks_as_it_begins):
            program = Program(self, text)
            self.assertEqual(program.next(), {"id": 1, "load": True})
            self.assertEqual(program.stop(), (0, ""))

    def test_an_error_of_the_role_ends_it_with_its_traceback(self):
        program = Program(
            self,
            """
            import kozo
            class Failing(kozo.Role):
                def run(self):
                    self.info("before")
                    raise ValueError("as it was told")
            kozo.run(Failing)
            """,
        )
        self.assertEqual(program.next(), {"print": "before", "level": "info"})
        code, error = program.end()
        self.assertEqual(code, 1)
        self.assertTrue(error.rstrip().endswith("ValueError: as it was told"), error)

    def test_signals_end_it_orderly(self):
        text = """
            import kozo
            class Waiting(kozo.Role):
                def run(self):
                    self.info("waits")
                    self.sleep(10000)
                    self.info("ends")
            kozo.run(Waiting)
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            program = Program(self, text)
            self.assertEqual(program.next(), {"print": "waits", "level": "info"})
            program.process.send_signal(number)
            self.assertEqual(program.next(), {"print": "ends", "level": "info"})
            self.assertEqual(program.end(), (0, ""))

    def test_so_many_async_functions_are_at_work_at_once_and_no_more(self):
        program = Program(
            self,
            """
            import asyncio, kozo
            role = kozo.Role()
            gate = None
            at_work = most = 0

            @role.on_start
            async def begin():
                global gate
                gate = asyncio.Event()

            @role.on_event("last")
            async def last(message):
                role.send_event("most", most)

            @role.on_event()
            async def work(message):
                global at_work, most
                at_work += 1
                most = max(most, at_work)
                if at_work == 1000:
                    # Time enough for more to begin, if more may.
                    asyncio.get_running_loop().call_later(0.3, gate.set)
                await gate.wait()
                at_work -= 1

            role.run()
            """,
        )
        program.say(*[event("work") for _ in range(1200)], event("last"))
        self.assertEqual(program.next(), {"event": "most", "data": 1000})
        self.assertEqual(program.stop(), (0, ""))

    def test_reopening_is_told(self):
        program = Program(
            self,
            """
            import kozo
            role = kozo.Role()
            @role.on_reopen
            def reopen():
                role.info("reopened")
            role.run()
            """,
        )
        program.say({"reopen": True})
        self.assertEqual(program.next(), {"print": "reopened", "level": "info"})
        self.assertEqual(program.stop(), (0, ""))

    def test_what_is_no_daemon_is_told_so(self):
        for first, expected in [
            ({"news": 1}, 'the first line is no greeting of a daemon: {"news": 1}'),
            ({**HELLO, "hello": 2}, "version 2 of the protocol"),
        ]:
            code, error = Program(self, ECHO, first).end()
            self.assertEqual(code, 1)
            self.assertIn(expected, error)
            self.assertNotIn("Traceback", error)

    def test_a_flood_passes_whole_and_in_order(self):
        program = Program(
            self,
            """
            import kozo
            role = kozo.Role()
            @role.on_event()
            async def echo(message):
                role.send_event("echo", message.data)
            role.run()
            """,
        )
        count = 20_000
        feeder = threading.Thread(target=lambda: program.say(*[event("x", number) for number in range(count)]))
        feeder.start()
        self.assertEqual([program.next()["data"] for _ in range(count)], list(range(count)))
        feeder.join(DEADLINE)
        self.assertEqual(program.stop(), (0, ""))

    def test_at_a_terminal_it_says_what_it_is(self):
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        program = [sys.executable, "-c", "import kozo; kozo.Role().run()"]
        ended = subprocess.run(
            program, stdin=theirs, capture_output=True, env={**os.environ, "PYTHONPATH": PACKAGE}, timeout=DEADLINE
        )
        os.close(theirs)
        self.assertEqual(ended.returncode, 2)
        said = ended.stderr.decode()
        self.assertIn("type: program", said)
        # What it shows to be entered fits a role that loads when it starts.
        hello, answer, tick = [json.loads(line) for line in said.splitlines() if line.startswith("    {")]
        program = Program(
            self,
            """
            import kozo
            role = kozo.Role()
            role.on_start(role.load)
            role.on_event("tick")(lambda: role.send_event("tock"))
            role.run()
            """,
            hello,
        )
        self.assertEqual(program.next(), {"id": answer["answer"], "load": True})
        program.say(answer, tick)
        self.assertEqual(program.next(), {"event": "tock"})
        self.assertEqual(program.stop(), (0, ""))


if __name__ == "__main__":
    unittest.main()
