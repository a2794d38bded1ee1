"""A session of redis-py with the server: redis_py.py PORT SOCKET. Prints a line per part; fails on the first surprise.

Every part runs over RESP2 and over RESP3. What a library does by itself is what this is about: its handshake
(CLIENT SETINFO, HELLO), its MULTI/EXEC pipelines, its scan iterators, its threads of subscribers, its decoding.
"""

import os
import sys
import threading
import time

import redis
import redis.connection as redis_connection
from redis.cache import CacheConfig

PORT, SOCKET = int(sys.argv[1]), sys.argv[2]


def connect(protocol, **options):
    return redis.Redis(port=PORT, protocol=protocol, **options)


def wait_for(condition, what, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen in {seconds} seconds"
        time.sleep(0.01)


def refused(error, call, *args, **options):
    try:
        call(*args, **options)
    except error as refusal:
        return str(refusal)
    raise AssertionError(f"{call.__name__}{args} was not refused")


def strings(r):
    assert r.set("s", "v") is True
    assert r.get("s") == b"v" and r.get("nothing") is None
    assert r.set("s", "w", nx=True) is None and r.set("s", "w", xx=True, get=True) == b"v"
    assert r.append("s", "xyz") == 4 and r.getrange("s", 1, -1) == b"xyz" and r.setrange("s", 1, "-") == 4
    assert r.strlen("s") == 4 and r.getdel("s") == b"w-yz" and r.exists("s") == 0
    assert r.incr("n") == 1 and r.incrby("n", 41) == 42 and r.decr("n", 2) == 40
    assert r.incrbyfloat("f", 1.5) == 1.5 and r.incrbyfloat("f", -0.25) == 1.25
    assert r.mset({"a": 1, "b": 2}) is True and r.mget("a", "nothing", "b") == [b"1", None, b"2"]
    assert r.msetnx({"b": 3, "c": 3}) is False and r.exists("c") == 0
    assert r.type("a") == b"string" and r.object("encoding", "a") in (b"int", "int")
    assert r.rename("a", "z") is True and r.delete("z", "b", "nothing") == 2
    assert "not an integer" in refused(redis.ResponseError, lambda: (r.set("s", "x"), r.incr("s")))
    assert "no such key" in refused(redis.ResponseError, r.rename, "nothing", "x")


def expiry(r):
    r.set("e", "v", px=150)
    assert 0 < r.pttl("e") <= 150 and r.ttl("nothing") == -2
    wait_for(lambda: r.get("e") is None, "the end of a key")
    r.set("e", "v")
    assert r.ttl("e") == -1 and r.expire("e", 100) is True and 98 <= r.ttl("e") <= 100
    assert r.expire("e", 50, gt=True) is False and r.persist("e") is True and r.ttl("e") == -1
    at = int(time.time()) + 1000
    assert r.expireat("e", at) is True and r.expiretime("e") == at and r.pexpiretime("e") == at * 1000
    assert r.getex("e", ex=10) == b"v" and r.ttl("e") <= 10


def binary(r):
    every = bytes(range(256))
    key = b"\x00\r\n" + every
    assert r.set(key, every * 3) and r.get(key) == every * 3
    assert r.keys(b"\x00*") == [key] and r.scan(match=b"\x00*", count=100000)[1] == [key]
    text = "ключ – 鍵 🔑"
    decoding = connect(r.get_connection_kwargs().get("protocol", 2), decode_responses=True)
    assert decoding.set(text, text) and decoding.get(text) == text
    decoding.close()


def big_values(r):
    for size in (1 << 10, 44, 45, 16 << 10, (64 << 10) - 1, 1 << 20, 32 << 20):
        value = os.urandom(1 << 10) * (size >> 10) + b"x" * (size & 1023)
        assert r.set("big", value) and r.strlen("big") == size and r.get("big") == value
    other = os.urandom(3 << 20)
    pipe = r.pipeline(transaction=False)
    for number in range(8):
        pipe.set(f"big:{number}", other)
        pipe.get(f"big:{number}")
    assert pipe.execute() == [True, other] * 8


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for number in range(10_000):
            pipe.set(f"p:{number}", number)
            pipe.get(f"p:{number}")
        replies = pipe.execute()
    assert replies[1::2] == [str(number).encode() for number in range(10_000)] and set(replies[::2]) == {True}
    with r.pipeline(transaction=True) as pipe:
        assert pipe.set("t", 1).incr("t").get("t").execute() == [True, 2, b"2"]
    with r.pipeline(transaction=True) as pipe:
        pipe.set("t", "x").incr("t").set("t", "y")
        replies = pipe.execute(raise_on_error=False)
        assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] is True
    assert r.get("t") == b"y"
    with r.pipeline(transaction=True) as pipe:
        pipe.set("t", "z").execute_command("NOSUCHCOMMAND")
        refused(redis.ResponseError, pipe.execute)
    assert r.get("t") == b"y", "a transaction with an unknown command ran"


