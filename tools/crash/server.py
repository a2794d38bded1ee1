"""A server in a directory of its own, and the clients that work on it."""

import os
import random
import select
import shutil
import signal
import subprocess
import time

import load
from load import Client, Link, Lost


class Server:
    """One life after the other in one directory."""

    def __init__(self, binary, directory, layer=None):
        self.binary, self.dir, self.layer = os.path.abspath(binary), os.path.realpath(directory), layer
        self.socket = self.dir + ".sock"
        self.log = self.dir + ".server"
        self.process = None

    def spawn(self, options):
        words = [self.binary, "--port", "0", "--unixsocket", self.socket, "--dir", self.dir,
                 "--daemonize", "no", "--databases", "16"]
        for name, value in options.items():
            words += ["--" + name, str(value)]
        if os.path.exists(self.socket):
            os.remove(self.socket)
        with open(self.log, "ab") as log:
            log.write(f"---- {' '.join(words)}\n".encode())
            env = self.layer.environment() if self.layer else None
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                            cwd=self.dir)

    def wait_ready(self, timeout=30):
        """Waits until data is loaded. Raises Died with the end of the log if the process ends before that."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Died(self.process.returncode, self.tail())
            try:
                link = Link(self.socket)
                try:
                    if link("PING") == b"PONG":
                        return link
                except (ConnectionError, OSError):
                    pass
                link.close()
            except OSError:
                pass
            time.sleep(0.002)
        raise Died(None, self.tail())

    def start(self, options):
        self.spawn(options)
        link = self.wait_ready()
        if self.layer and self.layer["main_pid"] != self.process.pid:
            raise RuntimeError("the fault layer is not in the server")
        return link

    def kill(self):
        """Ends it at once, whatever it does; its exit code."""
        try:
            os.kill(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.process.wait()

    def tail(self, lines=14):
        with open(self.log, "rb") as f:
            f.seek(max(0, os.path.getsize(self.log) - 8000))
            return "\n".join(f.read().decode(errors="replace").splitlines()[-lines:])

    def files(self):
        found = []
        for folder, _, names in os.walk(self.dir):
            found += [os.path.relpath(os.path.join(folder, name), self.dir) for name in names]
        return sorted(found)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        for path in (self.socket, self.log):
            if os.path.exists(path):
                os.remove(path)


    def wait(self, what, condition, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.01)
        raise Failed(f"waited in vain: {what}\n{self.tail()}")


class Failed(Exception):
    """Something does not hold."""


class Died(Exception):
    def __init__(self, code, log):
        super().__init__(f"the server did not start (exit {code}):\n{log}")
        self.code = code


class Crowd:
    """Some clients and what they may expect."""

    def __init__(self, seed, clients=5):
        self.clients = [Client(i, random.Random(f"{seed}/{i}")) for i in range(clients)]
        self.rng = random.Random(f"{seed}/crowd")
        self.shared = 0
        self.killed = {}
        self.steps = 0

    def connect(self, path, deep=None):
        for client in self.clients:
            depth = deep or self.rng.choice([1, 1, 2, 16, 60])
            client.connect(path, depth)

    def work(self, seconds, alive, poke=None, refused_at=None):
        """Sends and reads for a time, or until the server is gone; `poke` is called in between."""
        end = time.monotonic() + seconds
        while alive():
            now = time.monotonic()
            if now >= end:
                return
            if poke:
                poke()
            self.turn(min(0.02, end - now))
            if refused_at and sum(c.errors["MISCONF"] for c in self.clients) >= refused_at:
                return
            if not any(client.alive for client in self.clients):
                return

    def turn(self, wait):
        sockets = {client.link.socket: client for client in self.clients if client.alive}
        for client in sockets.values():
            client.fill()
            client.write()
        writers = [sock for sock, client in sockets.items() if client.out]
        readable, _, _ = select.select(sockets, writers, [], wait)
        for sock in readable:
            sockets[sock].read()

    def settle_replies(self, seconds=10):
        """Waits for the replies to what has been sent."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            busy = [c for c in self.clients if c.alive and len(c.outcome) < len(c.steps)]
            if not busy:
                return
            for client in busy:
                client.write()
            select.select([c.link.socket for c in busy], [c.link.socket for c in busy if c.out], [], 0.05)
            for client in busy:
                client.read()
        raise Lost("?", 0, 0, ["replies did not come within ten seconds"])

    def drain(self):
        """Takes in what the server had sent before its end."""
        for client in self.clients:
            while client.alive and client.read():
                select.select([client.link.socket], [], [], 1)
            client.link.close()

    def verify(self, link, floor=None):
        """Everything acknowledged is there, at most what was sent beyond it, transactions whole.

        `floor`: for each client how many steps must be there, where that is fewer than were answered.
        """
        found, shared = load.dump(link, self.clients)
        least = most = self.shared
        for client in self.clients:
            at_least = client.least() if floor is None else min(floor[client.number], client.least())
            for i, step in enumerate(client.steps):
                done = client.outcome[i] if i < len(client.outcome) else True
                least += step.shared if done and i < at_least else 0
                most += step.shared if done else 0
            client.settle(found[client.number], at_least)
            self.steps += len(client.outcome)
            client.steps, client.outcome, client.acked_at = [], [], []
        if not least <= shared <= most:
            raise Lost("all", least, most, [f"the shared counter is {shared}"])
        self.shared = shared
