// A session of node-redis with the server: node_redis.mjs PORT SOCKET MODULES.
//
// Every part runs over RESP2 and over RESP3, as somebody who reads the library's introduction would write it.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { refused, run, waitFor } from "./session.mjs";

const [port, socket, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { createClient, defineScript, RESP_TYPES } = require("redis");
const { version } = require("redis/package.json");

async function connect(protocol, options = {}) {
    const client = createClient({ socket: { port: Number(port) }, RESP: protocol, ...options });
    // A client without a listener for errors ends the process when its connection breaks.
    client.on("error", () => {});
    await client.connect();
    return client;
}

async function basics(r) {
    assert.equal(await r.ping(), "PONG");
    assert.equal(await r.set("s", "v"), "OK");
    assert.equal(await r.get("s"), "v");
    assert.equal(await r.get("nothing"), null);
    assert.equal(await r.set("s", "w", { NX: true }), null);
    assert.equal(await r.set("s", "w", { XX: true, GET: true }), "v");
    assert.equal(await r.incrBy("n", 41), 41);
    assert.equal(Number(await r.incrByFloat("f", 1.5)), 1.5);
    assert.deepEqual(await r.mGet(["s", "nothing", "n"]), ["w", null, "41"]);
    assert.match(await refused(() => r.incr("s")), /not an integer/);
    await r.set("e", "v", { PX: 100 });
    await waitFor(async () => (await r.get("e")) === null, "the end of a key");
    assert.equal(await r.expire("s", 100), 1);
    assert.ok((await r.ttl("s")) > 95);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await r.set("bytes", bytes);
    assert.deepEqual(await r.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get("bytes"), bytes);
}

async function collections(r) {
    assert.equal(await r.hSet("h", { field: "value", other: "1" }), 2);
    assert.deepEqual({ ...(await r.hGetAll("h")) }, { field: "value", other: "1" });
    assert.equal(await r.rPush("l", ["a", "b", "c"]), 3);
    assert.deepEqual(await r.lRange("l", 0, -1), ["a", "b", "c"]);
    assert.equal(await r.sAdd("set", ["a", "b"]), 2);
    assert.deepEqual((await r.sMembers("set")).sort(), ["a", "b"]);
    assert.equal(await r.zAdd("z", [{ score: 1, value: "one" }, { score: 2.5, value: "two" }]), 2);
    assert.deepEqual(await r.zRangeWithScores("z", 0, -1), [{ value: "one", score: 1 }, { value: "two", score: 2.5 }]);
    assert.equal(await r.zScore("z", "two"), 2.5);
    assert.equal(await r.geoAdd("g", { longitude: 13.4, latitude: 52.5, member: "here" }), 1);
    assert.equal((await r.geoPos("g", "here")).length, 1);
}

async function pipelines(r) {
    // Commands of one tick are pipelined without being told to.
    const numbers = await Promise.all(Array.from({ length: 1000 }, () => r.incr("counter")));
    assert.deepEqual(numbers, Array.from({ length: 1000 }, (_, i) => i + 1));
    const big = "x".repeat(1 << 20);
    await Promise.all(Array.from({ length: 16 }, (_, i) => r.set(`big:${i}`, big + i)));
    const back = await Promise.all(Array.from({ length: 16 }, (_, i) => r.get(`big:${i}`)));
    back.forEach((text, i) => assert.ok(text === big + i));
}

async function transactions(r, other) {
    assert.deepEqual(await r.multi().set("t", "1").incr("t").get("t").exec(), ["OK", 2, "2"]);
    await r.watch("t");
    await other.set("t", "changed");
    assert.match(await refused(() => r.multi().get("t").exec()), /watched keys|WatchError/i);
    await r.watch("t");
    assert.deepEqual(await r.multi().get("t").exec(), ["changed"]);
    const failed = await r.multi().set("t", "text").incr("t").execAsPipeline().catch((error) => error);
    assert.ok(failed);
}

async function subscriptions(r, protocol) {
    const subscriber = await connect(protocol);
    const got = [];
    await subscriber.subscribe("news", (message, channel) => got.push([channel, message]));
    await subscriber.pSubscribe("ne*", (message, channel) => got.push([`pattern ${channel}`, message]));
    await subscriber.sSubscribe("shard", (message) => got.push(["shard", message]));
    assert.equal(await r.publish("news", "hello"), 2);
    assert.equal(await r.sPublish("shard", "part"), 1);
    await waitFor(() => got.length === 3, "three messages");
    assert.deepEqual(got, [["news", "hello"], ["pattern news", "hello"], ["shard", "part"]]);
    await subscriber.unsubscribe("news");
    await subscriber.pUnsubscribe();
    assert.equal(await r.publish("news", "nobody"), 0);
    // Subscriptions are taken up again when the connection was lost.
    await r.clientKill({ filter: "TYPE", type: "PUBSUB" });
    await waitFor(async () => (await r.sPublish("shard", "again")) === 1, "a new subscription");
    await waitFor(() => got.at(-1)[1] === "again", "a message after the break");
    subscriber.destroy();
}

async function scanning(r) {
    await Promise.all(Array.from({ length: 500 }, (_, i) => r.set(`scan:${i}`, i)));
    const seen = new Set();
    for await (const keys of r.scanIterator({ MATCH: "scan:*", COUNT: 50 })) {
        for (const key of [keys].flat()) seen.add(key);
    }
    assert.equal(seen.size, 500);
    await r.hSet("hscan", Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, i])));
    let fields = 0;
    for await (const entries of r.hScanIterator("hscan")) fields += [entries].flat().length;
    assert.equal(fields, 300);
}