def watching(r, other):
    r.set("w", 1)
    with r.pipeline() as pipe:
        pipe.watch("w")
        other.set("w", 2)
        pipe.multi()
        pipe.set("w", 3)
        refused(redis.WatchError, pipe.execute)
        pipe.watch("w")
        seen = int(pipe.get("w"))
        pipe.multi()
        assert pipe.set("w", seen + 1).execute() == [True]
    assert r.get("w") == b"3"

    # Optimistic locking by several threads: no increment may be lost.
    def work():
        mine = connect(2)
        for _ in range(50):
            mine.transaction(lambda pipe: (value := int(pipe.get("count") or 0), pipe.multi(), pipe.set("count", value + 1)),
                             "count")
        mine.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert r.get("count") == b"200"


def scanning(r):
    r.flushdb()
    names = {f"k:{number}".encode() for number in range(3000)}
    r.mset(dict.fromkeys(names, "v"))
    r.set("other", 1)
    assert set(r.scan_iter(count=17)) == names | {b"other"}
    assert set(r.scan_iter(match="k:1*", count=100)) == {name for name in names if name.startswith(b"k:1")}
    assert set(r.scan_iter(match="o*", _type="string")) == {b"other"}
    assert r.dbsize() == 3001 and r.randomkey() in names | {b"other"} and len(r.keys("k:29??")) == 100
    assert r.unlink(*names) == 3000


def subscriptions(r, other):
    sub = r.pubsub()
    heard = []
    sub.subscribe(**{"news": heard.append})
    sub.psubscribe(**{"ne*": heard.append})
    sub.psubscribe(**{"__keyevent@0__:*": heard.append})
    thread = sub.run_in_thread(sleep_time=0.01, daemon=True)
    try:
        wait_for(lambda: other.pubsub_numsub("news") == [(b"news", 1)] and other.pubsub_numpat() == 2, "subscribing")
        assert other.publish("news", b"\x00hello") == 2 and other.pubsub_channels("n*") == [b"news"]
        other.set("seen", 1)
        wait_for(lambda: len(heard) >= 3, "hearing")
    finally:
        thread.stop()
        thread.join(5)
    found = {(m["type"], m["pattern"], m["channel"], m["data"]) for m in heard}
    assert ("message", None, b"news", b"\x00hello") in found, found
    assert ("pmessage", b"ne*", b"news", b"\x00hello") in found, found
    assert ("pmessage", b"__keyevent@0__:*", b"__keyevent@0__:set", b"seen") in found, found
    sub.close()


def connection(r, protocol):
    assert r.ping() is True and r.echo("x") == b"x"
    r.client_setname("tester")
    assert r.client_getname() in (b"tester", "tester")
    mine = [c for c in r.client_list() if int(c["id"]) == r.client_id()]
    assert mine[0]["name"] == "tester" and mine[0]["lib-name"].startswith("redis-py"), mine
    assert mine[0]["resp"] == str(protocol), mine
    info = r.info()
    assert info["redis_version"].startswith("7.") and info["connected_clients"] >= 1 and info["db0"]["keys"] > 0
    assert r.config_get("maxmemory*")["maxmemory"] == "0"
    assert r.config_set("slowlog-log-slower-than", 0) and r.slowlog_get(1) and r.slowlog_reset()
    assert r.config_set("slowlog-log-slower-than", 10000)
    assert len(r.time()) == 2 and r.command_count() >= 80 and r.memory_usage("n") > 0
    unix = redis.Redis(unix_socket_path=SOCKET, protocol=protocol, db=3)
    assert unix.set("only here", 1) and r.get("only here") is None and unix.flushdb()
    unix.close()
    assert r.config_set("requirepass", "secret")
    with connect(protocol, password="wrong") as wrong, connect(protocol) as without, connect(protocol, password="secret") as right:
        refused(redis.AuthenticationError, wrong.ping)
        refused(redis.AuthenticationError, without.ping)
        assert right.ping() is True
    assert r.config_set("requirepass", "")


