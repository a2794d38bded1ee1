"""Clients that know what must be there afterwards.

Each client has keys of its own and numbers its steps. A step is a command, or a transaction that changes several
keys in two databases. After a crash the keys of a client must be what some number of its first steps make of
them: no fewer than were acknowledged, no more than were sent. A transaction is one step, so half of one is
found like any other difference.

A model of the keys is a dict: (database, key) to a value, where a value is bytes, a list, a dict of a hash or a
dict of scores, and with it the time of expiry in milliseconds, None, or ANY (there is one).
"""

import collections
import socket
import time

ANY = "any"
SHARED = b"shared"
SHARED_DB = 15


def encode(*args):
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        arg = arg if isinstance(arg, bytes) else str(arg).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(out)


class Replies:
    """Takes replies (RESP2) out of what has been received."""

    def __init__(self):
        self.buf = b""
        self.at = 0

    def feed(self, data):
        self.buf = self.buf[self.at:] + data
        self.at = 0

    def next(self):
        """(True, reply) or (False, None) if it has not come whole."""
        try:
            value, self.at = self.parse(self.at)
            return True, value
        except IndexError:
            return False, None

    def parse(self, at):
        end = self.buf.find(b"\r\n", at)
        if end < 0:
            raise IndexError
        mark, line, at = self.buf[at:at + 1], self.buf[at + 1:end], end + 2
        if mark == b"+":
            return line, at
        if mark == b"-":
            return Error(line.decode()), at
        if mark == b":":
            return int(line), at
        n = int(line)
        if mark == b"$":
            if n < 0:
                return None, at
            if len(self.buf) < at + n + 2:
                raise IndexError
            return self.buf[at:at + n], at + n + 2
        if mark != b"*":
            raise ValueError(f"no reply: {self.buf[at - 20:at + 20]!r}")
        if n < 0:
            return None, at
        items = []
        for _ in range(n):
            item, at = self.parse(at)
            items.append(item)
        return items, at


class Error(Exception):
    pass


class Link:
    """A connection that waits for its replies."""

    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.replies = Replies()

    def send(self, *args):
        self.socket.sendall(encode(*args))

    def read(self):
        while True:
            there, value = self.replies.next()
            if there:
                return value
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionError("the server has closed the connection")
            self.replies.feed(data)

    def __call__(self, *args):
        self.send(*args)
        return self.read()

    def info(self, section="persistence"):
        text = self("INFO", section)
        if isinstance(text, Error):
            raise text
        return dict(line.split(":", 1) for line in text.decode().split("\r\n") if ":" in line)

    def close(self):
        self.socket.close()


# A step: the bytes to send, how many replies come, and changes to be made to a model in order.
Step = collections.namedtuple("Step", "data replies changes shared")


