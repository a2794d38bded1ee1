"""Errors of the disk while a replica gets a snapshot, on either side: nobody ends, nothing is left over, and it comes
right by itself once the disk does.

snapshot   the primary can't write the snapshot that it wants to send from a file
receiving  the replica can't write what it receives
spilling   the primary can't keep in files what waits for a replica that has stopped
"""

import errno
import os
import random
import signal
import socket

import faults
from faults import CHILDREN, FAIL, MAIN, RENAME, SYNC, WRITE
from load import encode
from server import Failed, Server

KEYS = 20_000
# What values are cut from: it can't be compressed.
NOISE = random.Random(0).randbytes(1 << 20)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Side:
    """One of the two, with the layer below it."""

    def __init__(self, run, name):
        directory = os.path.join(run.base, name)
        os.makedirs(directory)
        self.layer = faults.Layer(run.lib, directory)
        self.server = Server(run.binary, directory, self.layer)
        self.port = free_port()
        run.stages.append(self)

    def start(self, **options):
        words = {name.replace("_", "-"): value for name, value in options.items()}
        self.link = self.server.start({"port": self.port, "save": "", "enable-debug-command": "yes"} | words)

    def wait(self, what, condition, seconds=30):
        self.server.wait(what, condition, seconds)

    def said(self, text):
        with open(self.server.log, errors="replace") as log:
            return log.read().count(text)

    def close(self):
        self.link.close()
        self.server.process.send_signal(signal.SIGCONT)
        self.server.kill()
        self.layer.close()
        self.server.remove()


class Pair:
    def __init__(self, run, name, **options):
        self.run, self.name, self.next = run, name, 0
        self.primary, self.replica = Side(run, f"{name}-primary"), Side(run, f"{name}-replica")
        self.primary.start(repl_diskless_sync="no", **options)
        self.replica.start(repl_diskless_load="disabled")
        self.write(KEYS, 32)

    def write(self, keys, size):
        """SETs of keys that go round, in pipelines of 200."""
        link = self.primary.link
        for _ in range(keys // 200):
            batch = range(self.next, self.next + 200)
            self.next += 200
            link.socket.sendall(b"".join(encode("SET", f"key:{n % KEYS}", NOISE[n % 1000 * 7:][:size]) for n in batch))
            for _ in batch:
                if link.read() != b"OK":
                    raise Failed("a write was refused")

    def follow(self):
        self.replica.link("REPLICAOF", "127.0.0.1", self.primary.port)

    def up(self):
        return self.replica.link.info("replication")["master_link_status"] == "up"

    def comes_right(self, what):
        """The disk works again: the replica gets all, and no temporary file is left."""
        self.primary.wait(f"{what}: the replica is up", self.up)
        self.write(200, 32)
        end = lambda side, field: side.link.info("replication")[field]
        self.primary.wait(f"{what}: it has all", lambda: end(self.primary, "master_repl_offset")
                          == end(self.replica, "slave_repl_offset"))
        digests = [side.link("DEBUG", "DIGEST") for side in (self.primary, self.replica)]
        if digests[0] != digests[1]:
            raise Failed(f"{what}: the replica holds something else")
        for side in (self.primary, self.replica):
            side.wait(f"{what}: temporary files go",
                      lambda: not [name for name in side.server.files() if "temp-" in name])
        self.replica.link("REPLICAOF", "NO", "ONE")
        self.run.count(what)

    def close(self):
        self.replica.close()
        self.primary.close()


FULL = dict(space=1000)
FAULTS = {
    "full disk": FULL,
    "write error": dict(mask=WRITE, at=3, times=-1, action=FAIL),
    "sync error": dict(mask=SYNC, at=1, times=-1, action=FAIL),
    "rename refused": dict(mask=RENAME, at=1, times=-1, action=FAIL, error=errno.EACCES),
}


def snapshot(run):
    pair = Pair(run, "snapshot")
    for name, fault in FAULTS.items():
        before = pair.primary.said("Background saving error")
        pair.primary.layer.arm(**dict(fault, scope=CHILDREN))
        pair.follow()
        pair.primary.wait(f"{name}: it is noticed", lambda: pair.primary.said("Background saving error") > before)
        pair.write(2000, 32)
        if pair.up():
            raise Failed(f"{name}: the replica has got something")
        pair.primary.layer.calm()
        pair.comes_right(f"snapshot, {name}")
    pair.close()


def receiving(run):
    pair = Pair(run, "receiving")
    for name, fault in FAULTS.items():
        tries = lambda: pair.primary.link.info("stats")["sync_full"]
        before = int(tries())
        pair.replica.layer.arm(**dict(fault, scope=MAIN))
        pair.follow()
        # It says why and tries again, as often as it takes.
        pair.replica.wait(f"{name}: it tries again", lambda: int(tries()) >= before + 2)
        if pair.up() or pair.replica.link("PING") != b"PONG":
            raise Failed(f"{name}: a replica that could not write is up")
        pair.replica.layer.calm()
        pair.comes_right(f"receiving, {name}")
    pair.close()


def spilling(run):
    pair = Pair(run, "spilling", client_output_buffer_limit="replica 64mb 0 0", repl_timeout=60)
    # Slow enough that the replica is stopped before it has its snapshot, and too large for the buffers in between.
    pair.primary.link("CONFIG", "SET", "rdb-key-save-delay", "50")
    for name, fault in (("full disk", FULL), ("write error", dict(mask=WRITE, at=1, times=-1, action=FAIL))):
        pair.write(KEYS, 1000)
        full = pair.primary.link.info("stats")["sync_full"]
        pair.follow()
        pair.primary.wait("a snapshot is sent", lambda: pair.primary.link.info("stats")["sync_full"] > full)
        pair.replica.server.process.send_signal(signal.SIGSTOP)
        pair.primary.wait("the snapshot is written",
                          lambda: pair.primary.link.info("persistence")["rdb_bgsave_in_progress"] == "0")
        pair.primary.layer.arm(**dict(fault, scope=MAIN))
        before = pair.primary.said("Can't keep in files")
        # More than may wait in memory: the replica is given up, but nobody else notices.
        for _ in range(120):
            pair.write(200, 10_000)
            if pair.primary.link.info("replication")["connected_slaves"] == "0":
                break
        else:
            raise Failed(f"{name}: {pair.primary.link.info('replication')}")
        if pair.primary.said("Can't keep in files") == before:
            raise Failed(f"{name}: nothing is said of it")
        if int(pair.primary.link.info("replication")["redust_repl_spilled_bytes"]) > 0:
            raise Failed(f"{name}: something is left in files")
        pair.primary.layer.calm()
        pair.replica.server.process.send_signal(signal.SIGCONT)
        pair.write(KEYS, 32)
        pair.comes_right(f"spilling, {name}")
    pair.close()


def scene_pairs(run):
    for part in (snapshot,) if run.quick else (snapshot, receiving, spilling):
        part(run)
