"""What plughost.py does under the interpreter that runs this: `python tests.py`, 2.7 or 3."""
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

try:
    import xmlrpclib
    from Queue import Empty, Queue
except ImportError:
    import xmlrpc.client as xmlrpclib
    from queue import Empty, Queue

HERE = os.path.dirname(os.path.abspath(__file__))
# Generous: it is waited for only where something is wrong.
LIMIT = 60
MESSAGE = {"host_id": "124571645@127.0.0.1:2004", "client_address": ["127.0.0.1", 4567]}


class Child(object):
    """plughost.py, as the satellite has it."""

    def __init__(self):
        with open(os.path.join(HERE, "plughost.py"), "rb") as source:
            text = source.read()
        with open(os.path.join(HERE, "start.py")) as source:
            start = source.read()
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", start, str(len(text))],
            env=dict(os.environ, PYTHONIOENCODING="utf-8:backslashreplace"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.process.stdin.write(text)
        self.frames = Queue()
        self.errors = Queue()
        self.start(self.hear)
        self.start(self.read_errors)

    def start(self, function):
        thread = threading.Thread(target=function)
        thread.daemon = True
        thread.start()

    def hear(self):
        for length in iter(self.process.stdout.readline, b""):
            params, name = xmlrpclib.loads(self.process.stdout.read(int(length)))
            self.frames.put((name, params[0]))
        self.frames.put(("end", {}))

    def read_errors(self):
        for line in iter(self.process.stderr.readline, b""):
            self.errors.put(line.decode("utf-8").strip())

    def say(self, name, **fields):
        text = xmlrpclib.dumps((fields,), name, allow_none=True)
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        self.process.stdin.write(str(len(data)).encode("ascii") + b"\n" + data)
        self.process.stdin.flush()

    def until(self, name, **fields):
        """The next frame with this name and these fields, and those before it."""
        before = []
        while True:
            try:
                heard = self.frames.get(timeout=LIMIT)
            except Empty:
                raise AssertionError("no %s %s, but %s" % (name, fields, before))
            if heard[0] == name and all(heard[1].get(key) == value for key, value in fields.items()):
                return heard[1], before
            if heard[0] == "end":
                raise AssertionError("no %s %s before the end, but %s" % (name, fields, before))
            before.append(heard)

    def until_error(self, text):
        while True:
            line = self.errors.get(timeout=LIMIT)
            if text in line:
                return line

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except IOError:
                pass


class Cases(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.child = Child()

    def tearDown(self):
        self.child.close()
        shutil.rmtree(self.folder)

    def module(self, package, name, text):
        folder = os.path.join(self.folder, package)
        if not os.path.isdir(folder):
            os.mkdir(folder)
            self.write(os.path.join(package, "__init__.py"), "__all__ = []\n")
        with open(os.path.join(folder, "__init__.py"), "a") as init:
            init.write("__all__.append(%r)\n" % name)
        self.write(os.path.join(package, name + ".py"), text)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as out:
            out.write(textwrap.dedent(text))

    def load(self, *packages, **options):
        self.child.say(
            "load",
            folder=self.folder,
            home=self.folder,
            packages=list(packages),
            wide=options.get("wide", "error"),
            nil=options.get("nil", False),
        )
        return self.child.until("ready")[1]

    def skipped(self, frames):
        return dict((frame["name"], frame["reason"]) for name, frame in frames if name == "skipped")

    def receive(self, data):
        self.child.say("receive", message=dict(MESSAGE, data=data))

    def call(self, method, argument):
        self.child.say("call", id=7, method=method, argument=argument)
        return self.child.until("result", id=7)[0]

    def test_classes_that_follow_the_rules_are_loaded_and_no_others(self):
        self.module(
            "ham",
            "spam",
            """
            import plugin

            class X_Spam(plugin.Co2Plugin):
                pass

            class Spam(plugin.Co2Plugin):
                pass

            class X_Nothing:
                pass
            """,
        )
        self.module("ham", "empty", "")
        self.module("sys", "never", "raise AssertionError('loaded')")
        self.write("bare.py", "")
        frames = self.load("ham", "sys", "bare", "missing", "json")
        plugins = [(frame["name"], frame["title"]) for name, frame in frames if name == "plugin"]
        self.assertEqual(plugins, [("ham.spam", "ham.spam.X_Spam")])
        skipped = self.skipped(frames)
        self.assertEqual(sorted(skipped), ["bare", "ham.empty", "json", "missing", "sys"])
        self.assertIn("for itself", skipped["sys"])
        self.assertIn("X_", skipped["ham.empty"])

    def test_a_package_that_hides_a_module_of_python_is_not_mistaken_for_it(self):
        self.module("threading", "mine", "")
        self.assertIn("a module of Python", self.skipped(self.load("threading"))["threading"])

    def test_whoever_cannot_be_loaded_is_named_with_the_place_and_costs_the_others_nothing(self):
        self.module("bad", "raises", "import plugin\nclass X_A(plugin.Co2Plugin):\n def __init__(self, v):\n  raise ValueError('no sensor')\n")
        self.module("bad", "leaves", "import sys\nsys.exit(3)\n")
        self.module("bad", "wrong", "def f(:\n")
        self.module("good", "one", "import plugin\nclass X_B(plugin.Co2Plugin): pass\n")
        frames = self.load("bad", "good")
        skipped = self.skipped(frames)
        self.assertEqual(sorted(skipped), ["bad.leaves", "bad.raises", "bad.wrong"])
        self.assertIn("exceptions.ValueError:no sensor", skipped["bad.raises"])
        self.assertIn("raises.py, line 4", skipped["bad.raises"])
        self.assertIn("wrong.py, line 1", skipped["bad.wrong"])
        self.assertEqual([frame["name"] for name, frame in frames if name == "plugin"], ["good.one"])

    def test_code_for_the_other_python_is_refused_with_a_hint(self):
        self.module("old", "printer", "import plugin\nclass X_P(plugin.Co2Plugin):\n def receive(self, d):\n  print 'got', d['data']\n")
        skipped = self.skipped(self.load("old"))
        if sys.version_info[0] > 2:
            self.assertIn("needs the option `python`", skipped["old.printer"])
        else:
            self.assertEqual(skipped, {})
            self.receive("nih!")
            self.child.until_error("got nih!")

    def test_messages_reach_receive_as_documented_and_answers_leave_without_what_was_forged(self):
        self.module(
            "ham",
            "spam",
            """
            import plugin

            class X_Spam(plugin.Co2Plugin):
                def receive(self, data_dict):
                    print("heard " + repr(sorted(data_dict.items())))
                    assert data_dict["client_address"] == ("127.0.0.1", 4567)
                    self.log("receive", data_dict["host_id"])
                    self.debug(self, u"\\u00fc")
                    self.send({"data": ({"john": "cleese"}, "nih!", 0.815, True), "host_id": "forged"})
            """,
        )
        self.load("ham")
        self.receive([1, 2, 3, "shrubbery"])
        sent, before = self.child.until("send")
        self.assertEqual(sent, {"plugin": "ham.spam", "data": [{"john": "cleese"}, "nih!", 0.815, True]})
        logged = [(frame["text"], frame["debug"]) for name, frame in before if name == "log"]
        self.assertEqual(logged, [("receive: " + MESSAGE["host_id"], False), (u"ham.spam.X_Spam: \u00fc", True)])
        self.child.until_error("heard [('client_address', ('127.0.0.1', 4567)), ('data', [1, 2, 3, 'shrubbery'])")

    def test_what_cannot_travel_is_an_error_of_the_sender(self):
        self.module(
            "ham",
            "spam",
            """
            import plugin

            class X_Spam(plugin.Co2Plugin):
                def x_try(self, argument):
                    told = []
                    for value in (1 << 31, None, {1: 2}, "a\\x00b", u"\\ufffe", object(), "x" * (1 << 21), 2):
                        try:
                            self.send({"data": value})
                        except Exception:
                            told.append(False)
                        else:
                            told.append(True)
                    try:
                        self.send({"dat": 1})
                    except KeyError:
                        told.append(False)
                    return told
            """,
        )
        self.load("ham")
        self.assertEqual(self.call("ham.spam.try", {})["value"], [False] * 7 + [True, False])

    def test_wide_integers_and_nil_travel_where_the_options_say_so(self):
        self.module("ham", "spam", "import plugin\nclass X_S(plugin.Co2Plugin):\n def receive(self, d):\n  self.send({'data': [1 << 40, None, 5]})\n")
        self.load("ham", wide="double", nil=True)
        self.receive(1)
        self.assertEqual(self.child.until("send")[0]["data"], [float(1 << 40), None, 5])

    def test_methods_are_described_called_and_their_faults_told(self):
        self.module(
            "ham",
            "spam",
            '''
            import plugin

            class X_Spam(plugin.Co2Plugin):
                def x_call_me(self, param_dict, times=2, what=object()):
                    """how many
                    were heard"""
                    return {"got": param_dict, "greeting": self.greeting}

                def x_raise(self, param_dict):
                    raise KeyError("nobody")

                def x_unspeakable(self, param_dict):
                    return object()

                x_number = 5
            ''',
        )
        self.write("ham/spam_config.py", "import os\ngreeting = 'shrubbery'\n")
        frames = self.load("ham")
        methods = dict((frame["name"], frame) for name, frame in frames if name == "method")
        self.assertEqual(sorted(methods), ["ham.spam.call_me", "ham.spam.raise", "ham.spam.unspeakable"])
        described = methods["ham.spam.call_me"]
        self.assertEqual(described["help"], "how many\nwere heard")
        self.assertEqual(described["signature"]["args"], ["param_dict", "times", "what"])
        self.assertEqual(described["signature"]["args_d"]["times"], 2)
        argument = {"a": [1], "client_address": ["127.0.0.1", 9]}
        self.assertEqual(self.call("ham.spam.call_me", argument)["value"], {"got": argument, "greeting": "shrubbery"})
        self.assertEqual(self.call("ham.spam.raise", {})["fault"], "exceptions.KeyError:'nobody'")
        self.assertIn("exceptions.TypeError", self.call("ham.spam.unspeakable", {})["fault"])
        self.assertIn("not supported", self.call("ham.spam.none", {})["fault"])

    def test_one_that_is_slow_is_named_and_no_other_waits_for_it(self):
        release = os.path.join(self.folder, "release")
        self.module(
            "a",
            "slow",
            """
            import os, time, plugin

            class X_Slow(plugin.Co2Plugin):
                def receive(self, data_dict):
                    while not os.path.exists("release"):
                        time.sleep(0.02)
            """,
        )
        self.module("b", "quick", "import plugin\nclass X_Q(plugin.Co2Plugin):\n def receive(self, d):\n  self.send({'data': len(d['data'])})\n")
        self.load("a", "b")
        for _ in range(9):
            self.receive("x" * 1000000)
            self.assertEqual(self.child.until("send")[0]["data"], 1000000)
        self.child.until("slow", plugin="a.slow", what="receive")
        open(release, "w").close()
        late, before = self.child.until("late", plugin="a.slow")
        self.assertGreater(late["seconds"], 1)
        # One was at work, 4 MiB waited, and the oldest of the rest made room.
        dropped = [frame for name, frame in before if name == "dropped"] or [self.child.until("dropped")[0]]
        self.assertEqual(dropped, [{"plugin": "a.slow", "count": 4}])

    def test_one_that_fails_is_named_and_goes_on(self):
        self.module("ham", "spam", "import plugin, sys\nclass X_S(plugin.Co2Plugin):\n def receive(self, d):\n  if d['data']: sys.exit(1)\n  self.send(d)\n")
        self.load("ham")
        self.receive(1)
        failed = self.child.until("failed")[0]
        self.assertEqual((failed["plugin"], failed["what"]), ("ham.spam", "receive"))
        self.assertIn("spam.py, line 4", failed["reason"])
        self.receive(0)
        self.child.until("send")

    def test_no_plugin_changes_the_message_of_another(self):
        text = "import plugin\nclass X_S(plugin.Co2Plugin):\n def receive(self, d):\n  d['data'].append(len(d['data']))\n  self.send(d)\n"
        self.module("a", "one", text)
        self.module("b", "two", text)
        self.load("a", "b")
        self.receive([])
        self.assertEqual([self.child.until("send")[0]["data"] for _ in range(2)], [[0], [0]])

    def test_all_say_goodbye_even_when_one_hangs(self):
        self.module("a", "hangs", "import plugin, threading\nclass X_S(plugin.Co2Plugin):\n def __exit__(self):\n  threading.Event().wait(1000)\n")
        self.module("b", "polite", "import plugin\nclass X_S(plugin.Co2Plugin):\n def __exit__(self):\n  self.send({'data': 'goodbye'})\n")
        self.load("a", "b")
        self.child.say("exit", limit=1.5)
        _, before = self.child.until("end")
        self.assertIn(("send", {"plugin": "b.polite", "data": "goodbye"}), before)
        self.assertTrue([frame for name, frame in before if name == "slow" and frame["plugin"] == "a.hangs"])
        self.assertEqual(self.child.process.wait(), 0)

    def test_the_end_of_the_satellite_is_the_end(self):
        self.module("b", "polite", "import plugin, sys\nclass X_S(plugin.Co2Plugin):\n def __exit__(self):\n  sys.stderr.write('bye\\n')\n")
        self.load("b")
        self.child.process.stdin.close()
        self.child.until_error("bye")
        self.child.until("end")
        self.assertEqual(self.child.process.wait(), 0)

    def test_lines_that_several_print_at_a_time_are_whole(self):
        for name in ("one", "two"):
            self.module(
                "p",
                name,
                """
                from __future__ import print_function
                import plugin, sys

                class X_Printer(plugin.Co2Plugin):
                    def receive(self, data_dict):
                        for number in range(500):
                            print(self.name, number, u"\\xfc", sep=u"-")
                            print(self.name, number, "error", sep="-", file=sys.stderr)
                        print("all of " + self.name)
                """,
            )
        self.load("p")
        self.receive(1)
        printed = []
        while sum(line.startswith("all of ") for line in printed) < 2:
            printed.append(self.child.errors.get(timeout=LIMIT))
        whole = [line for line in printed if line.startswith("p.") and line.count("p.") == 1]
        self.assertEqual(len(whole), 2000, printed)

    def test_plugins_have_neither_the_frames_nor_an_input(self):
        self.module(
            "ham",
            "spam",
            """
            import os, subprocess, sys, plugin

            class X_S(plugin.Co2Plugin):
                def receive(self, d):
                    assert sys.stdin.read() == ""
                    subprocess.call(["sh", "-c", "echo from a child; cat; ls /proc/self/fd | wc -l >&2"])
                    self.send(d)
            """,
        )
        self.load("ham")
        self.receive(1)
        self.child.until("send")
        self.child.until_error("from a child")

    def test_a_thread_may_be_a_plugin(self):
        self.module(
            "ham",
            "spam",
            """
            import threading, plugin

            class X_S(plugin.Co2Plugin, threading.Thread):
                def __init__(self, var_dict):
                    plugin.Co2Plugin.__init__(self, var_dict)
                    threading.Thread.__init__(self)
                    self.start()

                def run(self):
                    self.send({"data": str(self)})
            """,
        )
        frames = self.load("ham")
        self.assertEqual(self.skipped(frames), {})
        sent = [frame for name, frame in frames if name == "send"] or [self.child.until("send")[0]]
        self.assertEqual(sent[0]["data"], "ham.spam.X_S")

    def test_a_configuration_is_run_and_its_plain_values_told(self):
        self.write(
            "config.py",
            """
            import os
            host = "localhost:" + str(2000 + 3)
            plugin_list = ("example", "pd")
            background = True
            limits = {1: 2}
            def home(): pass
            _hidden = 1
            """,
        )
        self.child.say("configure", file=os.path.join(self.folder, "config.py"))
        told = self.child.until("configured")[0]
        expected = {"host": "localhost:2003", "plugin_list": ["example", "pd"], "background": True}
        self.assertEqual((told["values"], told["left_out"]), (expected, ["limits"]))
        self.module("ham", "spam", "import config, plugin\nclass X_S(plugin.Co2Plugin):\n def x_host(self, p):\n  return config.host\n")
        self.load("ham")
        self.assertEqual(self.call("ham.spam.host", {})["value"], "localhost:2003")

    def test_a_configuration_that_fails_is_told_with_its_place(self):
        self.write("config.py", "a = 1\nb = c\n")
        self.child.say("configure", file=os.path.join(self.folder, "config.py"))
        told = self.child.until("unconfigured")[0]["reason"]
        self.assertIn("exceptions.NameError", told)
        self.assertIn("config.py, line 2", told)


if __name__ == "__main__":
    unittest.main()
