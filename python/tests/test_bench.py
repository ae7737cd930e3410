"""Roles on the bench: what roles can do, and what the bench does with them."""

import asyncio
import functools
import logging
import threading
import unittest

import kozo
from kozo.testing import Bench, BenchError


class Counter(kozo.Role):
    """A role that is a loop."""

    def __init__(self):
        # Its options are there.
        self.step = self.options.get("step", 1)
        self.count = self.load() or 0

    def run(self):
        while not self.stopping:
            message = self.receive(timeout=10)
            if message is None:
                self.debug("nothing came")
            elif message.type == "sleep":
                self.info(f"slept: {self.sleep(message.data)}")
            elif message.type == "status":
                self.set_status("counting")
            elif message.type == "fail":
                raise ValueError("as it was told")
            else:
                self.count += self.step
                self.send_event("count", self.count, channel=message.channel)
        self.store(self.count)


def functions():
    """A role of functions."""
    role = kozo.Role()
    role.seen = seen = []

    @role.on_start
    def begin():
        seen.append("start")

    @role.on_event("tick", role="timer*", channel=["a", ""])
    def ticked(message):
        seen.append(("tick", message.channel))

    @role.on_event()
    def other():
        seen.append("other")

    @role.on_order("fail")
    def fail():
        raise KeyError("x")

    @role.on_log
    def line(message):
        seen.append(message.data)

    @role.every(60)
    def minute():
        seen.append("minute")

    @role.on_reopen
    def reopen():
        seen.append("reopen")

    @role.on_stop
    def end():
        seen.append("stop")

    return role


class LoopTest(unittest.TestCase):
    def test_a_loop_gets_messages_options_and_what_was_stored(self):
        with Bench(Counter, options={"step": 5}, stored=7, node="hall", name="counter") as bench:
            bench.event("any", channel="x")
            (sent,) = bench.sent()
            self.assertEqual((sent.kind, sent.type, sent.data, sent.channel), ("event", "count", 12, "x"))
            self.assertEqual((sent.node, sent.role), ("hall", "counter"))
            self.assertEqual(bench.sent(), [])
        self.assertEqual(bench.stored, 12)
        self.assertTrue(bench.ended)

    def test_time_passes_only_on_the_bench(self):
        with Bench(Counter) as bench:
            bench.advance(35)
            self.assertEqual([text for _, text in bench.logged()], ["nothing came"] * 3)
            bench.order("sleep", 3600)
            bench.advance(3599)
            self.assertEqual(bench.logged(), [])
            bench.advance(1)
            self.assertEqual(bench.logged(), [("info", "slept: True")])
            self.assertEqual(bench.elapsed, 35 + 3600)

    def test_what_it_says_that_it_is_about_can_be_read(self):
        bench = Bench(Counter)
        self.assertEqual(bench.status, "")
        bench.order("status")
        bench.advance(1)
        self.assertEqual(bench.status, "counting")
        bench.stop()

    def test_stopping_ends_a_sleep(self):
        bench = Bench(Counter)
        bench.order("sleep", 1e9)
        bench.stop()
        self.assertEqual(bench.logged(), [("info", "slept: False")])
        self.assertEqual(bench.stored, 0)

    def test_with_interests_only_what_they_let_in_reaches_the_role(self):
        interests = [{"kind": "event", "type": ["t*k", "x"], "node": "hall"}, {"kind": "log"}, {"channel": ""}]
        with Bench(Counter, interests=interests) as bench:
            self.assertTrue(bench.event("tick", node="hall", channel="c"))
            self.assertFalse(bench.event("tick", node="yard", channel="c"))
            self.assertFalse(bench.order("tick", node="hall", channel="c"))
            self.assertTrue(bench.order("other"))
            self.assertTrue(bench.log("line"))
            self.assertEqual(len(bench.sent()), 3)
        with Bench(Counter, interests=[]) as bench:
            self.assertFalse(bench.event("tick"))
        with self.assertRaisesRegex(ValueError, "no key .'typ'"):
            Bench(Counter, interests=[{"typ": "x"}])
        with self.assertRaisesRegex(ValueError, "the kind"):
            Bench(Counter, interests=[{"kind": "events"}])

    def test_an_error_of_the_role_is_one_of_the_test(self):
        bench = Bench(Counter)
        with self.assertRaisesRegex(ValueError, "as it was told"):
            bench.order("fail")
        self.assertTrue(bench.ended)
        with self.assertRaises(BenchError):
            bench.event("any")

    def test_data_comes_as_it_does_over_the_protocol(self):
        class Echo(kozo.Role):
            def run(self):
                while not self.stopping:
                    message = self.receive()
                    if message is not None:
                        self.send_order("echo", message.data)

        with Bench(Echo) as bench:
            bench.event("x", {"a": (1, b"\xff"), 2: None})
            self.assertEqual(bench.sent()[0].data, {"a": [1, b"\xff"], "2": None})
            with self.assertRaises(TypeError):
                bench.event("x", 1j)


