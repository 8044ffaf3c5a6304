// Node's ws under the bench's command line.
//   callback  CONCURRENCY WebSockets, on each one message under way; the next is sent where its echo is received
//   idle      TOTAL WebSockets that wait for a message, and the memory they take
// Environment: SIZE (64), bytes of a message; WARM, HOLD.
"use strict";
const fs = require("fs");
const WebSocket = require("ws");

const [mode, url, concurrency, total] = [process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5])];
const message = Buffer.alloc(Number(process.env.SIZE || 64), "x");

const open = () => new Promise((resolve, reject) => {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("open", () => resolve(socket));
  socket.on("error", reject);
});

function run(sockets, count, samples) {
  return new Promise((resolve) => {
    let started = 0, done = 0, errors = 0;
    const next = (socket) => {
      if (started === count) return;
      const number = started++, began = process.hrtime.bigint();
      socket.onecho = (data) => {
        errors += data.length !== message.length;
        samples[number] = Number(process.hrtime.bigint() - began) / 1e3;
        next(socket);
        if (++done === count) resolve(errors);
      };
      socket.send(message);
    };
    sockets.forEach(next);
  });
}

async function measure() {
  const sockets = [];
  for (let i = 0; i < concurrency; ++i) {
    const socket = await open();
    socket.on("message", (data) => socket.onecho(data));
    sockets.push(socket);
  }
  const warm = Number(process.env.WARM || 0);
  if (warm > 0) await run(sockets, warm, new Float32Array(warm));
  const samples = new Float32Array(total);
  const before = process.cpuUsage(), began = process.hrtime.bigint();
  const errors = await run(sockets, total, samples);
  const wall = Number(process.hrtime.bigint() - began) / 1e9, used = process.cpuUsage(before);
  samples.sort();
  const quantile = (q) => samples[Math.floor(q * (total - 1))];
  print({ wall, ut: used.user / 1e6, st: used.system / 1e6, err: errors, n: total, p50: quantile(0.5), p99: quantile(0.99),
    rss_kb: process.resourceUsage().maxRSS });
}

async function measureIdle() {
  const kept = [];
  const openMany = async (count) => {
    for (let i = 0; i < count; ++i) {
      const socket = await open();
      socket.on("message", () => {});
      kept.push(socket);
    }
  };
  await openMany(100);
  const collect = global.gc || (() => {});
  const residentKb = () => Math.round(process.memoryUsage.rss() / 1024);
  collect();
  const before = residentKb();
  await openMany(total);
  const after = residentKb();
  collect();
  print({ n: total, err: 0, before_kb: before, after_kb: after, trimmed_kb: residentKb() });
}

const print = (result) => process.stdout.write(JSON.stringify(result) + "\n");

async function main() {
  await (mode === "idle" ? measureIdle() : measure());
  if (process.env.HOLD) {
    await new Promise((resolve) => process.stdin.on("end", resolve).resume());
  }
  process.exit(0);
}
main();
