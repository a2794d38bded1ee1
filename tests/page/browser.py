"""A browser without a window, driven over Chrome's DevTools protocol, with the standard library alone.

    with Browser() as browser:
        page = browser.open(width=390, height=844, dark=True)
        page.go("http://127.0.0.1:9121/")
        page.wait("document.title == 'Redust'")
        page.run("1 + 1")            -> 2
        page.picture("page.png")

A page notes what it has asked for (`asked`) and what went wrong (`wrong`: errors and warnings of the console, requests
that failed, what the policy of the page has stopped).
"""

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def program():
    """The path of a browser, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Socket:
    """As much of a WebSocket as the protocol needs: whole texts, from us with a mask."""

    def __init__(self, url):
        host, path = url.removeprefix("ws://").split("/", 1)
        name, port = host.rsplit(":", 1)
        self.s = socket.create_connection((name, int(port)), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.s.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.s.recv(4096)
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        assert b" 101 " in head.split(b"\r\n")[0], head

    def take(self, n):
        while len(self.rest) < n:
            some = self.s.recv(65536)
            if not some:
                raise ConnectionError("the browser has gone")
            self.rest += some
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = len(data)
        head = bytes([0x81])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", size)
        self.s.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def read(self):
        text = b""
        while True:
            first, size = self.take(2)
            size &= 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self.take(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self.take(8))
            data = self.take(size)
            if first & 0x0F == 8:
                raise ConnectionError("the browser has closed")
            if first & 0x0F in (0, 1):
                text += data
                if first & 0x80:
                    return text.decode()


class Browser:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="page-browser.")
        options = [
            "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={self.dir}", "--no-first-run",
            "--disable-gpu", "--disable-extensions", "--disable-background-networking", "--disable-sync",
            "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio",
        ]
        if os.getuid() == 0:
            options.append("--no-sandbox")
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen(
            [program(), *options, "about:blank"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        port_file = os.path.join(self.dir, "DevToolsActivePort")
        end = time.time() + 30
        while True:
            try:
                with open(port_file, encoding="ascii") as f:
                    lines = f.read().split("\n")
                if len(lines) >= 2:
                    break
            except OSError:
                pass
            if self.process.poll() is not None or time.time() > end:
                with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
                    raise RuntimeError("the browser does not start: " + f.read()[-2000:])
            time.sleep(0.05)
        self.base = f"http://127.0.0.1:{lines[0]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def open(self, width, height, dark=False, scale=1):
        request = urllib.request.Request(self.base + "/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as reply:
            target = json.load(reply)
        return Page(target["webSocketDebuggerUrl"], width, height, dark, scale)


class Page:
    def __init__(self, url, width, height, dark, scale):
        self.ws = Socket(url)
        self.next = 0
        self.asked, self.wrong = [], []
        self.width, self.height, self.scale = width, height, scale
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.size(width, height)
        # A page in the background is visible to itself, too.
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def size(self, width, height):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=self.scale,
            mobile=width < 600,
        )

    def call(self, method, **params):
        self.next += 1
        self.ws.send(json.dumps({"id": self.next, "method": method, "params": params}))
        while True:
            message = json.loads(self.ws.read())
            if message.get("id") == self.next:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.note(message)

    def note(self, message):
        method, p = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.asked.append(p["request"]["url"])
        elif method == "Network.loadingFailed" and not p.get("canceled"):
            self.wrong.append(f"failed: {p.get('errorText')} {p.get('blockedReason', '')}")
        elif method == "Runtime.exceptionThrown":
            self.wrong.append("exception: " + json.dumps(p["exceptionDetails"])[:600])
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.wrong.append("console: " + " ".join(str(a.get("value")) for a in p["args"]))
        elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            self.wrong.append("log: " + p["entry"]["text"])

    def go(self, url):
        self.call("Page.navigate", url=url)

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {json.dumps(result['exceptionDetails'])[:600]}")
        return result["result"].get("value")

    def wait(self, script, seconds=15):
        end = time.time() + seconds
        # While a page is being loaded, half of it may be missing.
        while not self.run(f"(() => {{ try {{ return {script} }} catch {{ return false }} }})()"):
            if time.time() > end:
                raise AssertionError(f"not within {seconds} s: {script}; wrong: {self.wrong}")
            time.sleep(0.05)

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            text = "\r" if key == "Enter" and kind == "keyDown" else None
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                **({"text": text} if text else {}),
            )

    def picture(self, path, whole=True):
        clip = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **clip)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))
