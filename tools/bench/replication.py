#!/usr/bin/env python3
"""What replication costs: processor time of a primary and of its replica, and the time of a full synchronization.

usage: replication.py [--rounds N] [--keys N] NAME=BINARY [NAME=BINARY ...]

Each server replicates with another one of its kind; the contestants take turns, so drift of the machine hits all alike.
The first part sends SET in pipelines of 16 to a primary with one and with three replicas; the figures are seconds of
user and system time. The second has a replica fetch `--keys` keys of 32 bytes. Ratios are to the first contestant.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

REQUESTS = 1_000_000


def cli(port, *words):
    return subprocess.run(["redis-cli", "-p", str(port), *map(str, words)], capture_output=True, text=True).stdout


def field(port, section, name):
    found = re.search(rf"^{name}:(\S+)", cli(port, "info", section), re.M)
    return found.group(1) if found else ""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, binary):
        self.port, self.dir = free_port(), tempfile.mkdtemp(prefix="redust-bench-")
        self.process = subprocess.Popen(
            [binary, "--port", str(self.port), "--save", "", "--dir", self.dir, "--repl-diskless-sync-delay", "0",
             "--client-output-buffer-limit", "replica", "0", "0", "0", "--enable-debug-command", "yes"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while cli(self.port, "ping").strip() != "PONG":
            time.sleep(0.05)

    def cpu(self):
        """Seconds of user and system time so far."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def follow(self, primary):
        cli(self.port, "replicaof", "127.0.0.1", primary.port)

    def wait_linked(self):
        while field(self.port, "replication", "master_link_status") != "up":
            time.sleep(0.02)

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def writes(binary, replicas):
    """Seconds of the primary and of one of its replicas."""
    primary, *others = servers = [Server(binary) for _ in range(replicas + 1)]
    for other in others:
        other.follow(primary)
        other.wait_linked()
    before = [server.cpu() for server in servers]
    subprocess.run(["redis-benchmark", "-p", str(primary.port), "-t", "set", "-n", str(REQUESTS), "-P", "16", "-c", "50",
                    "-r", "1000000", "-d", "32", "-q"], stdout=subprocess.DEVNULL)
    end = int(field(primary.port, "replication", "master_repl_offset"))
    for other in others:
        while int(field(other.port, "replication", "slave_repl_offset") or 0) < end:
            time.sleep(0.02)
    used = [server.cpu() - was for server, was in zip(servers, before)]
    for server in servers:
        server.end()
    return used[0], used[1]


def full(binary, keys):
    """Seconds until a replica has all keys."""
    primary, replica = Server(binary), Server(binary)
    cli(primary.port, "debug", "populate", keys, "key", 32)
    began = time.monotonic()
    replica.follow(primary)
    replica.wait_linked()
    took = time.monotonic() - began
    primary.end()
    replica.end()
    return took


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][7:])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keys", type=int, default=4_000_000)
    parser.add_argument("contestants", nargs="+")
    args = parser.parse_args()
    contestants = [c.split("=", 1) for c in args.contestants]
    parts = [("primary, 1 replica", lambda b: writes(b, 1)[0]), ("primary, 3 replicas", lambda b: writes(b, 3)[0]),
             ("replica", lambda b: writes(b, 1)[1]), (f"full sync, {args.keys} keys", lambda b: full(b, args.keys))]
    for what, measure in parts:
        figures = {name: [] for name, _ in contestants}
        for _ in range(args.rounds):
            for name, binary in contestants:
                figures[name].append(measure(binary))
        middle = {name: sorted(values)[len(values) // 2] for name, values in figures.items()}
        first = middle[contestants[0][0]]
        print(f"{what:28}" + "".join(f"  {name} {value:.2f} s ({value / first:.2f})" for name, value in middle.items()),
              flush=True)


if __name__ == "__main__":
    main()