def copies(r):
    r.set("d", b"some value \x00" * 20, ex=100)
    payload = r.dump("d")
    assert r.restore("d2", 0, payload) and r.get("d2") == r.get("d") and r.ttl("d2") == -1
    assert "BUSYKEY" in refused(redis.ResponseError, r.restore, "d2", 0, payload)
    assert r.copy("d", "d3") and 0 < r.ttl("d3") <= 100
    assert r.move("d3", 5) and not r.exists("d3")
    with connect(2, db=5) as fifth:
        assert fifth.exists("d3") and fifth.flushdb()


def collections(r):
    assert r.hset("h", mapping={"name": "Ann", "age": 40}) == 2 and r.hincrby("h", "age", 2) == 42
    assert r.hgetall("h") == {b"name": b"Ann", b"age": b"42"}
    assert r.rpush("l", *range(5)) == 5 and r.lrange("l", 1, 3) == [b"1", b"2", b"3"]
    assert r.lpos("l", "4") == 4 and r.lmove("l", "l2", "RIGHT", "LEFT") == b"4"
    assert r.sadd("s1", "a", "b", "c") == 3 and r.sadd("s2", "b", "c", "d") == 3
    assert r.sinter("s1", "s2") == {b"b", b"c"} and r.sdiff("s1", "s2") == {b"a"} and r.sintercard(2, ["s1", "s2"]) == 2
    assert r.zadd("z", {"one": 1, "two": 2, "half": 0.5}) == 3 and r.zadd("z", {"one": 5}, gt=True, ch=True) == 1
    assert [(m, float(score)) for m, score in r.zrange("z", 0, -1, withscores=True)] == [(b"half", 0.5), (b"two", 2), (b"one", 5)]
    assert r.zrank("z", "two") == 1 and r.zrangebyscore("z", "(0.5", "+inf") == [b"two", b"one"]
    assert r.geoadd("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")) == 2
    assert 166 < r.geodist("g", "Palermo", "Catania", unit="km") < 167
    assert r.pfadd("hll", "a", "b") == 1 and r.pfcount("hll") == 2 and r.setbit("bits", 7, 1) == 0 and r.bitcount("bits") == 1
    assert "WRONGTYPE" in refused(redis.ResponseError, r.lpush, "h", "x")


def blocking(r, protocol):
    assert r.blpop("nothing", timeout=0.05) is None
    with connect(protocol) as waiting, connect(protocol) as pushing:
        def push():
            while not [c for c in pushing.client_list() if "b" in c["flags"]]:
                time.sleep(0.01)
            pushing.rpush("work", "job")
        thread = threading.Thread(target=push)
        thread.start()
        key, value = waiting.blpop(["idle", "work"], timeout=5)
        thread.join()
        assert (key, value) == (b"work", b"job")


def reconnects(r, protocol):
    with connect(protocol, single_connection_client=True) as victim:
        before = victim.client_id()
        assert r.client_kill_filter(_id=before) == 1
        # The command after the loss finds a new connection by itself or says that the old one is gone.
        try:
            assert victim.ping() is True
        except redis.ConnectionError:
            assert victim.ping() is True
        assert victim.client_id() > before


def cached(r):
    # redis-py asks for the version 7.4; Redis has had all that it uses since 6.0.
    redis_connection.CacheProxyConnection.MIN_ALLOWED_VERSION = "7.0.0"
    gets = lambda: r.info("commandstats").get("cmdstat_get", {}).get("calls", 0)
    with connect(3, cache_config=CacheConfig()) as caching:
        r.set("cached", 1)
        assert caching.get("cached") == b"1"
        before = gets()
        assert caching.get("cached") == b"1" and gets() == before, "the second read came from the cache"
        r.set("cached", 2)
        wait_for(lambda: caching.get("cached") == b"2", "an invalidation")


