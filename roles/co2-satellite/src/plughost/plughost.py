"""Runs people's CO2 plug-in packages in a process of their own. One file for Python 2.7 and 3.

The satellite hands this text to the interpreter, and then speaks with it in frames on what were standard input and
output. A frame is a decimal length, a line feed, and so many bytes: an XML-RPC call with one struct.

    the satellite says                            this says
    configure {file}                              configured {values, left_out} or unconfigured {reason}
    load {folder, home, packages, wide, nil}      loading {name}, plugin {name, title}, method {name, help, signature},
                                                  skipped {name, reason}; at the end ready {}
    receive {message}                             send {plugin, data}, log {plugin, text, debug}
    call {id, method, argument}                   result {id, value} or result {id, fault}
    exit {limit}                                  and at any time slow {plugin, what}, late {plugin, what, seconds},
                                                  failed {plugin, what, reason}, dropped {plugin, count}

Whatever plug-ins print goes to the error output, which the satellite writes into its log.
"""
import collections
import fcntl
import inspect
import os
import signal
import sys
import threading
import time
import traceback
import types

try:
    import xmlrpclib
except ImportError:
    import xmlrpc.client as xmlrpclib

# Packages of these names are CO2's own.
RESERVED = ("sys", "system", "co2", "relay", "web")
# Whoever is busy for longer than this, in seconds, is named.
AT_ONCE = 1.0
# How long the loading of the others waits for one constructor, in seconds. It may go on behind their backs.
CONSTRUCTION = 10.0
# Messages that wait for one plug-in whose `receive` is busy, and their bytes. The oldest make room.
WAITING = 1000
WAITING_BYTES = 4 << 20
# Calls of plug-ins' methods under way at a time.
CALLS = 16
# The longest frame that is sent, in bytes, and the longest text of a line for the log or of a help, in characters.
FRAME = 1 << 20
TEXT = 4000

# Seconds that no setting of the clock changes, where Python has them.
now = getattr(time, "monotonic", time.time)
wide_types = (int,) if sys.version_info[0] > 2 else (int, long)  # noqa: F821


class Writer(xmlrpclib.Marshaller):
    """Python's own, but for what the satellite's options say about integers beyond 32 bits."""

    dispatch = dict(xmlrpclib.Marshaller.dispatch)
    wide = "error"

    def dump_integer(self, value, write):
        if -(1 << 31) <= value < 1 << 31:
            write("<value><int>%d</int></value>\n" % value)
        elif self.wide == "double":
            self.dump_double(float(value), write)
        elif self.wide == "i8" and -(1 << 63) <= value < 1 << 63:
            write("<value><i8>%d</i8></value>\n" % value)
        else:
            raise OverflowError("%d does not fit into 32 bits: see the satellite's option `wide`" % value)

    for kind in wide_types:
        dispatch[kind] = dump_integer
    del kind


class Channel(object):
    """Frames, both ways. Whoever has to say something may do so from any thread."""

    def __init__(self):
        # Programs that plug-ins start must neither read nor write frames, nor keep them open.
        self.reader = os.fdopen(apart(0), "rb")
        self.writer = os.fdopen(apart(1), "wb")
        self.lock = threading.Lock()
        self.nil = False
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    def say(self, frame, **fields):
        head = "<?xml version='1.0'?>\n<methodCall>\n<methodName>%s</methodName>\n" % frame
        data = head.encode("ascii") + written(fields, self.nil) + b"</methodCall>\n"
        with self.lock:
            self.writer.write(str(len(data)).encode("ascii") + b"\n" + data)
            self.writer.flush()

    def hear(self):
        length = self.reader.readline()
        data = self.reader.read(int(length)) if length else b""
        if not data:
            # The satellite is gone, and nobody reads what we say.
            return "exit", {"limit": 1.0}, data
        params, name = xmlrpclib.loads(data)
        return name, params[0], data


class Lines(object):
    """What is printed, a whole line at a time: those of several plug-ins must not be mixed."""

    lock = threading.Lock()

    def __init__(self, stream):
        self.stream, self.mine = stream, threading.local()

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        self.mine.__dict__.setdefault("begun", []).append(text)
        if (b"\n" if isinstance(text, bytes) else u"\n") in text:
            self.flush()
        return len(text)

    def writelines(self, lines):
        for text in lines:
            self.write(text)

    def flush(self):
        begun = self.mine.__dict__.pop("begun", [])
        with self.lock:
            for text in begun:
                self.stream.write(text)
            self.stream.flush()


