// Sessions of libraries that stand on ioredis and node-redis: node_frameworks.mjs PORT SOCKET MODULES.
//
// Redlock (locks), rate-limiter-flexible (limits) and connect-redis (sessions of express-session, behind a server of
// HTTP), as somebody who reads their introductions would write it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { refused, run, waitFor } from "./session.mjs";

const [port, , modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { Redis } = require("ioredis");
const { createClient } = require("redis");
const Redlock = require("redlock");
const limits = require("rate-limiter-flexible");
const session = require("express-session");
const { RedisStore } = require("connect-redis");

const redis = new Redis({ port: Number(port) });
const client = createClient({ socket: { port: Number(port) } });
client.on("error", () => {});
await client.connect();
const versionOf = (name) => JSON.parse(readFileSync(`${modules}/${name}/package.json`)).version;

async function locks() {
    const patient = new Redlock([redis], { retryCount: 100, retryDelay: 20, retryJitter: 10 });
    const hasty = new Redlock([redis], { retryCount: 0 });
    const lock = await patient.lock("locks:job", 5000);
    assert.match(await refused(() => hasty.lock("locks:job", 1000)), /Exceeded 0 attempts/);
    const longer = await lock.extend(20000);
    assert((await redis.pttl("locks:job")) > 15000);
    await longer.unlock();
    assert.equal(await redis.exists("locks:job"), 0);
    const both = await patient.lock(["locks:a", "locks:b"], 5000);
    assert.equal(await redis.exists("locks:a", "locks:b"), 2);
    await both.unlock();
    // Who comes too late to give it back is told so: the lock is somebody else's by then.
    const short = await hasty.lock("locks:short", 20);
    await waitFor(async () => !(await redis.exists("locks:short")), "the end of a lock");
    const next = await hasty.lock("locks:short", 5000);
    assert.match(await refused(() => short.extend(1000)), /lock|extend/i);
    assert.equal(await redis.get("locks:short"), next.value);
    await next.unlock();
    // Whoever holds the lock reads and writes alone.
    let [inside, sum] = [0, 0];
    await Promise.all(Array.from({ length: 8 }, async () => {
        const mine = await patient.lock("locks:one", 5000);
        assert.equal(++inside, 1);
        sum += 1;
        await new Promise((done) => setTimeout(done, 2));
        inside -= 1;
        await mine.unlock();
    }));
    assert.equal(sum, 8);
}

async function limited(storeClient, options) {
    const limiter = new limits.RateLimiterRedis({ storeClient, keyPrefix: "limit", points: 5, duration: 2, blockDuration: 3, ...options });
    for (let n = 4; n >= 0; n--) assert.equal((await limiter.consume("user")).remainingPoints, n);
    const refusal = await limiter.consume("user").catch((result) => result);
    assert.equal(refusal.remainingPoints, 0);
    assert(refusal.msBeforeNext > 2000 && refusal.msBeforeNext <= 3000, `blocked for ${refusal.msBeforeNext}`);
    assert.equal((await limiter.get("user")).consumedPoints, 6);
    await limiter.penalty("other", 2);
    assert.equal((await limiter.reward("other", 1)).consumedPoints, 1);
    assert.equal(await limiter.delete("user"), true);
    assert.equal((await limiter.consume("user", 3)).consumedPoints, 3);
    await limiter.delete("user");
    await limiter.delete("other");
}

async function limiters() {
    await limited(redis, {});
    await limited(client, { useRedisPackage: true });
    const fast = new limits.RateLimiterRedis({ storeClient: redis, keyPrefix: "fast", points: 1, duration: 1 });
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => fast.consume("everybody")));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    const bursts = new limits.BurstyRateLimiter(
        new limits.RateLimiterRedis({ storeClient: redis, keyPrefix: "steady", points: 1, duration: 5 }),
        new limits.RateLimiterRedis({ storeClient: redis, keyPrefix: "burst", points: 2, duration: 10 }),
    );
    for (let n = 0; n < 3; n++) await bursts.consume("user");
    await assert.rejects(bursts.consume("user").catch((result) => Promise.reject(new Error(`wait ${result.msBeforeNext}`))), /wait/);
}

// Visits of a browser: the number of them is in its session.
async function sessions() {
    const store = new RedisStore({ client, prefix: "visits:", ttl: 100 });
    const middleware = session({ store, secret: "a secret", resave: false, saveUninitialized: false });
    const server = http.createServer((request, response) => {
        middleware(request, response, () => {
            if (request.url === "/leave") return request.session.destroy(() => response.end("left"));
            request.session.visits = (request.session.visits ?? 0) + 1;
            response.end(String(request.session.visits));
        });
    });
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    const visit = async (path, cookie) => {
        const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: cookie ? { cookie } : {} });
        return [await answer.text(), answer.headers.get("set-cookie")?.split(";")[0] ?? cookie];
    };
    const [first, cookie] = await visit("/");
    assert.equal(first, "1");
    assert.equal((await visit("/", cookie))[0], "2");
    assert.equal((await visit("/", cookie))[0], "3");
    assert.equal((await visit("/"))[0], "1");
    const call = (name, ...args) => new Promise((done, failed) => {
        store[name](...args, (error, value) => (error ? failed(error) : done(value)));
    });
    assert.equal(await call("length"), 2);
    const ids = await call("ids");
    const ttl = await redis.ttl(`visits:${ids[0]}`);
    assert(ttl > 90 && ttl <= 100);
    assert.deepEqual((await call("all")).map(({ visits }) => visits).sort(), [1, 3]);
    assert.equal((await visit("/leave", cookie))[0], "left");
    assert.equal(await call("length"), 1);
    await call("clear");
    assert.equal(await call("length"), 0);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
}

await redis.flushall();
const title = ["redlock", "rate-limiter-flexible", "connect-redis"].map((name) => `${name} ${versionOf(name)}`).join(", ");
await run(title, [["locks", locks], ["limiters", limiters], ["sessions", sessions]]);
redis.disconnect();
await client.quit();