class FunctionsTest(unittest.TestCase):
    def test_functions_are_called_for_what_fits_them(self):
        role = functions()
        with Bench(role) as bench:
            bench.event("tick", role="timer1")
            bench.event("tick", role="timer1", channel="a")
            bench.event("tick", role="timer1", channel="b")
            bench.event("tick", role="clock")
            bench.order("tick")
            bench.log("a line")
            bench.reopen()
        expected = ["start", ("tick", None), ("tick", "a"), "other", "other", "a line", "reopen", "stop"]
        self.assertEqual(role.seen, expected)

    def test_intervals_are_kept_and_what_was_missed_is_not_made_up_for(self):
        role = functions()
        with Bench(role) as bench:
            bench.advance(59)
            self.assertNotIn("minute", role.seen)
            bench.advance(62)
            self.assertEqual(role.seen.count("minute"), 2)

    def test_a_function_that_held_up_an_interval_is_followed_by_one_call_of_it(self):
        role = kozo.Role()
        ticks = []
        role.every(1)(lambda: ticks.append(bench.elapsed))
        role.on_event("hold")(lambda: role.sleep(3.5))
        with Bench(role) as bench:
            bench.advance(1)
            bench.event("hold")
            bench.advance(5)
        self.assertEqual(ticks, [1, 4.5, 5, 6])

    def test_an_error_of_a_function_is_raised_or_logged_and_counted(self):
        with self.assertRaises(KeyError):
            Bench(functions()).order("fail")
        role = functions()
        with Bench(role, keep_going=True) as bench:
            bench.order("fail")
            bench.event("tick", role="timer")
            logged = bench.logged()
        self.assertEqual(role.errors, 1)
        self.assertIn(("tick", None), role.seen)
        self.assertEqual({level for level, _ in logged}, {"error"})
        text = "\n".join(text for _, text in logged)
        self.assertRegex(text, r"(?s)`functions.<locals>.fail` has failed, and the role goes on:.*KeyError: 'x'")
        self.assertNotIn("serving.py", text)

    def test_of_an_error_in_a_call_of_this_package_the_roles_own_lines_are_shown(self):
        role = kozo.Role()
        role.on_event()(lambda message: role.send_event("x", message.data and 1j))
        with Bench(role, keep_going=True) as bench:
            bench.event("x", 1)
            text = "\n".join(text for _, text in bench.logged())
        self.assertIn("test_bench.py", text)
        self.assertIn("TypeError: complex has no form", text)
        for inside in ["message.py", "role.py", "testing.py", "encoder.py"]:
            self.assertNotIn(inside, text)

    def test_a_function_that_takes_too_much_is_refused_at_once(self):
        role = kozo.Role()
        with self.assertRaisesRegex(TypeError, "has to take one parameter"):
            role.on_event("x")(lambda one, two: None)
        with self.assertRaisesRegex(TypeError, "with brackets"):
            role.on_event(lambda message: None)
        with self.assertRaises(ValueError):
            role.every(0)


