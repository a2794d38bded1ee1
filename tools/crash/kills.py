"""kill -9 at a random moment, again and again in the same directory: nothing acknowledged may be missing."""

import os
import random
import time

import faults
from faults import KILL_AFTER, KILL_BEFORE, KILL_HALF
from load import Error
from server import Crowd, Died, Server

ROUNDS = 12
SCENES = ["load", "load", "rewrite", "rewrite", "save", "off", "off", "operation", "operation", "operation"]


def options(rng, policy, rdb):
    return {
        "appendonly": "yes",
        "appendfsync": policy,
        "save": rng.choice(["", "1 1"]) if rdb is None else "1 1" if rdb else "",
        "aof-use-rdb-preamble": rng.choice(["yes", "yes", "no"]),
        "aof-timestamp-enabled": rng.choice(["yes", "no"]),
        "auto-aof-rewrite-percentage": rng.choice([0, 50, 100]),
        "auto-aof-rewrite-min-size": rng.choice(["20kb", "200kb"]),
        "no-appendfsync-on-rewrite": rng.choice(["no", "no", "yes"]),
        "hz": rng.choice([10, 100]),
    }


class Directory:
    """The rounds of one directory. Everything comes from the seed but the moment at which a signal arrives."""

    def __init__(self, binary, base, seed, number, policy, rdb, lib):
        self.rng = random.Random(f"{seed}/{number}")
        self.name = os.path.join(base, f"{number}")
        os.makedirs(self.name)
        self.policy = self.rng.choice(["always", "everysec", "no"]) if policy == "both" else policy
        self.options = options(self.rng, self.policy, rdb)
        self.layer = faults.Layer(lib, self.name) if lib else None
        self.server = Server(binary, self.name, self.layer)
        self.crowd = Crowd(f"{seed}/{number}")
        self.figures = {"kills": 0, "loading": 0, "lives": 0, "left over": 0}
        self.trace = []

    def run(self, rounds):
        floor = None
        for _ in range(rounds):
            link = self.start(floor)
            scene = self.rng.choice(SCENES)
            if scene == "operation" and not self.layer:
                scene = "load"
            self.count(scene)
            floor = self.life(link, scene)
        link = self.start(floor)
        # The last life ends in order.
        self.crowd.connect(self.server.socket)
        self.crowd.work(0.03, self.running)
        self.crowd.settle_replies()
        link.send("SHUTDOWN")
        if self.server.process.wait(30) != 0:
            raise Died(self.server.process.returncode, self.server.tail())
        self.crowd.drain()
        link = self.server.start(self.options)
        self.crowd.verify(link)
        self.server.kill()
        self.finish()
        return self.figures

    def count(self, what, by=1):
        self.trace.append(what)
        self.figures[what] = self.figures.get(what, 0) + by

    def start(self, floor):
        """Starts the server, sometimes only after it was killed while it loaded, and looks at what is there."""
        self.options["aof-disable-auto-gc"] = self.rng.choice(["no", "no", "no", "yes"])
        while self.rng.random() < 0.2:
            self.count("loading")
            if self.layer and self.rng.random() < 0.5:
                self.aim(16)
            self.server.spawn(self.options)
            time.sleep(self.rng.random() ** 2 * 0.05)
            self.server.kill()
            self.calm()
            self.figures["kills"] += 1
        link = self.server.start(self.options)
        self.figures["lives"] += 1
        self.crowd.verify(link, floor)
        return link

    def running(self):
        return self.server.process.poll() is None

    def aim(self, most):
        """The process kills itself at one of its next calls on files, or its child does."""
        self.layer.arm(at=self.rng.randint(1, most), times=1, scope=self.rng.choice([0, 0, 1, 2]),
                       action=self.rng.choice([KILL_BEFORE, KILL_AFTER, KILL_HALF]),
                       mask=self.rng.choice([faults.ALL, faults.ALL & ~faults.WRITE,
                                             faults.RENAME | faults.OPEN | faults.UNLINK]))

    def calm(self):
        if self.layer:
            self.layer.calm()

    def life(self, link, scene):
        """Works until a kill; for each client how many steps must be there, where it is not all answered."""
        rng = self.rng
        self.crowd.connect(self.server.socket)
        self.floor = None
        try:
            self.crowd.work(rng.random() * 0.08, self.running)
            if scene == "rewrite":
                link("BGREWRITEAOF")
            elif scene == "save":
                link("BGSAVE")
                if rng.random() < 0.5:
                    self.crowd.work(rng.random() * 0.02, self.running)
                    link("BGREWRITEAOF")
            elif scene == "off":
                self.off(link)
            elif scene == "operation":
                self.aim(40)
                link(rng.choice(["BGREWRITEAOF", "BGREWRITEAOF", "BGSAVE", "PING"]))
                if rng.random() < 0.3:
                    self.off(link)
                self.crowd.work(0.05, self.running)
            self.crowd.work(rng.random() ** 2 * 0.06, self.running)
        except (ConnectionError, OSError):
            pass
        self.server.kill()
        self.figures["kills"] += 1
        link.close()
        self.crowd.drain()
        self.calm()
        return self.floor

    def off(self, link):
        """`appendonly no`, and mostly `yes` again. Until its first rewrite is done the old files count."""
        rng = self.rng
        before = {client.number: client.least() for client in self.crowd.clients}
        self.floor = before
        if link("CONFIG", "SET", "appendonly", "no") != b"OK":
            raise Died(None, self.server.tail())
        self.crowd.work(rng.random() * 0.03, self.running)
        if rng.random() < 0.2:
            link("BGREWRITEAOF")
            self.crowd.work(rng.random() * 0.05, self.running)
        for _ in range(rng.choice([1, 1, 1, 2])):
            if isinstance(link("CONFIG", "SET", "appendonly", "yes"), Error):
                raise Died(None, self.server.tail())
            self.crowd.work(rng.random() * 0.03, self.running)
            if rng.random() < 0.2:
                link("CONFIG", "SET", "appendonly", "no")
                self.crowd.work(rng.random() * 0.01, self.running)
        if link.info()["aof_enabled"] == "0":
            if isinstance(link("CONFIG", "SET", "appendonly", "yes"), Error):
                raise Died(None, self.server.tail())
        if rng.random() < 0.7:
            end = time.monotonic() + 10
            while time.monotonic() < end and self.running():
                info = link.info()
                if info["aof_rewrite_in_progress"] == info["aof_rewrite_scheduled"] == "0":
                    self.floor = None
                    self.count("on again")
                    return
                self.crowd.work(0.01, self.running)
            if self.running():
                raise Died(None, "appendonly yes came to no end\n" + self.server.tail())

    def finish(self):
        self.figures["left over"] += sum("temp-" in name for name in self.server.files())
        self.figures["steps"] = self.crowd.steps
        if self.layer:
            self.layer.close()
        self.server.remove()



