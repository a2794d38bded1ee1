#!/usr/bin/env python3
"""A primary and its replica, whose roles change by force: what WAIT has confirmed must be there.

usage: replicas.py --server BINARY [--other BINARY] [--rounds N] [--seed S] [--port P]

In each round clients write and ask WAIT 1 after some of their writes. Then, at a random moment, the primary is killed, or
stopped (as a network that is gone), or the link is cut a few times before; the replica is promoted. Every write that a
WAIT has confirmed must be there. The old primary comes back as a replica, and must hold the same in the end.

--other  the second server is another program, redis-server say: both sides are tried in turn.

A failure prints the round and its seed. The exit code is 1.
"""

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time


class Link:
    """One connection; commands one after the other."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the other side has gone")
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest

    def info(self, section, field):
        for line in self("INFO", section).decode().splitlines():
            if line.startswith(field + ":"):
                return line.split(":", 1)[1]
        return None


class Server:
    def __init__(self, binary, base, port):
        self.binary, self.port, self.dir = binary, port, os.path.join(base, str(port))
        os.makedirs(self.dir)
        self.process = None

    def start(self, *more):
        shutil.rmtree(self.dir)
        os.makedirs(self.dir)
        self.process = subprocess.Popen(
            [self.binary, "--port", str(self.port), "--dir", self.dir, "--save", "", "--repl-diskless-sync-delay", "0",
             "--repl-backlog-size", "10mb", "--enable-debug-command", "yes", "--logfile", f"{self.dir}.log", *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: Link(self.port)("PING") == b"PONG", f"{self.binary} starts")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        if self.process:
            self.process.wait()


def until(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (OSError, RuntimeError, ConnectionError):
            pass
        time.sleep(0.02)
    raise SystemExit(f"FAILED: not within {seconds} s: {what}")


class Writer(threading.Thread):
    """Counts up keys of its own, and remembers what a WAIT has confirmed."""

    def __init__(self, port, name, seed):
        super().__init__(daemon=True)
        self.port, self.name, self.random = port, name, random.Random(seed)
        self.confirmed, self.written, self.stop = 0, 0, False

    def run(self):
        try:
            link = Link(self.port, 3)
            while not self.stop:
                for _ in range(self.random.randrange(1, 20)):
                    self.written += 1
                    link("SET", f"{self.name}:{self.written}", self.written)
                    if self.random.random() < 0.1:
                        link("RPUSH", f"{self.name}:list", self.written)
                if link("WAIT", 1, 200) >= 1:
                    self.confirmed = self.written
        except (OSError, RuntimeError, ConnectionError):
            pass


def attach(replica, primary):
    Link(replica.port)("REPLICAOF", "127.0.0.1", primary.port)
    def same():
        a, b = Link(primary.port), Link(replica.port)
        return b.info("replication", "master_link_status") == "up" and \
            a.info("replication", "master_repl_offset") == b.info("replication", "slave_repl_offset")
    until(same, "the replica has all")


def one_round(number, seed, servers, totals):
    chance = random.Random(seed)
    primary, replica = servers
    writers = [Writer(primary.port, f"r{number}w{i}", f"{seed} {i}") for i in range(3)]
    for writer in writers:
        writer.start()
    time.sleep(chance.uniform(0.05, 0.4))
    how = chance.choice(["kill", "stop", "cut", "cut-both"])
    if how.startswith("cut"):
        for _ in range(chance.randrange(1, 4)):
            side, kind = chance.choice([(primary, "replica"), (replica, "master")])
            try:
                Link(side.port)("CLIENT", "KILL", "TYPE", kind)
            except (OSError, RuntimeError, ConnectionError):
                pass
            time.sleep(chance.uniform(0, 0.2))
    if how == "stop":
        primary.signal(signal.SIGSTOP)
    else:
        primary.kill()
    # What the kernel still holds of the stream may arrive; then the link must not come back.
    Link(replica.port)("REPLICAOF", "NO", "ONE")
    for writer in writers:
        writer.stop = True
        writer.join(5)
    link, confirmed = Link(replica.port), 0
    for writer in writers:
        confirmed += writer.confirmed
        for n in range(1, writer.confirmed + 1):
            if link("GET", f"{writer.name}:{n}") != str(n).encode():
                raise SystemExit(f"FAILED: {how}: {writer.name}:{n} was confirmed and is not there (of {writer.confirmed})")
    totals[how] = totals.get(how, 0) + 1
    totals["confirmed"] = totals.get("confirmed", 0) + confirmed
    if how == "stop":
        primary.signal(signal.SIGCONT)
    else:
        primary.start()
    attach(primary, replica)
    digests = [Link(server.port)("DEBUG", "DIGEST") for server in (replica, primary)]
    if digests[0] != digests[1]:
        raise SystemExit(f"FAILED: {how}: the two differ in the end")
    return [replica, primary]


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][7:])
    parser.add_argument("--server", required=True)
    parser.add_argument("--other")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", default=None)
    parser.add_argument("--port", type=int, default=29600)
    args = parser.parse_args()
    seed = args.seed or str(random.randrange(10**9))
    base = tempfile.mkdtemp(prefix="redust-replicas-")
    servers = [Server(args.server, base, args.port), Server(args.other or args.server, base, args.port + 1)]
    totals, began, shown = {}, time.monotonic(), time.monotonic()
    print(f"replicas: seed {seed}, files in {base}", flush=True)
    number = 0
    try:
        for server in servers:
            server.start()
        attach(servers[1], servers[0])
        for number in range(args.rounds):
            servers = one_round(number, f"{seed} {number}", servers, totals)
            if number % 20 == 19:
                Link(servers[0].port)("FLUSHALL")
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(f"  {number + 1} rounds, {totals['confirmed']} confirmed writes, {shown - began:.0f} s", flush=True)
    except SystemExit as e:
        print(f"{e} (round {number}, seed {seed}; logs in {base})")
        sys.exit(1)
    finally:
        for server in servers:
            server.kill()
    print(f"replicas: {args.rounds} rounds in {time.monotonic() - began:.0f} s, all well: {totals}")
    shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