def apart(descriptor):
    """The same file under a number that nobody inherits."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 3)
    fcntl.fcntl(copy, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return copy


def written(value, nil=False):
    """A value in XML. Raises where the marshaller alone would write what no parser takes."""
    document = Writer("utf-8", nil).dumps((value,))
    data = document if isinstance(document, bytes) else document.encode("utf-8")
    if len(data) > FRAME:
        raise ValueError("%d bytes are too long for a message: %d are the most" % (len(data), FRAME))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("a text is not in UTF-8: make a unicode object of it, or an xmlrpclib.Binary")
    for character in text:
        if character < " " and character not in "\t\n\r" or character in u"\ufffe\uffff":
            raise ValueError("a text has the character %r, which XML cannot carry" % character)
    return data


class Co2Plugin(object):
    """What plug-ins derive from: `plugin.Co2Plugin`."""

    def __init__(self, var_dict):
        # Past attributes of other base classes: a `threading.Thread` has a `name` that cannot be set this early.
        self.__dict__.update(
            relay_method=var_dict["relay_method"],
            log_method=var_dict["log_method"],
            debug_method=var_dict["debug_method"],
            dotted_name=var_dict["dotted_name"],
            config_filename=var_dict["config_filename"],
            name=var_dict["dotted_name"],
        )
        self._load_config(self.config_filename)

    def _load_config(self, filename):
        if os.path.exists(filename):
            for key, value in run(filename).items():
                if not key.startswith("__"):
                    setattr(self, key, value)

    def receive(self, data_dict):
        """A message of another satellite: host_id, client_address and data."""

    def send(self, data_dict):
        """Sends what stands at the key `data` to all other satellites."""
        self.relay_method(data_dict)

    def log(self, caller, msg):
        self.log_method(caller, msg)

    def debug(self, caller, msg):
        self.debug_method(caller, msg)

    def __exit__(self, *ignored):
        """The satellite ends."""

    def __str__(self):
        return "%s.%s" % (self.dotted_name, self.__class__.__name__)

    __repr__ = __str__


class Watch(object):
    """Tells who is busy for too long, while they are."""

    def __init__(self, channel):
        self.channel = channel
        self.busy = {}
        self.changed = threading.Condition()
        start(self.look)

    def call(self, plugin, what, function, *arguments):
        """Calls somebody else's function; a failure is told with the last line that matters."""
        began = now()
        with self.changed:
            self.busy[threading.current_thread()] = [plugin, what, began, False]
            self.changed.notify()
        try:
            return function(*arguments)
        except BaseException as error:
            traceback.print_exc()
            self.channel.say("failed", plugin=plugin, what=what, reason=reason(error))
        finally:
            with self.changed:
                told = self.busy.pop(threading.current_thread())[3]
            if told:
                self.channel.say("late", plugin=plugin, what=what, seconds=now() - began)

    def look(self):
        while True:
            with self.changed:
                while not self.busy:
                    self.changed.wait()
                slow = [entry for entry in self.busy.values() if not entry[3] and now() - entry[2] > AT_ONCE]
                for entry in slow:
                    entry[3] = True
            for plugin, what, _, _ in slow:
                self.channel.say("slow", plugin=plugin, what=what)
            time.sleep(AT_ONCE / 4)


class Plugin(object):
    """One plug-in with its own thread, so that no other waits for it."""

    def __init__(self, dotted, plugin, host):
        self.dotted, self.plugin, self.host = dotted, plugin, host
        self.waiting = collections.deque()
        self.size = self.dropped = 0
        self.changed = threading.Condition()
        start(self.work)

    def receive(self, data):
        with self.changed:
            self.waiting.append(data)
            self.size += len(data)
            while len(self.waiting) > 1 and (len(self.waiting) > WAITING or self.size > WAITING_BYTES):
                self.size -= len(self.waiting.popleft())
                self.dropped += 1
            self.changed.notify()

    def work(self):
        while True:
            with self.changed:
                while not self.waiting:
                    self.changed.wait()
                data = self.waiting.popleft()
                self.size -= len(data)
                dropped, self.dropped = self.dropped, 0
            if dropped:
                self.host.channel.say("dropped", plugin=self.dotted, count=dropped)
            # From a copy of its own each: one that changes its message changes nobody else's.
            message = xmlrpclib.loads(data)[0][0]["message"]
            self.host.watch.call(self.dotted, "receive", self.plugin.receive, addressed(message))


