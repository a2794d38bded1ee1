#!/usr/bin/env python3
"""Random scripts on two servers: the replies must be equal, byte by byte.

    scripts.py HOST:PORT HOST:PORT [COUNT] [SEED]

Each script is an expression of Lua that goes through the libraries and the conversions between Lua
and RESP: cjson, cmsgpack, struct, bit, string.format, tostring, gsub, sort, and replies of commands,
in RESP2 and RESP3. A tenth of them end in an error, which must be the same. Both servers are
flushed; they should have nothing else to do. The exit code says whether there was a difference.
Before Redis 7.2, doubles in replies and arguments were written with more digits.
"""
import random
import re
import socket
import sys

TEXTS = ["''", "'a'", "'hello world'", "'\\0\\255\\n'", "'12'", "'0x10'", "'1e3'", "' 7 '", "'nan'", "'\\\"quoted\\\\\\''",
         "string.rep('ab',17)", "'%d %s'", "'é'", "'[1,{\"a\":null}]'", "'{\"k\":[1.5,true]}'", "'\\147\\1\\2\\163abc'"]
NUMBERS = ["0", "-1", "1", "2", "3.5", "-0.25", "1e15", "1e16", "123456789012", "2^31", "2^53", "-2^31", "1/3", "0.1", "255", "65536",
           "1e300", "1e-7", "100", "-2^53-1", "4294967295"]
FORMATS = ["'%d'", "'%5.2f'", "'%g'", "'%x'", "'%q'", "'%s'", "'%-8s|'", "'%e'", "'%c'", "'%i'", "'%.14g'", "'%05d'", "'%10.3s'"]
PATTERNS = ["'a'", "'%w'", "'(.)'", "'%s+'", "'^%d*'", "'[a-c]+'", "'.'"]
REPLACEMENTS = ["'x'", "'<%0>'", "'%1%1'", "string.upper", "{a='q',b=1}", "function(c) return #c end"]
PACKS = ["'>I2'", "'<i4'", "'b'", "'>d'", "'f'", "'!4 bi8'", "'<h'", "'L'", "'s'", "'c0'", "'I3'", "'>l'"]
KEYS = ["'k'", "1", "2", "3", "1.5", "-1", "100", "true"]
UNPACKS = ["'>I2'", "'<i4'", "'bb'", "'>d'", "'c2'", "'s'", "'bc0'", "'!8 i8'"]
REPLIES = ["redis.status_reply(%s)", "redis.error_reply(%s)", "{ok=%s}", "{err=%s}", "{double=%s}", "{big_number=%s}", "{map={a=%s}}",
           "{set={x=true,%s}}"]
COMMANDS = ["redis.call('get','s')", "redis.call('hgetall','h')", "redis.call('lrange','l',0,-1)",
            "redis.call('zrange','z',0,-1,'withscores')", "redis.pcall('incr','s')", "redis.call('smembers','set')",
            "redis.call('zscore','z','a')", "redis.call('exists','s')", "redis.call('type','h')"]
DATA = [["flushall"], ["set", "s", "v"], ["hset", "h", "a", "1", "b", "x"], ["rpush", "l", "1", "two"],
        ["zadd", "z", "1.5", "a", "2", "b"], ["sadd", "set", "m"]]
# Where a table or a function lies in memory.
ADDRESS = re.compile(rb"0x[0-9a-f]{6,}")


class Server:
    """One connection to a server."""

    def __init__(self, address, resp):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.file = self.socket.makefile("rb")
        self.ask("hello", str(resp))

    def read(self):
        """A reply as it came."""
        line = self.file.readline()
        mark = line[:1]
        if not line:
            raise EOFError("the server has closed the connection")
        if mark in b"$=!":
            length = int(line[1:])
            return line if length < 0 else line + self.file.read(length + 2)
        if mark in b"*~>":
            return line + b"".join(self.read() for _ in range(max(0, int(line[1:]))))
        if mark in b"%|":
            inner = b"".join(self.read() for _ in range(2 * int(line[1:])))
            return line + inner + (self.read() if mark == b"|" else b"")
        return line

    def ask(self, *words):
        out = b"*%d\r\n" % len(words)
        for word in words:
            word = word.encode("latin1", "replace")
            out += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(out)
        return self.read()