class Client:
    def __init__(self, number, rng, clock=time.time):
        self.number, self.rng, self.clock = number, rng, clock
        self.dbs = [number % 8, (number * 3 + 1) % 8]
        self.prefix = b"c%d:" % number
        self.model = {}
        self.count = 0
        self.steps, self.outcome, self.acked_at = [], [], []
        self.errors = collections.Counter()

    # -- one life of the server -----------------------------------------------------------------

    def connect(self, path, depth):
        """Begins to work for a server; `depth`: steps sent before their replies are in."""
        self.link = Link(path)
        self.link.socket.setblocking(False)
        self.depth = depth
        self.out = b""
        self.db = 0
        self.steps, self.outcome, self.acked_at = [], [], []
        self.replies_seen, self.errors = [], collections.Counter()
        self.waiting = collections.deque()
        self.alive = True

    def fill(self):
        """Sends more, if there is room."""
        if len(self.steps) - len(self.outcome) > self.depth // 2:
            return
        burst = []
        while len(self.steps) - len(self.outcome) < self.depth:
            step = self.step()
            self.steps.append(step)
            burst.append(step.data)
        self.out += b"".join(burst)

    def write(self):
        if self.out and self.alive:
            try:
                sent = self.link.socket.send(self.out)
                self.out = self.out[sent:]
            except BlockingIOError:
                pass
            except OSError:
                self.out = b""

    def read(self):
        """Takes in what has come; False at the end of the connection."""
        try:
            data = self.link.socket.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            self.alive = False
            return False
        self.link.replies.feed(data)
        now = self.clock()
        while True:
            there, value = self.link.replies.next()
            if not there:
                return True
            self.replies_seen.append(value)
            if len(self.outcome) >= len(self.steps):
                raise RuntimeError(f"client {self.number}: a reply to nothing: {value!r}")
            if len(self.replies_seen) == self.steps[len(self.outcome)].replies:
                self.outcome.append(self.judge(self.replies_seen))
                self.acked_at.append(now)
                self.replies_seen = []

    def judge(self, replies):
        """Whether the step was done; what was refused must not be there later."""
        last = replies[-1]
        if isinstance(last, list) and replies[0] == b"OK":
            for item in last:
                if isinstance(item, Error):
                    raise RuntimeError(f"client {self.number}: an error within EXEC: {item}")
        errors = [reply for reply in replies if isinstance(reply, Error)]
        if not errors:
            return True
        for error in errors:
            word = str(error).split()[0]
            self.errors[word] += 1
            if word not in ("MISCONF", "EXECABORT"):
                raise RuntimeError(f"client {self.number}: {error}")
        if not isinstance(last, Error):
            raise RuntimeError(f"client {self.number}: half a transaction was refused: {replies!r}")
        return False

    # -- what is sent ---------------------------------------------------------------------------

    def step(self):
        rng = self.rng
        self.count += 1
        if rng.random() < 0.06:
            return self.transaction()
        if rng.random() < 0.03:
            self.db = None
            return Step(encode("SELECT", SHARED_DB) + encode("INCR", SHARED), 2, (), 1)
        if rng.random() < 0.04:
            # Long replies leave in several pieces, none of them before the writes ahead of it are safe.
            which = b"%d" % rng.randrange(4)
            return Step(encode("GET", self.prefix + b"s" + which) * 2, 2, (), 0)
        data, replies = [], 0
        if rng.random() < 0.1:
            self.db = rng.choice(self.dbs)
            data.append(encode("SELECT", self.db))
            replies += 1
        elif self.db not in self.dbs:
            self.db = self.dbs[0]
            data.append(encode("SELECT", self.db))
            replies += 1
        args, change = self.command()
        data.append(encode(*args))
        return Step(b"".join(data), replies + 1, ((self.db,) + change,), 0)

    def transaction(self):
        """The same number goes to six keys in two databases."""
        data, changes, replies = [encode("MULTI")], [], 2
        for i in range(3):
            for db in self.dbs:
                key = self.prefix + b"t%d" % i
                data += [encode("SELECT", db), encode("SET", key, self.count)]
                changes.append((db, key, set_value, b"%d" % self.count))
                replies += 2
        if self.rng.random() < 0.5:
            args, change = self.command(db=self.dbs[-1])
            data.append(encode(*args))
            changes.append((self.dbs[-1],) + change)
            replies += 1
        data.append(encode("EXEC"))
        # Unless it is refused the last database stays selected.
        self.db = None
        return Step(b"".join(data), replies, tuple(changes), 0)

    def command(self, db=None):
        """A command that cannot fail: its arguments, and (key, change, details)."""
        rng = self.rng
        which = rng.randrange(4)
        n = b"%d" % self.count
        kind = rng.choice("ssssnnlllhhhzzzeekdv")
        key = self.prefix + kind.encode() + b"%d" % which
        if kind == "s":
            value = n + b"x" * rng.choice([0, 0, 10, 100, 1000, rng.randrange(40000) if rng.random() < 0.1 else 1])
            if rng.random() < 0.3:
                return ("APPEND", key, n), (key, append, n)
            return ("SET", key, value), (key, set_value, value)
        if kind == "n":
            by = rng.randrange(-50, 50)
            return ("INCRBY", key, by), (key, add, by)
        if kind == "l":
            if rng.random() < 0.4:
                return ("LPOP", key, 2), (key, pop, 2)
            values = [n + b"-%d" % i for i in range(rng.randrange(1, 4))]
            return ("RPUSH", key, *values), (key, push, values)
        if kind == "h":
            field = b"f%d" % rng.randrange(8)
            if rng.random() < 0.25:
                return ("HDEL", key, field), (key, remove, field)
            value = n + b"y" * rng.choice([0, 5, 90])
            return ("HSET", key, field, value, b"last", n), (key, put, {field: value, b"last": n})
        if kind == "z":
            member = b"m%d" % rng.randrange(8)
            if rng.random() < 0.25:
                return ("ZREM", key, member), (key, remove, member)
            return ("ZADD", key, self.count, member), (key, put, {member: n})
        what = self.prefix + rng.choice("snlhz").encode() + b"%d" % which
        if kind == "e":
            if rng.random() < 0.3:
                return ("EXPIRE", what, 50000), (what, expire, ANY)
            at = int(self.clock() * 1000) + 10**8 + self.count
            return ("PEXPIREAT", what, at), (what, expire, at)
        if kind == "k":
            return ("PERSIST", what), (what, expire, None)
        if kind == "d":
            return (rng.choice(["DEL", "UNLINK"]), what), (what, drop, None)
        # What lives a few milliseconds may be there or not, but never with a value that it did not have.
        return ("SET", key, n, "PX", rng.randrange(1, 60)), (key, volatile, n)

    # -- what is there --------------------------------------------------------------------------

    def least(self, until=None):
        """How many steps must be there: those that were answered, or had been at a time."""
        if until is None:
            return len(self.outcome)
        least = 0
        while least < len(self.acked_at) and self.acked_at[least] <= until:
            least += 1
        return least

    def settle(self, found, least, most=None):
        """Finds the number of steps that make what was found; from then on that is the model.

        Steps beyond those that were answered may be missing. Raises Lost if there is no such number.
        """
        # The changes put new values in the place of old ones, so that copies can share them.
        model = dict(self.model)
        most = len(self.steps) if most is None else most
        shared = 0
        for number in range(most + 1):
            if number >= least and model == found:
                self.model = model
                return number
            if number == most:
                break
            done = self.outcome[number] if number < len(self.outcome) else True
            if done:
                apply(model, self.steps[number].changes)
                shared += self.steps[number].shared
            if number + 1 == least:
                at_least = dict(model)
        if least == 0:
            at_least = self.model
        raise Lost(self.number, least, most, difference(at_least, found))