async function blocking(r, protocol) {
    const waiter = await connect(protocol);
    const popped = waiter.blPop("queue", 5);
    await waitFor(async () => /blocked_clients:1/.test(await r.info("clients")), "a blocked client");
    await r.rPush("queue", "job");
    assert.deepEqual({ ...(await popped) }, { key: "queue", element: "job" });
    assert.equal(await waiter.blPop("queue", 0.05), null);
    const scored = waiter.bzPopMin("zqueue", 5);
    await r.zAdd("zqueue", { score: 1.5, value: "first" });
    assert.deepEqual({ ...(await scored) }, { key: "zqueue", value: "first", score: 1.5 });
    waiter.destroy();
}

async function reconnects(r, protocol) {
    const victim = await connect(protocol);
    const id = await victim.clientId();
    assert.equal(await r.clientKill({ filter: "ID", id }), 1);
    await waitFor(async () => (await victim.ping().catch(() => "")) === "PONG", "a new connection");
    assert.notEqual(await victim.clientId(), id);
    victim.destroy();
}

async function connections(r, protocol) {
    await r.clientSetName("tester");
    assert.equal(await r.clientGetName(), "tester");
    const mine = await r.clientInfo();
    assert.equal(mine.name, "tester");
    assert.equal(mine.resp, protocol);
    assert.match(mine.libName, /^node-redis/);
    assert.match(await r.info("server"), /redis_version:7/);
    assert.equal((await r.configGet("maxmemory")).maxmemory, "0");
    assert.ok((await r.commandCount()) > 80);
    assert.equal((await r.commandInfo(["get"]))[0].arity, 2);
    const unix = await connect(protocol, { socket: { path: socket }, database: 3 });
    await unix.set("only here", 1);
    assert.equal(await r.get("only here"), null);
    await unix.flushDb();
    await unix.quit();
}

async function cache(r) {
    const gets = async () => (await r.info("commandstats")).match(/cmdstat_get:calls=(\d+)/)?.[1];
    const cached = await connect(3, { clientSideCache: { ttl: 0, maxEntries: 0 } });
    await r.set("cached", "1");
    assert.equal(await cached.get("cached"), "1");
    const before = await gets();
    assert.equal(await cached.get("cached"), "1");
    assert.equal(await gets(), before, "the second read came from the cache");
    await r.set("cached", "2");
    await waitFor(async () => (await cached.get("cached")) === "2", "an invalidation");
    cached.destroy();
}