class Host(object):
    def __init__(self):
        self.channel = Channel()
        self.watch = Watch(self.channel)
        self.plugins = []
        self.methods = {}
        self.seen = set()
        self.calls = threading.Semaphore(CALLS)

    def serve(self):
        while True:
            name, frame, data = self.channel.hear()
            if name == "configure":
                self.configure(frame["file"])
            elif name == "load":
                self.load(frame)
            elif name == "receive":
                for plugin in list(self.plugins):
                    plugin.receive(data)
            elif name == "call":
                self.call(frame)
            elif name == "exit":
                return self.leave(frame["limit"])

    def configure(self, filename):
        """Runs the configuration of an installation; plug-ins may import it as `config`, as they could there."""
        try:
            values = run(filename)
        except BaseException as error:
            return self.channel.say("unconfigured", reason=reason(error))
        module = types.ModuleType("config")
        module.__dict__.update(values)
        sys.modules["config"] = module
        plain, left_out = {}, []
        for key, value in values.items():
            if key.startswith("_") or inspect.ismodule(value) or callable(value):
                continue
            try:
                written({key: value})
                plain[key] = value
            except Exception:
                left_out.append(key)
        self.channel.say("configured", values=plain, left_out=sorted(left_out))

    def load(self, frame):
        Writer.wide, self.channel.nil = frame["wide"], frame["nil"]
        folder = frame["folder"]
        sys.path[:0] = [folder, frame["home"]]
        try:
            os.chdir(frame["home"])
        except OSError as error:
            self.skip(frame["home"], reason(error))
        base = types.ModuleType("plugin")
        base.Co2Plugin = Co2Plugin
        sys.modules["plugin"] = base
        for package in frame["packages"]:
            try:
                self.load_package(folder, package)
            except BaseException as error:
                self.skip(package, reason(error))
        self.channel.say("ready")

    def load_package(self, folder, package):
        if package in RESERVED:
            return self.skip(package, "CO2 has this name for itself: rename the package")
        if not os.path.isdir(os.path.join(folder, package)):
            return self.skip(package, "there is no such package in `%s`" % folder)
        self.channel.say("loading", name=package)
        loaded = __import__(package)
        if not (getattr(loaded, "__file__", None) or "").startswith(os.path.join(folder, package)):
            return self.skip(package, "a module of Python has this name: rename the package")
        if not hasattr(loaded, "__all__"):
            return self.skip(package, "its __init__.py has no list `__all__` of its modules")
        for name in loaded.__all__:
            dotted = "%s.%s" % (package, name)
            self.channel.say("loading", name=dotted)
            try:
                __import__(dotted)
            except BaseException as error:
                self.skip(dotted, reason(error))
                continue
            module = sys.modules[dotted]
            found = [kind for title, kind in sorted(vars(module).items()) if title.startswith("X_") and self.wants(kind)]
            if not found:
                self.skip(dotted, "it has no class that derives from plugin.Co2Plugin with a name that begins with X_")
            for kind in found:
                self.seen.add(kind)
                thread = start(self.construct, dotted, module, kind)
                thread.join(CONSTRUCTION)
                if thread.is_alive():
                    self.skip(dotted, "its constructor has not returned for %d s" % CONSTRUCTION)

    def wants(self, kind):
        return inspect.isclass(kind) and issubclass(kind, Co2Plugin) and kind not in self.seen

    def construct(self, dotted, module, kind):
        try:
            plugin = kind(self.variables(dotted, module))
        except BaseException as error:
            traceback.print_exc()
            return self.skip(dotted, reason(error))
        self.channel.say("plugin", name=dotted, title=cut(str(plugin)))
        for attribute in sorted(dir(kind)):
            method = getattr(plugin, attribute) if attribute.startswith("x_") else None
            name = "%s.%s" % (dotted, attribute[2:])
            if method is None or not callable(method):
                continue
            if name in self.methods:
                self.skip(name, "another class of the module has this method already")
                continue
            self.methods[name] = (dotted, method)
            self.channel.say("method", name=name, help=cut(inspect.getdoc(method) or ""), signature=signature(method))
        self.plugins.append(Plugin(dotted, plugin, self))

    def variables(self, dotted, module):
        def relay(data_dict):
            # What else stands in there is the satellite's to say.
            self.channel.say("send", plugin=dotted, data=data_dict["data"])

        def log(caller, msg):
            self.channel.say("log", plugin=dotted, text=line(caller, msg), debug=False)

        def debug(caller, msg):
            self.channel.say("log", plugin=dotted, text=line(caller, msg), debug=True)

        return {
            "relay_method": relay,
            "log_method": log,
            "debug_method": debug,
            "dotted_name": dotted,
            "config_filename": os.path.splitext(module.__file__)[0] + "_config.py",
        }

    def skip(self, name, why):
        self.channel.say("skipped", name=name, reason=cut(why))

    def call(self, frame):
        number, name = frame["id"], frame["method"]
        if name not in self.methods:
            return self.channel.say("result", id=number, fault='exceptions.Exception:method "%s" is not supported' % name)
        if not self.calls.acquire(False):
            return self.channel.say("result", id=number, fault="exceptions.Exception:%d calls are under way already" % CALLS)
        dotted, method = self.methods[name]

        def work():
            try:
                # Also a value that cannot be sent is the method's fault.
                self.channel.say("result", id=number, value=method(addressed(frame["argument"])))
            except BaseException as error:
                traceback.print_exc()
                self.channel.say("result", id=number, fault=described(error))
            finally:
                self.calls.release()

        start(self.watch.call, dotted, name, work)

    def leave(self, limit):
        """All say goodbye at the same time, so that one that hangs costs the others nothing."""
        until = now() + limit
        leaving = [
            (plugin, start(self.watch.call, plugin.dotted, "__exit__", plugin.plugin.__exit__)) for plugin in self.plugins
        ]
        for plugin, thread in leaving:
            thread.join(max(0.0, until - now()))
            if thread.is_alive():
                self.channel.say("slow", plugin=plugin.dotted, what="__exit__, which is not waited for any longer")