class Lost(Exception):
    def __init__(self, client, least, most, lines):
        super().__init__(f"client {client}: {least} steps to {most} explain nothing that was found; against the "
                         f"state after {least}:\n  " + "\n  ".join(lines[:12]))


def difference(wanted, found):
    lines = []
    for key in sorted(set(wanted) | set(found)):
        if wanted.get(key) != found.get(key):
            lines.append(f"{key}: wanted {str(wanted.get(key))[:200]}, found {str(found.get(key))[:200]}")
    return lines


def apply(model, changes):
    for db, key, change, detail in changes:
        change(model, (db, key), detail)


# -- the changes ------------------------------------------------------------------------------------


def set_value(model, key, value):
    model[key] = (value, None)


def append(model, key, value):
    old, at = model.get(key, (b"", None))
    model[key] = (old + value, at)


def add(model, key, by):
    old, at = model.get(key, (b"0", None))
    model[key] = (b"%d" % (int(old) + by), at)


def push(model, key, values):
    old, at = model.get(key, ([], None))
    model[key] = (old + values, at)


def pop(model, key, count):
    if key in model:
        old, at = model[key]
        if len(old) > count:
            model[key] = (old[count:], at)
        else:
            del model[key]


def put(model, key, pairs):
    old, at = model.get(key, ({}, None))
    model[key] = ({**old, **pairs}, at)


def remove(model, key, field):
    if key in model and field in model[key][0]:
        old, at = model[key]
        rest = {name: value for name, value in old.items() if name != field}
        if rest:
            model[key] = (rest, at)
        else:
            del model[key]


def expire(model, key, at):
    if key in model:
        model[key] = (model[key][0], at)


def drop(model, key, _):
    model.pop(key, None)


def volatile(_model, _key, _value):
    pass


# -- what a server holds ----------------------------------------------------------------------------

READERS = {b"s": "GET", b"n": "GET", b"t": "GET", b"l": "LRANGE", b"h": "HGETALL", b"z": "ZRANGE", b"v": "GET"}


def dump(link, clients):
    """Everything in the server: a model for each client, and the shared counter. Raises Lost for a stray key."""
    found = {client.number: {} for client in clients}
    dbs = sorted({db for client in clients for db in client.dbs} | {SHARED_DB})
    for db in dbs:
        link.send("SELECT", db)
        link.send("KEYS", "*")
    names = []
    for db in dbs:
        expect(link.read(), b"OK")
        names += [(db, key) for key in link.read()]
    selected = dbs[-1]
    wanted = []
    batch = []
    for db, key in sorted(names):
        if (db, key) == (SHARED_DB, SHARED):
            continue
        client, _, kind = key.partition(b":")
        reader = READERS.get(kind[:1])
        if reader is None or not client[1:].isdigit() or int(client[1:]) not in found:
            raise Lost("?", 0, 0, [f"a key that nobody wrote: {db} {key!r}"])
        if db != selected:
            batch.append(encode("SELECT", db))
            wanted.append(None)
            selected = db
        more = {"LRANGE": [0, -1], "ZRANGE": [0, -1, "WITHSCORES"]}.get(reader, [])
        batch += [encode(reader, key, *more), encode("PEXPIRETIME", key)]
        wanted.append((int(client[1:]), db, key, reader))
    batch += [encode("SELECT", SHARED_DB), encode("GET", SHARED)]
    link.socket.sendall(b"".join(batch))
    for entry in wanted:
        if entry is None:
            expect(link.read(), b"OK")
            continue
        client, db, key, reader = entry
        value, at = link.read(), link.read()
        if key.partition(b":")[2][:1] == b"v":
            continue
        if isinstance(value, Error) or isinstance(at, Error):
            raise Lost(client, 0, 0, [f"{key!r}: {value!r} {at!r}"])
        if reader in ("HGETALL", "ZRANGE"):
            value = dict(zip(value[::2], value[1::2]))
        found[client][(db, key)] = (value, Expiry(at))
    expect(link.read(), b"OK")
    return found, int(link.read() or 0)


class Expiry:
    """A time of expiry that was found, to be compared with one that is wanted."""

    def __init__(self, at):
        self.at = at

    def __eq__(self, wanted):
        if isinstance(wanted, Expiry):
            return self.at == wanted.at
        if wanted is None:
            return self.at == -1
        return self.at > 0 if wanted == ANY else self.at == wanted

    def __repr__(self):
        return f"expires {self.at}"


def expect(value, wanted):
    if value != wanted:
        raise RuntimeError(f"wanted {wanted!r}, got {value!r}")