async function scripts(protocol) {
    const add = defineScript({
        NUMBER_OF_KEYS: 1,
        FIRST_KEY_INDEX: 1,
        SCRIPT: "return redis.call('incrby', KEYS[1], ARGV[1])",
        parseCommand(parser, key, by) {
            parser.pushKey(key);
            parser.push(String(by));
        },
        transformReply: (reply) => reply,
    });
    const r = await connect(protocol, { scripts: { add } });
    assert.equal(await r.add("total", 5), 5);
    // The library sends EVALSHA, and the text only if the server does not know it.
    await r.scriptFlush();
    assert.equal(await r.add("total", 2), 7);
    assert.deepEqual(await r.multi().add("total", 1).get("total").exec(), [8, "8"]);
    assert.deepEqual(await r.eval("return {KEYS[1], ARGV[1]}", { keys: ["k"], arguments: ["v"] }), ["k", "v"]);
    assert.match(await refused(() => r.eval("error('boom')")), /boom/);
    const code = "#!lua name=lib\nredis.register_function('twice', function(k, a) return a[1] * 2 end)";
    assert.equal(await r.functionLoad(code, { REPLACE: true }), "lib");
    assert.equal(await r.fCall("twice", { arguments: ["21"] }), 42);
    assert.equal((await r.functionList()).length, 1);
    await r.functionFlush();
    r.destroy();
}

// Two consumers share the work of a queue. One leaves half-way, and the other claims what it has left.
async function groups(r, protocol) {
    const jobs = 60;
    const handled = [];
    await r.xGroupCreate("jobs", "workers", "0", { MKSTREAM: true });
    for (let n = 0; n < jobs; n++) await r.xAdd("jobs", "*", { n: String(n) });
    const take = async (worker, name) => {
        const got = await worker.xReadGroup("workers", name, { key: "jobs", id: ">" }, { COUNT: 7, BLOCK: 50 });
        return got === null ? [] : got[0].messages;
    };
    const handle = async (worker, entries) => {
        for (const { id, message } of entries) {
            handled.push(Number(message.n));
            assert.equal(await worker.xAck("jobs", "workers", id), 1);
        }
    };
    const [killed, worker] = [await connect(protocol), await connect(protocol)];
    await handle(killed, (await take(killed, "killed")).slice(0, 3));
    await handle(worker, await take(worker, "worker"));
    await take(killed, "killed");
    killed.destroy();
    for (let entries; (entries = await take(worker, "worker")).length > 0;) await handle(worker, entries);
    const left = await r.xPending("jobs", "workers");
    assert.equal(left.pending, 11);
    assert.deepEqual(left.consumers.map((one) => ({ ...one })), [{ name: "killed", deliveriesCounter: 11 }]);
    let start = "0-0";
    do {
        const claimed = await worker.xAutoClaim("jobs", "workers", "worker", 0, start, { COUNT: 5 });
        assert.deepEqual(claimed.deletedMessages, []);
        await handle(worker, claimed.messages);
        start = claimed.nextId;
    } while (start !== "0-0");
    assert.deepEqual(handled.sort((a, b) => a - b), Array.from({ length: jobs }, (_, n) => n));
    assert.equal((await r.xPending("jobs", "workers")).pending, 0);
    assert.equal(await r.xTrim("jobs", "MAXLEN", 0), jobs);
    worker.destroy();
}

for (const protocol of [2, 3]) {
    const r = await connect(protocol);
    const other = await connect(protocol);
    await r.flushAll();
    await run(`node-redis ${version}, RESP${protocol}`, [
        ["basics", () => basics(r)],
        ["collections", () => collections(r)],
        ["pipelines", () => pipelines(r)],
        ["transactions", () => transactions(r, other)],
        ["subscriptions", () => subscriptions(r, protocol)],
        ["scanning", () => scanning(r)],
        ["blocking", () => blocking(r, protocol)],
        ["scripts", () => scripts(protocol)],
        ["groups", () => groups(r, protocol)],
        ["reconnects", () => reconnects(r, protocol)],
        ["connections", () => connections(r, protocol)],
        ...(protocol === 3 ? [["cache", () => cache(r)]] : []),
    ]);
    await r.quit();
    other.destroy();
}