class AsyncTest(unittest.TestCase):
    def test_async_functions_run_beside_each_other(self):
        role = kozo.Role()
        gate = []

        @role.on_start
        async def begin():
            gate.append(asyncio.Event())

        @role.on_order("wait")
        async def wait():
            # While this waits, the next order comes.
            await gate[0].wait()
            role.send_event("waited")

        @role.on_order("open")
        async def open_gate():
            gate[0].set()

        @role.every(5)
        async def often():
            role.send_event("often")

        @role.on_stop
        async def end():
            role.send_event("end")

        bench = Bench(role)
        # The first one is at work until the second one comes, so both are handed over at once.
        bench._host.deliver(kozo.Message("order", "wait", None, None, "n", "r", 0.0, 0.0))
        bench.order("open")
        self.assertEqual([message.type for message in bench.sent()], ["waited"])
        bench.advance(11)
        self.assertEqual([message.type for message in bench.sent()], ["often", "often"])
        bench.stop()
        self.assertEqual([message.type for message in bench.sent()], ["end"])

    def test_async_functions_at_work_come_to_their_end_when_the_role_is_to_end(self):
        role = kozo.Role()
        gate = []
        at_work = threading.Event()

        @role.on_order()
        async def work():
            gate.append(asyncio.Event())
            at_work.set()
            await gate[0].wait()
            for _ in range(100):
                await asyncio.sleep(0)
            role.send_event("done")

        @role.on_stop
        def end():
            gate[0].set()

        bench = Bench(role)
        bench._host.deliver(kozo.Message("order", "any", None, None, "n", "r", 0.0, 0.0))
        self.assertTrue(at_work.wait(60))
        bench.stop()
        self.assertEqual([message.type for message in bench.sent()], ["done"])

    def test_an_async_function_behind_a_decorator_is_one_as_well(self):
        done = []

        async def work(message):
            done.append(message.type)

        @functools.wraps(work)
        def decorated(message):
            return work(message)

        role = kozo.Role()
        role.on_event()(decorated)
        with Bench(role) as bench:
            bench.event("x")
        self.assertEqual(done, ["x"])

        hidden = kozo.Role()
        hidden.on_event()(lambda message: work(message))
        with self.assertRaisesRegex(TypeError, "calls an `async` function, and is none itself"):
            Bench(hidden).event("x")

    def test_an_error_of_an_async_function_is_raised(self):
        role = kozo.Role()

        @role.on_order()
        async def fail():
            await asyncio.sleep(0)
            raise KeyError("x")

        with self.assertRaises(KeyError):
            Bench(role).order("any")


class AskingTest(unittest.TestCase):
    def test_questions_get_the_answers_of_the_test(self):
        class Asker(kozo.Role):
            def run(self):
                while not self.stopping:
                    if self.receive() is not None:
                        try:
                            self.info(self.ask("status", since=3)["node"])
                        except kozo.Refused as error:
                            self.warn(str(error))

        with Bench(Asker, answers={"status": [{"node": "hall"}, kozo.Refused("not granted")]}) as bench:
            bench.event("x")
            bench.event("x")
            self.assertEqual(bench.logged(), [("info", "hall"), ("warn", "not granted")])

    def test_without_storage_there_is_nothing_to_load_and_storing_is_refused(self):
        role = kozo.Role()
        loaded = []
        role.on_start(lambda: loaded.append(role.load()))
        role.on_event("keep")(lambda: role.store(1))
        with Bench(role, stored=7, storage=False) as bench:
            self.assertEqual(loaded, [None])
            with self.assertRaisesRegex(kozo.Refused, "roleStorage"):
                bench.event("keep")

    def test_a_paced_send_tells_whether_there_was_room(self):
        role = kozo.Role()

        @role.on_event()
        def bulk():
            role.info(str(role.send_event("bulk", wait=3)))

        with Bench(role) as bench:
            bench.event("x")
            bench.refuse_room()
            bench.event("x")
            self.assertEqual([text for _, text in bench.logged()], ["True", "False"])
            self.assertEqual((len(bench.sent()), bench.elapsed), (1, 3))


class RoleTest(unittest.TestCase):
    def test_before_it_runs_a_role_says_what_is_missing(self):
        with self.assertRaisesRegex(kozo.NotRunning, "on_start"):
            kozo.Role().send_event("x")

    def test_a_text_with_what_is_no_character_is_logged_as_it_can_be_shown(self):
        with Bench(kozo.Role()) as bench:
            bench.role.info("bad\udcff")
            self.assertEqual(bench.logged(), [("info", "bad\\udcff")])
            with self.assertRaises(ValueError):
                bench.role.send_log("bad\udcff")

    def test_a_level_that_is_none_is_refused(self):
        role = kozo.Role()
        with self.assertRaisesRegex(ValueError, "error, warn, info"):
            role.log("loud", "x")

    def test_pythons_logging_reaches_the_log(self):
        role = kozo.Role()
        logger = logging.getLogger("kozo-test")
        logger.propagate = False
        handler = kozo.LogHandler(role)
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        with Bench(role) as bench:
            logger.warning("a %s", "warning")
            logger.debug("not shown")
            logger.critical("two\nlines")
            self.assertEqual(bench.logged(), [("warn", "a warning"), ("error", "two"), ("error", "lines")])

    def test_threads_of_the_role_send_as_well(self):
        with Bench(kozo.Role()) as bench:
            threads = [threading.Thread(target=bench.role.send_event, args=("x", n)) for n in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(message.data for message in bench.sent()), list(range(20)))


if __name__ == "__main__":
    unittest.main()