class Scripts:
    """Random expressions; `depth` is how deep they may go."""

    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.pick = self.rnd.choice

    def some(self, least, most, *makers, depth):
        return ",".join(self.pick(makers)(depth) for _ in range(self.rnd.randint(least, most)))

    def number(self, depth):
        kind, n = self.rnd.randrange(9), self.number
        if depth <= 0 or kind < 3:
            return self.pick(NUMBERS)
        depth -= 1
        if kind == 3:
            # The spaces keep `a - -b` from being a comment.
            return f"({n(depth)}{self.pick([' + ', ' - ', '*', '/', '%'])}{n(depth)})"
        if kind == 4:
            return f"math.{self.pick(['floor', 'ceil', 'abs', 'sqrt'])}({n(depth)})"
        if kind == 5:
            name = self.pick(["band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror"])
            return f"bit.{name}({n(depth)},{n(depth)})"
        if kind == 6:
            return f"#({self.text(depth)})"
        if kind == 7:
            return f"math.{self.pick(['max', 'min', 'fmod'])}({n(depth)},{n(depth)})"
        return f"bit.{self.pick(['tobit', 'bnot', 'bswap'])}({n(depth)})"

    def text(self, depth):
        kind, n, t, v = self.rnd.randrange(17), self.number, self.text, self.value
        if depth <= 0 or kind < 3:
            return self.pick(TEXTS)
        depth -= 1
        either = self.pick([n, t])
        if kind == 3:
            return f"({t(depth)}..{either(depth)})"
        if kind == 4:
            return f"tostring({self.pick([n, t, lambda _: self.pick(['nil', 'true', 'false'])])(depth)})"
        if kind == 5:
            return f"string.format({self.pick(FORMATS)},{either(depth)})"
        if kind == 6:
            return f"(string.gsub({t(depth)},{self.pick(PATTERNS)},{self.pick(REPLACEMENTS)}))"
        if kind == 7:
            return f"string.{self.pick(['upper', 'lower', 'reverse'])}({t(depth)})"
        if kind == 8:
            return f"string.sub({t(depth)},{n(depth)},{n(depth)})"
        if kind == 9:
            return f"cjson.encode({v(depth)})"
        if kind == 10:
            return f"cmsgpack.pack({self.some(1, 2, v, depth=depth)})"
        if kind == 11:
            return f"struct.pack({self.pick(PACKS)},{self.pick([n, n, t])(depth)})"
        if kind == 12:
            return f"bit.tohex({self.some(1, 2, n, depth=depth)})"
        if kind == 13:
            return f"redis.sha1hex({t(depth)})"
        if kind == 14:
            return f"table.concat({{{self.some(0, 3, n, t, depth=depth)}}},{self.pick(['', ','])!r})"
        if kind == 15:
            return f"type({v(depth)})"
        return f"string.rep({t(depth)},{self.rnd.randrange(5)})"

    def value(self, depth):
        kind, n, t, v = self.rnd.randrange(26), self.number, self.text, self.value
        if depth <= 0 or kind < 4:
            return self.pick([n(0), t(0), "nil", "true", "false", "cjson.null"])
        if kind < 7:
            return n(depth)
        if kind < 12:
            return t(depth)
        depth -= 1
        if kind < 15:
            return f"{{{self.some(0, 4, v, depth=depth)}}}"
        # A table has one key that is no index: which of two comes first is chance.
        if kind == 15:
            return f"{{{self.pick('abc')}={v(depth)}}}"
        if kind == 16:
            return f"{{[{self.pick(KEYS)}]={v(depth)}}}"
        if kind == 17:
            encoded = f"cjson.encode({v(depth)})"
            return f"cjson.decode({self.pick([t(depth), encoded])})"
        if kind == 18:
            packed = self.pick([f"cmsgpack.pack({v(depth)})", t(depth)])
            more = "," + n(0) if self.rnd.random() < 0.2 else ""
            return f"cmsgpack.{self.pick(['unpack', 'unpack', 'unpack_one', 'unpack_limit'])}({packed}{more})"
        if kind == 19:
            return f"{{struct.unpack({self.pick(UNPACKS)},{t(depth)})}}"
        if kind == 20:
            items = self.some(0, 7, n, n, t, depth=depth - 1)
            return f"(function() local t={{{items}}} pcall(table.sort,t) return t end)()"
        if kind == 21:
            return f"{{pcall({self.failing(depth)})}}"
        if kind == 22:
            return self.pick(REPLIES) % self.pick([n, t])(depth)
        if kind == 23:
            calls = [f"redis.call('set','t',{t(depth)})", f"redis.call('echo',{self.pick([n, t])(depth)})", f"redis.pcall({v(depth)})"]
            return self.pick(COMMANDS + calls)
        if kind == 24:
            return f"tonumber({self.pick([n, t])(depth)}{self.pick(['', ',16', ',2', ''])})"
        return f"{{{v(depth)},{v(depth)}}}"

    def failing(self, depth):
        t, v = self.text, self.value
        # In brackets, since a call may give several values, and a billion as the second ends both servers.
        alone = lambda depth: f"({v(depth)})"
        name, arguments = self.pick([
            ("cjson.decode", [t]), ("cmsgpack.unpack", [t]), ("string.rep", [alone]), ("bit.band", [v]), ("struct.size", [t]),
            ("string.format", [v, v]), ("cjson.encode", [v]), ("tonumber", [v]), ("error", [v])])
        return ",".join([name] + [argument(depth) for argument in arguments])

    def script(self):
        start, kind = self.pick(["", "", "", "redis.setresp(3) ", "redis.setresp(2) "]), self.rnd.randrange(5)
        if kind == 0:
            return f"{start}local a={self.value(3)} local b={self.value(3)} return {{a,b,type(a),#{{a,b}}}}"
        if kind == 1:
            return (f"{start}local t={self.value(4)} local o={{}} if type(t)=='table' then "
                    "for i,x in ipairs(t) do o[#o+1]=x end return {#t,o} end return t")
        if kind == 2:
            return f"{start}local ok,e=pcall(function() return {self.value(4)} end) return {{ok and 1 or 0,e}}"
        return f"{start}return {self.value(self.rnd.randint(1, 5))}"


def main():
    addresses = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 32)
    pairs = {resp: [Server(address, resp) for address in addresses] for resp in (2, 3)}
    scripts, different, errors = Scripts(seed), 0, 0
    for i in range(count):
        resp, script = 2 + i % 2, scripts.script()
        replies = []
        for server in pairs[resp]:
            if i % 100 < 2:
                for words in DATA:
                    server.ask(*words)
            replies.append(ADDRESS.sub(b"ADDRESS", server.ask("eval", script, "0")))
        errors += replies[0][:1] == b"-"
        if replies[0] != replies[1]:
            different += 1
            if different <= 15:
                print(f"RESP{resp} {script}\n    {replies[0][:300]}\n    {replies[1][:300]}", flush=True)
    print(f"{count} scripts, {errors} of them errors, {different} different, seed {seed}")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