def start(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()
    return thread


def run(filename):
    with open(filename, "rb") as source:
        text = source.read()
    values = {"__name__": os.path.splitext(os.path.basename(filename))[0], "__file__": filename}
    exec(compile(text, filename, "exec"), values)
    return values


def addressed(message):
    """XML-RPC has made a list of the address, which Python has as a tuple."""
    if isinstance(message.get("client_address"), list):
        message["client_address"] = tuple(message["client_address"])
    return message


def signature(method):
    """What can be said of a method's arguments, without the object itself."""
    code = getattr(getattr(method, "__func__", None), "__code__", None)
    if code is None:
        return {"args": [], "args_d": {}}
    names = list(code.co_varnames[1 : code.co_argcount])
    defaults = method.__func__.__defaults__ or ()
    defaulted = dict(zip(names[len(names) - len(defaults) :], defaults))
    for name, value in defaulted.items():
        try:
            written(value)
        except Exception:
            defaulted[name] = repr(value)
    return {"args": names, "args_d": defaulted}


def line(caller, msg):
    return u"%s: %s" % (cut(caller), cut(msg))


def cut(value):
    """What can be a line for the log, whatever it was."""
    try:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else u"%s" % (value,)
    except UnicodeError:
        text = cut(repr(value))
    # Lone halves of surrogates and control characters fit into no document.
    text = text.encode("utf-8", "replace").decode("utf-8", "replace")[:TEXT]
    return u"".join(c if c >= " " and c not in u"\ufffe\uffff" or c in "\n\t" else "?" for c in text)


def described(error):
    """As the faults of CO2 name exceptions, whichever Python this is."""
    kind = type(error)
    module = "exceptions" if kind.__module__ in ("builtins", "__builtin__") else kind.__module__
    return u"%s.%s:%s" % (module, kind.__name__, cut(error))


def reason(error):
    """One line: what, and where somebody else's code has it."""
    if isinstance(error, SyntaxError) and error.filename:
        text = "%s, line %s: %s" % (error.filename, error.lineno, error.msg)
        if sys.version_info[0] > 2:
            text += " (this is Python %d: a package for Python 2 needs the option `python`)" % sys.version_info[0]
        return cut(text)
    text = described(error)
    frames = traceback.extract_tb(sys.exc_info()[2])
    own = [frame for frame in frames if frame[0] != OWN]
    return "%s (%s, line %s)" % (text, own[-1][0], own[-1][1]) if own else text


OWN = "<plughost>"

if __name__ == "__main__":
    # A terminal's interrupt is for the daemon, which then says `exit`.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.argv = [""]
    sys.stdout, sys.stderr = Lines(sys.stdout), Lines(sys.stderr)
    status = 1
    try:
        Host().serve()
        status = 0
    except (IOError, OSError):
        # The satellite is gone.
        pass
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    # Threads of plug-ins that do not end by themselves must not keep the process.
    os._exit(status)
