#!/usr/bin/env python3
"""Random users with random rules on two servers: replies, descriptions and verdicts must be equal.

    acl.py HOST:PORT HOST:PORT [COUNT] [SEED] [--subcommands]

Each round makes a user by one or several ACL SETUSER with random rules, right and wrong ones, and
compares the replies, ACL GETUSER, ACL LIST's line and ACL DRYRUN of random commands. Users are made
on servers that should have nothing else to do.
"""
import random
import socket
import sys


class Server:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.file = self.socket.makefile("rb")

    def send(self, commands):
        out = bytearray()
        for words in commands:
            out += b"*%d\r\n" % len(words)
            for word in words:
                word = word if isinstance(word, bytes) else word.encode()
                out += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(out)

    def read(self):
        line = self.file.readline()[:-2]
        if not line:
            raise EOFError("the server has closed the connection")
        mark, rest = line[:1], line[1:]
        if mark == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if mark in b"*%~":
            count = int(rest) * (2 if mark == b"%" else 1)
            return None if count < 0 else [self.read() for _ in range(count)]
        return line

    def ask(self, commands):
        self.send(commands)
        return [self.read() for _ in commands]


CATEGORIES = ["read", "write", "set", "sortedset", "list", "hash", "string", "keyspace", "fast", "slow", "admin",
              "dangerous", "connection", "pubsub", "scripting", "stream", "geo", "bitmap", "hyperloglog", "all", "nosuch"]
ARGUMENTS = ["a", "b", "key:1", "key:22", "x", "*", "1", "2", "0", "GET", "STORE", "BY", "LIMIT", "STREAMS", "$", "foo*bar",
             "get", "set", "EX", "NX", "", "news.1"]
PATTERNS = ["a", "b*", "key:*", "key:?", "*", "foo\\*bar", "[ab]*", "x", "", "news.*", "key:[0-9]*"]
PLAIN = ["on", "off", "nopass", "resetpass", "reset", "allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands",
         "nocommands", "sanitize-payload", "skip-sanitize-payload", "clearselectors", "nonsense", "", "+", "-", "~", "&", "(", ")"]


def selector_rule(rnd, names, subs):
    kind = rnd.randrange(12)
    case = rnd.choice([str, str, str.upper])
    if kind < 4:
        return rnd.choice("+-") + case(rnd.choice(names))
    if kind < 6:
        return rnd.choice("+-") + "@" + case(rnd.choice(CATEGORIES))
    if kind == 6 and subs:
        return "+" + rnd.choice(names) + "|" + rnd.choice(["get", "x", "0", "", "set|y"])
    if kind < 9:
        return rnd.choice(["~", "~", "%R~", "%W~", "%RW~", "%rw~", "%X~", "%RR~", "%~"]) + rnd.choice(PATTERNS)
    if kind < 11:
        return "&" + rnd.choice(PATTERNS)
    return rnd.choice(["allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands"])


def rule(rnd, names, subs):
    kind = rnd.randrange(20)
    if kind < 12:
        return selector_rule(rnd, names, subs)
    if kind < 14:
        return rnd.choice(["on", "off"])
    if kind < 15:
        return rnd.choice(PLAIN)
    if kind < 16:
        return rnd.choice("<>") + rnd.choice(["one", "two", "three"])
    if kind < 17:
        return rnd.choice("#!") + rnd.choice(["a" * 64, "A" * 64, "b" * 63, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"])
    return "(" + " ".join(selector_rule(rnd, names, subs) for _ in range(rnd.randrange(4))) + ")"


def main():
    first, second = Server(sys.argv[1]), Server(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 32)
    rnd = random.Random(seed)
    print(f"seed {seed}")

    def known(server):
        infos = server.ask([["COMMAND"]])[0]
        arity = {}
        for info in infos:
            arity[info[0].decode()] = int(info[1][1:] if info[1][:1] == b":" else info[1])
            for sub in info[9] if len(info) > 9 else []:
                arity[sub[0].decode()] = int(sub[1][1:] if sub[1][:1] == b":" else sub[1])
        return arity

    here, there = known(first), known(second)
    names = sorted(set(here) & set(there))
    # `%` alone ends Redis 7.2. It also ends itself at some rules about subcommands that follow each other ("No bitmap match").
    plain = [name for name in names if "|" not in name]
    subs = "--subcommands" in sys.argv
    for server in first, second:
        server.ask([["ACL", "DELUSER"] + [f"u{number}" for number in range(50)]])
    differences = 0
    for number in range(count):
        user = f"u{number % 50}"
        commands = []
        for _ in range(rnd.randrange(1, 4)):
            commands.append(["ACL", "SETUSER", user] + [rule(rnd, names if subs else plain, subs) for _ in range(rnd.randrange(1, 6))])
        commands.append(["ACL", "GETUSER", user])
        for _ in range(6):
            name = rnd.choice(names)
            need = abs(here[name]) - len(name.split("|"))
            words = [rnd.choice(ARGUMENTS) for _ in range(max(0, need) + (rnd.randrange(3) if here[name] < 0 else 0))]
            commands.append(["ACL", "DRYRUN", user] + name.split("|") + words)
        commands.append(["ACL", "LIST"])
        left, right = first.ask(commands), second.ask(commands)
        for words, a, b in zip(commands, left, right):
            if a != b and sorted(map(str, a or [])) != sorted(map(str, b or [])) or (a != b and isinstance(a, bytes)):
                differences += 1
                if differences <= 20:
                    print(f"round {number}\n  {' '.join(words)!r}\n  {a!r}\n  {b!r}")
        if rnd.random() < 0.2:
            for server in first, second:
                server.ask([["ACL", "DELUSER", user]])
        if number % 10_000 == 9_999:
            print(f"{number + 1} rounds, {differences} differences", flush=True)
    print(f"{count} rounds, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
