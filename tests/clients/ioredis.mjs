// A session of ioredis with the server: ioredis.mjs PORT SOCKET MODULES.
//
// Every part runs over RESP2 and over RESP3 (which versions before 6 don't speak), as somebody who reads the library's
// introduction would write it.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { refused, run, waitFor } from "./session.mjs";

const [port, socket, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { Redis } = require("ioredis");
const { version } = require("ioredis/package.json");

let protocol = 2;

function connect(options = {}) {
    const client = new Redis({ port: Number(port), protocol, ...options });
    client.on("error", () => {});
    return client;
}

async function basics(r) {
    assert.equal(await r.set("s", "v", "EX", 100), "OK");
    assert.equal(await r.get("s"), "v");
    assert.equal(await r.set("s", "w", "NX"), null);
    assert.equal(await r.incr("n"), 1);
    assert.deepEqual(await r.mget("s", "nothing"), ["v", null]);
    assert.match(await refused(() => r.incr("s")), /not an integer/);
    assert.match(await refused(() => r.call("NOSUCH", "x")), /unknown command/);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await r.set("bytes", bytes);
    assert.deepEqual(await r.getBuffer("bytes"), bytes);
    await r.hset("h", { a: 1, b: "two" });
    assert.deepEqual(await r.hgetall("h"), { a: "1", b: "two" });
    await r.zadd("z", 1, "one", 2, "two");
    assert.deepEqual(await r.zrange("z", 0, -1, "WITHSCORES"), ["one", "1", "two", "2"]);
    assert.equal(await r.rpush("l", "a", "b"), 2);
    assert.deepEqual(await r.lrange("l", 0, -1), ["a", "b"]);
}

async function pipelines(r) {
    const replies = await r.pipeline().set("p", 1).incr("p").lpush("p", "x").get("p").exec();
    assert.deepEqual(replies.map(([error, value]) => (error ? "error" : value)), ["OK", 2, "error", "2"]);
    const long = r.pipeline();
    for (let i = 0; i < 5000; i++) long.incr("long");
    assert.equal((await long.exec()).at(-1)[1], 5000);
    const automatic = connect({ enableAutoPipelining: true });
    const numbers = await Promise.all(Array.from({ length: 200 }, () => automatic.incr("auto")));
    assert.equal(numbers.at(-1), 200);
    automatic.disconnect();
}

async function transactions(r) {
    assert.deepEqual(await r.multi().set("t", 1).incr("t").exec(), [[null, "OK"], [null, 2]]);
    const other = connect();
    await r.watch("t");
    await other.set("t", "changed");
    assert.equal(await r.multi().get("t").exec(), null);
    await r.watch("t");
    assert.deepEqual(await r.multi().get("t").exec(), [[null, "changed"]]);
    await r.multi({ pipeline: false });
    assert.equal(await r.set("t", 2), "QUEUED");
    assert.deepEqual(await r.exec(), [[null, "OK"]]);
    other.disconnect();
}

async function subscriptions(r) {
    const subscriber = connect();
    const got = [];
    subscriber.on("message", (channel, message) => got.push([channel, message]));
    subscriber.on("pmessage", (pattern, channel, message) => got.push([pattern, channel, message]));
    subscriber.on("smessage", (channel, message) => got.push([channel, message]));
    assert.equal(await subscriber.subscribe("news", "more"), 2);
    assert.equal(await subscriber.psubscribe("ne*"), 3);
    assert.equal(await subscriber.ssubscribe("shard"), 1);
    assert.equal(await r.publish("news", "hello"), 2);
    assert.equal(await r.spublish("shard", "part"), 1);
    await waitFor(() => got.length === 3, "three messages");
    assert.deepEqual(got, [["news", "hello"], ["ne*", "news", "hello"], ["shard", "part"]]);
    if (protocol === 2) assert.match(await refused(() => subscriber.get("x")), /subscriber mode/);
    assert.equal(await r.client("KILL", "TYPE", "pubsub"), 1);
    await waitFor(async () => (await r.publish("more", "again")) === 1, "a new subscription");
    await waitFor(() => got.at(-1)[1] === "again", "a message after the break");
    subscriber.disconnect();
}

async function events(r) {
    const subscriber = connect();
    const got = [];
    subscriber.on("pmessage", (_, channel, message) => got.push(`${channel.split(":").pop()} ${message}`));
    await subscriber.psubscribe("__keyevent@0__:*");
    await r.set("k", "v", "PX", 30);
    await waitFor(() => got.includes("expired k"), "the event of an expired key");
    assert.deepEqual(got.slice(0, 2), ["set k", "expire k"]);
    subscriber.disconnect();
}

async function scanning(r) {
    const load = r.pipeline();
    for (let i = 0; i < 500; i++) load.set(`scan:${i}`, i).sadd("members", i);
    await load.exec();
    const collect = async (stream) => {
        const all = new Set();
        for await (const part of stream) part.forEach((item) => all.add(item));
        return all.size;
    };
    assert.equal(await collect(r.scanStream({ match: "scan:*", count: 50 })), 500);
    assert.equal(await collect(r.sscanStream("members")), 500);
}

async function blocking(r) {
    const waiter = connect();
    const popped = waiter.blpop("queue", 5);
    await waitFor(async () => /blocked_clients:1/.test(await r.info("clients")), "a blocked client");
    await r.rpush("queue", "job");
    assert.deepEqual(await popped, ["queue", "job"]);
    assert.equal(await waiter.blpop("queue", 0.05), null);
    waiter.disconnect();
}

async function reconnects(r) {
    const victim = connect({ connectionName: "victim", db: 2 });
    const id = await victim.client("ID");
    const lost = new Promise((done) => victim.once("close", done));
    assert.equal(await r.client("KILL", "ID", id), 1);
    await lost;
    // Its commands wait for the new connection, which has its name and database again.
    const line = await victim.client("INFO");
    assert.match(line, /name=victim /);
    assert.match(line, / db=2 /);
    assert.notEqual(await victim.client("ID"), id);
    victim.disconnect();
}

async function connections(r) {
    assert.match(await r.client("INFO"), /lib-name=ioredis/);
    const unix = new Redis(socket, { db: 3 });
    await unix.set("only here", 1);
    assert.equal(await r.get("only here"), null);
    assert.equal(await unix.quit(), "OK");
    const seen = [];
    const monitor = await r.monitor();
    monitor.on("monitor", (_, args) => seen.push(args.join(" ")));
    await r.echo("seen");
    await waitFor(() => seen.includes("echo seen"), "the echo in MONITOR");
    monitor.disconnect();
    await r.config("SET", "requirepass", "secret");
    const known = connect({ password: "secret" });
    assert.equal(await known.ping(), "PONG");
    await known.config("SET", "requirepass", "");
    known.disconnect();
}

async function scripts(r) {
    r.defineCommand("add", { numberOfKeys: 1, lua: "return redis.call('incrby', KEYS[1], ARGV[1])" });
    assert.equal(await r.add("total", 5), 5);
    // The library sends EVALSHA, and the text only if the server does not know it.
    await r.script("FLUSH");
    assert.equal(await r.add("total", 2), 7);
    assert.deepEqual(await r.pipeline().add("total", 1).get("total").exec(), [[null, 8], [null, "8"]]);
    assert.deepEqual(await r.multi().add("total", 1).exec(), [[null, 9]]);
    assert.deepEqual(await r.eval("return {1, 'two', {3}, false}", 0), [1, "two", [3], null]);
    assert.deepEqual(JSON.parse(await r.eval("return cjson.encode(cjson.decode(ARGV[1]))", 0, '{"a":[1,{"b":null}]}')), { a: [1, { b: null }] });
    assert.match(await refused(() => r.eval("error('boom')", 0)), /boom/);
    assert.match(await refused(() => r.evalsha("0".repeat(40), 0)), /NOSCRIPT/);
    await r.function("LOAD", "REPLACE", "#!lua name=lib\nredis.register_function('twice', function(k, a) return a[1] * 2 end)");
    assert.equal(await r.fcall("twice", 0, 21), 42);
    await r.function("FLUSH");
}

// Two consumers share the work of a queue. One leaves half-way, and the other claims what it has left.
async function groups(r) {
    const jobs = 60;
    const handled = [];
    await r.xgroup("CREATE", "jobs", "workers", "0", "MKSTREAM");
    for (let n = 0; n < jobs; n++) await r.xadd("jobs", "*", "n", n);
    const take = async (worker, name) => {
        const got = await worker.xreadgroup("GROUP", "workers", name, "COUNT", 7, "BLOCK", 50, "STREAMS", "jobs", ">");
        if (got === null) return [];
        return Array.isArray(got) ? got[0][1] : got.jobs;
    };
    const handle = async (worker, entries) => {
        for (const [id, fields] of entries) {
            handled.push(Number(fields[1]));
            assert.equal(await worker.xack("jobs", "workers", id), 1);
        }
    };
    const [killed, worker] = [connect(), connect()];
    await handle(killed, (await take(killed, "killed")).slice(0, 3));
    await handle(worker, await take(worker, "worker"));
    await take(killed, "killed");
    killed.disconnect();
    for (let entries; (entries = await take(worker, "worker")).length > 0;) await handle(worker, entries);
    const [pending, , , consumers] = await r.xpending("jobs", "workers");
    assert.equal(pending, 11);
    assert.deepEqual(consumers, [["killed", "11"]]);
    let [start, entries, gone] = ["0-0", [], []];
    do {
        [start, entries, gone] = await worker.xautoclaim("jobs", "workers", "worker", 0, start, "COUNT", 5);
        assert.deepEqual(gone, []);
        await handle(worker, entries);
    } while (start !== "0-0");
    assert.deepEqual(handled.sort((a, b) => a - b), Array.from({ length: jobs }, (_, n) => n));
    assert.equal((await r.xpending("jobs", "workers"))[0], 0);
    assert.equal(await r.xtrim("jobs", "MAXLEN", 0), jobs);
    worker.disconnect();
}

for (protocol of version < "6" ? [2] : [2, 3]) {
    const r = connect();
    await r.flushall();
    assert.match(await r.client("INFO"), new RegExp(` resp=${protocol}`));
    await run(`ioredis ${version}, RESP${protocol}`, [
        ["basics", () => basics(r)],
        ["pipelines", () => pipelines(r)],
        ["transactions", () => transactions(r)],
        ["subscriptions", () => subscriptions(r)],
        ["events", () => events(r)],
        ["scanning", () => scanning(r)],
        ["blocking", () => blocking(r)],
        ["scripts", () => scripts(r)],
        ["groups", () => groups(r)],
        ["reconnects", () => reconnects(r)],
        ["connections", () => connections(r)],
    ]);
    r.disconnect();
}