def scripts(r, other):
    add = r.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
    assert add(keys=["total"], args=[5]) == 5
    # The library sends EVALSHA, and the text only if the server does not know it.
    r.script_flush()
    assert add(keys=["total"], args=[2]) == 7 and r.script_exists(add.sha) == [True]
    with r.pipeline() as pipe:
        add(keys=["total"], args=[1], client=pipe)
        pipe.get("total")
        assert pipe.execute() == [8, b"8"]
    assert r.eval("return {1, 'two', {3}}", 0) == [1, b"two", [3]]
    assert r.eval("return cjson.encode({a = {1, 2}})", 0) == b'{"a":[1,2]}'
    assert "boom" in refused(redis.ResponseError, r.eval, "error('boom')", 0)
    refused(redis.exceptions.NoScriptError, r.evalsha, "0" * 40, 0)
    code = "#!lua name=lib\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)"
    assert r.function_load(code, replace=True) in (b"lib", "lib") and r.fcall("twice", 0, 21) == 42
    assert len(r.function_list()) == 1 and r.function_restore(r.function_dump(), "FLUSH") is True
    assert r.function_flush() is True
    # The library's lock is a script: one holder, who alone may give it back or keep it for longer.
    lock, rival = other.lock("job", timeout=10), r.lock("job", timeout=10)
    assert lock.acquire(blocking=False) and not rival.acquire(blocking=False)
    assert lock.extend(10) and 10 < r.ttl("job") <= 20 and lock.reacquire() and r.ttl("job") <= 10
    refused(redis.exceptions.LockError, rival.release)
    lock.release()
    assert rival.acquire(blocking=False) and lock.locked()
    rival.release()


def groups(r, protocol):
    # Two consumers share the work of a queue. One leaves half-way, and the other claims what it has left.
    jobs, handled = 60, []
    r.xgroup_create("jobs", "workers", id="0", mkstream=True)
    for n in range(jobs):
        r.xadd("jobs", {"n": n})

    def take(worker, name):
        got = worker.xreadgroup("workers", name, {"jobs": ">"}, count=7, block=50)
        if not got:
            return []
        return got[b"jobs"][0] if isinstance(got, dict) else got[0][1]

    def handle(worker, entries):
        for entry, fields in entries:
            handled.append(int(fields[b"n"]))
            assert worker.xack("jobs", "workers", entry) == 1

    killed, worker = connect(protocol), connect(protocol)
    handle(killed, take(killed, "killed")[:3])
    handle(worker, take(worker, "worker"))
    take(killed, "killed")
    killed.connection_pool.disconnect()
    while entries := take(worker, "worker"):
        handle(worker, entries)
    left = r.xpending("jobs", "workers")
    assert left["pending"] == 4 + 7 and left["consumers"] == [{"name": b"killed", "pending": 11}]
    start = "0-0"
    while True:
        start, entries, gone = worker.xautoclaim("jobs", "workers", "worker", 0, start, count=5)
        assert gone == []
        handle(worker, entries)
        if start in (b"0-0", "0-0"):
            break
    assert sorted(handled) == list(range(jobs)) and r.xpending("jobs", "workers")["pending"] == 0
    (group,) = r.xinfo_groups("jobs")
    assert group["lag"] == 0 and group["consumers"] == 2 and group["entries-read"] == jobs
    assert r.xgroup_delconsumer("jobs", "workers", "killed") == 0 and r.xtrim("jobs", maxlen=0, approximate=False) == jobs
    worker.close()


def main():
    for protocol in (2, 3):
        # One connection a client: CLIENT commands then speak of the one that is looked at.
        r = connect(protocol, single_connection_client=True)
        other = connect(protocol)
        r.flushall()
        parts = [
            ("strings", strings, (r,)), ("expiry", expiry, (r,)), ("binary", binary, (r,)),
            ("big values", big_values, (r,)), ("pipelines", pipelines, (r,)), ("watching", watching, (other, connect(2))),
            ("connection", connection, (r, protocol)), ("copies", copies, (r,)), ("scanning", scanning, (r,)),
            ("subscriptions", subscriptions, (other, connect(2))), ("collections", collections, (r,)),
            ("blocking", blocking, (r, protocol)), ("scripts", scripts, (r, other)),
            ("groups", groups, (r, protocol)), ("reconnects", reconnects, (r, protocol)),
        ]
        if protocol == 3:
            parts.append(("cache", cached, (r,)))
        for name, part, arguments in parts:
            try:
                part(*arguments)
            except Exception:
                print(f"clients: redis-py {redis.__version__}, RESP{protocol}: {name} failed", flush=True)
                raise
        r.close()
        other.close()
        print(f"clients: redis-py {redis.__version__}, RESP{protocol}: {len(parts)} parts passed", flush=True)


main()
