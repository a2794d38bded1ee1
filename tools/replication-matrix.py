#!/usr/bin/env python3
"""Replication between this server and others, in both directions, under load.

usage: replication-matrix.py --server BINARY --other NAME=BINARY [--other ..] [--keys N] [--rate N] [--port P]

For each other server, with it as primary and as replica: N keys of all types, then so many writes a second while the replica
takes all, while the link is cut, while the replica is started anew, and while the role is handed over with FAILOVER and back. In
the end the primary is killed, the replica leads, and the old primary comes back. After each step both must hold the same (DEBUG
DIGEST), and only the first and the last may need a full synchronization.

DEBUG DIGEST is the same function in all these servers. It shows scores as the version prints them, and 7.0 prints other digits
than later ones, so scores are whole numbers here. It does not look at groups of streams: these are compared with XINFO.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "crash"))
from replicas import Link, until  # noqa: E402


def command(*words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Server:
    def __init__(self, name, binary, base, port):
        self.name, self.binary, self.port = name, binary, port
        self.dir = os.path.join(base, str(port))
        os.makedirs(self.dir)
        self.process = None

    def start(self, *more):
        self.process = subprocess.Popen(
            [self.binary, "--port", str(self.port), "--dir", self.dir, "--save", "", "--repl-diskless-sync-delay", "0",
             "--repl-backlog-size", "100mb", "--enable-debug-command", "yes", "--logfile", f"{self.dir}.log", *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: Link(self.port)("PING") == b"PONG", f"{self.name} starts", 60)

    def link(self, timeout=120):
        return Link(self.port, timeout)

    def stop(self, *how):
        try:
            self.link()("SHUTDOWN", *how)
        except (OSError, ConnectionError):
            pass
        self.process.wait()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def count(self, field):
        return int(self.link().info("stats", field))


def one(chance, n):
    """A write of one of all types."""
    key, kind = chance.randrange(n), chance.randrange(14)
    small, value = key % 1000, "v" * chance.randrange(60)
    return [
        lambda: ("SET", f"s:{key}", value), lambda: ("SET", f"s:{key}", value, "EX", 100000), lambda: ("INCR", f"i:{key}"),
        lambda: ("APPEND", f"a:{small}", "x"), lambda: ("RPUSH", f"l:{key}", key, value), lambda: ("LPOP", f"l:{key}"),
        lambda: ("SADD", f"t:{key}", key, key + 1), lambda: ("SPOP", f"t:{key}"), lambda: ("HSET", f"h:{key}", "f", value, key, 1),
        lambda: ("HINCRBYFLOAT", f"h:{key}", "n", "0.25"), lambda: ("ZADD", f"z:{key}", chance.randrange(1000), key),
        lambda: ("XADD", f"x:{small}", "MAXLEN", "~", 200, "*", "f", value), lambda: ("PFADD", f"p:{small}", key),
        lambda: ("DEL", f"s:{key + 1}"),
    ][kind]()


def fill(server, n):
    link, chance = server.link(), random.Random(1)
    for small in range(20):
        link("XGROUP", "CREATE", f"x:{small}", "g", "$", "MKSTREAM")
    done = 0
    while done < n:
        batch = b""
        for i in range(done, min(done + 2000, n)):
            kind = i % 7
            batch += command(*[
                ("SET", f"s:{i}", "v" * (i % 60)), ("RPUSH", f"l:{i}", i, "x"), ("SADD", f"t:{i}", i, i + 1),
                ("HSET", f"h:{i}", "f", i), ("ZADD", f"z:{i}", i % 1000, "m"), ("SETEX", f"s:{i}", 100000, i),
                ("XADD", f"x:{i % 1000}", "MAXLEN", "~", "200", "*", "f", i)][kind])
        count = min(2000, n - done)
        link.socket.sendall(batch)
        for _ in range(count):
            link.reply()
        done += count
    for small in range(20):
        link("XREADGROUP", "GROUP", "g", f"c{small}", "COUNT", 3, "STREAMS", f"x:{small}", ">")
    for key in ("large:list", "large:set", "large:hash", "large:zset"):
        for part in range(0, 20000, 1000):
            members = [chance.randrange(10**6) for _ in range(1000)]
            {"large:list": lambda: link("RPUSH", key, *members), "large:set": lambda: link("SADD", key, *members),
             "large:hash": lambda: link("HSET", key, *[w for m in members for w in (m, part)]),
             "large:zset": lambda: link("ZADD", key, *[w for m in members for w in (m % 100, m)])}[key]()


class Load(threading.Thread):
    """Writes at a rate to whichever server leads."""

    def __init__(self, servers, keys, rate):
        super().__init__(daemon=True)
        self.servers, self.keys, self.rate = servers, keys, rate
        self.written, self.stop, self.at = 0, False, servers[0]

    def run(self):
        chance, link = random.Random(2), None
        every = 0.02
        count, due = max(1, int(self.rate * every)), time.monotonic()
        while not self.stop:
            due += every
            time.sleep(max(0, due - time.monotonic()))
            if due < time.monotonic() - 1:
                due = time.monotonic()
            try:
                link = link or self.at.link(10)
                db = 3 if chance.random() < 0.1 else 0
                batch = [one(chance, self.keys) for _ in range(count)]
                text = command("SELECT", db) + command("MULTI") + command("INCR", "m") + command("EXEC")
                link.socket.sendall(text + b"".join(command(*words) for words in batch))
                for _ in range(count + 4):
                    try:
                        link.reply()
                    except RuntimeError as e:
                        if "READONLY" in str(e) or "LOADING" in str(e):
                            raise ConnectionError("not the primary") from e
                        if not str(e).startswith(("WRONGTYPE", "UNBLOCKED", "ERR")):
                            raise
                self.written += count
            except (OSError, ConnectionError):
                link = None
                time.sleep(0.05)


def same(primary, replica, seconds=120):
    def caught_up():
        a, b = primary.link(), replica.link()
        return b.info("replication", "master_link_status") == "up" and \
            a.info("replication", "master_repl_offset") == b.info("replication", "slave_repl_offset")
    until(caught_up, f"{replica.name} has all of {primary.name}", seconds)
    until(caught_up, f"{replica.name} has all of {primary.name}", seconds)
    digests = [server.link()("DEBUG", "DIGEST") for server in (primary, replica)]
    if digests[0] != digests[1] or digests[0] == b"0" * 40:
        raise SystemExit(f"FAILED: {primary.name} and {replica.name} differ: {digests}")
    for small in range(20):
        groups = []
        for server in (primary, replica):
            info = server.link()("XINFO", "GROUPS", f"x:{small}")
            facts = dict(zip(info[0][::2], info[0][1::2]))
            groups.append([facts[name] for name in (b"name", b"consumers", b"pending", b"last-delivered-id")])
        if groups[0] != groups[1]:
            raise SystemExit(f"FAILED: groups of x:{small} differ: {groups}")


class Pair:
    def __init__(self, servers, keys, rate):
        self.servers, self.keys, self.rate = servers, keys, rate

    def loaded(self, what, steps, primary, replica, after=None, full=0):
        """Runs `steps` under load; then both must hold the same, with so many full synchronizations at the leader."""
        leader = after or primary
        before, began = leader.count("sync_full"), time.monotonic()
        load = Load(self.servers, self.keys, self.rate)
        load.at = primary
        load.start()
        time.sleep(0.3)
        steps(load)
        took = time.monotonic() - began
        time.sleep(0.5)
        load.stop = True
        load.join()
        follower = replica if leader is primary else primary
        same(leader, follower)
        came = leader.count("sync_full") - before
        note = "" if came == full else f"  BUT {came} full synchronizations, not {full}"
        print(f"  {what:<34} {took:6.1f} s  {load.written / (took + 0.5):8.0f} writes/s  digests equal{note}", flush=True)
        return came == full

    def run(self):
        primary, replica = self.servers
        print(f"{primary.name} -> {replica.name}", flush=True)
        for server in self.servers:
            server.start()
        fill(primary, self.keys)
        well = self.loaded("full synchronization", lambda _: self.attach(replica, primary), primary, replica, full=1)

        def cuts(_):
            for round in range(6):
                side, kind = [(primary, "replica"), (replica, "master")][round % 2]
                side.link()("CLIENT", "KILL", "TYPE", kind)
                time.sleep(0.4)
        well &= self.loaded("six cut links", cuts, primary, replica)

        def restart(_):
            replica.stop("SAVE")
            replica.start("--replicaof", "127.0.0.1", str(primary.port))
            self.await_up(replica)
        well &= self.loaded("the replica started anew", restart, primary, replica)

        def hand_over(one, other):
            def steps(load):
                one.link()("FAILOVER", "TO", "127.0.0.1", other.port, "TIMEOUT", 20000)
                until(lambda: other.link().info("replication", "role") == "master", "the other leads", 30)
                load.at = other
                self.await_up(one)
                time.sleep(0.5)
            return steps
        well &= self.loaded("FAILOVER", hand_over(primary, replica), primary, replica, after=replica)
        well &= self.loaded("FAILOVER back", hand_over(replica, primary), replica, primary, after=primary)

        def kill(load):
            primary.kill()
            replica.link()("REPLICAOF", "NO", "ONE")
            load.at = replica
            time.sleep(0.5)
            primary.start("--replicaof", "127.0.0.1", str(replica.port))
            self.await_up(primary)
        well &= self.loaded("the primary killed, replica leads", kill, primary, replica, after=replica, full=1)
        return well

    def attach(self, replica, primary):
        replica.link()("REPLICAOF", "127.0.0.1", primary.port)
        self.await_up(replica)

    def await_up(self, replica):
        until(lambda: replica.link().info("replication", "master_link_status") == "up", f"{replica.name} is linked", 120)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][7:])
    parser.add_argument("--server", required=True)
    parser.add_argument("--other", action="append", default=[], required=True)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--port", type=int, default=29700)
    args = parser.parse_args()
    base, port, well = tempfile.mkdtemp(prefix="redust-matrix-"), args.port, True
    for other in args.other:
        name, _, binary = other.rpartition("=")
        for ours_first in (False, True):
            sides = [(name or binary, binary), ("redust", args.server)]
            sides = sides[::-1] if ours_first else sides
            servers = [Server(title, path, base, port + i) for i, (title, path) in enumerate(sides)]
            port += 2
            try:
                well &= Pair(servers, args.keys, args.rate).run()
            except SystemExit as e:
                print(f"{e} (logs in {base})", flush=True)
                well = False
            finally:
                for server in servers:
                    server.kill()
    if well:
        shutil.rmtree(base, ignore_errors=True)
    print("all well" if well else f"NOT all well; logs in {base}")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
