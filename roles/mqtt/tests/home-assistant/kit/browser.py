"""Debian's Chromium, without a screen: pages as a person sees them."""

import base64
import json
import os
import shutil
import subprocess
import tempfile

from kit.waiting import ended, started, wait

QUIET = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu"]


class Browser:
    """A window of so many pixels, which is told what to do through a pair of pipes (the DevTools protocol)."""

    def __init__(self, width, height):
        self.folder = tempfile.mkdtemp(prefix="kozo-browser-")
        theirs_in, self.to = os.pipe()
        self.of, theirs_out = os.pipe()
        words = [
            shutil.which("chromium"),
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={self.folder}",
            f"--window-size={width},{height}",
            "--hide-scrollbars",
            # In a container it has nothing to make its sandbox of.
            *(["--no-sandbox"] if os.getuid() == 0 else []),
            *QUIET,
        ]

        def descriptors():
            # It reads commands on 3, and answers on 4.
            read, write = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = started(
            words, preexec_fn=descriptors, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.rest, self.number, self.session = b"", 0, None
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def command(self, method, **parameters):
        """What a command answers."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                assert "result" in answer, answer
                return answer["result"]

    def _receive(self):
        while b"\0" not in self.rest:
            more = os.read(self.of, 1 << 16)
            assert more, "the browser has ended"
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def open(self, url):
        self.command("Page.navigate", url=url)
        wait(f"{url} is loaded", lambda: self.evaluate("document.readyState") == "complete")

    def evaluate(self, expression):
        """What an expression of JavaScript gives in the page."""
        return self.command("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_text(self, text):
        """Waits until a text is seen, also in what elements keep to themselves."""
        seen = """(function text(node) {
            let all = node.nodeType === Node.TEXT_NODE ? node.textContent : '';
            for (const child of [...node.childNodes, ...(node.shadowRoot ? node.shadowRoot.childNodes : [])]) all += ' ' + text(child);
            return all;
        })(document.body)"""
        wait(f"the page shows {text}", lambda: text in (self.evaluate(seen) or ""))

    def shown(self, **clip):
        """What the window shows, as a PNG."""
        clip = {"clip": {**clip, "scale": 1}} if clip else {}
        return base64.b64decode(self.command("Page.captureScreenshot", format="png", **clip)["data"])

    def picture(self, file, width, height, left, top):
        """Writes what the window shows there to a PNG file."""
        with open(file, "wb") as output:
            output.write(self.shown(x=left, y=top, width=width, height=height))

    def close(self):
        ended(self.process)
        os.close(self.to)
        os.close(self.of)
        shutil.rmtree(self.folder, ignore_errors=True)
