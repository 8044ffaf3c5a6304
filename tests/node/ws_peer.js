// The package ws against the server: sizes, fragments, compression, pings, closing. ws_peer.js URL [CA_FILE]
// The URL's path says what the server agrees on: /plain, /deflate, or /windows, which are kept then.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import WebSocket from "ws";

const [url, authority] = process.argv.slice(2);
const options = authority ? { ca: readFileSync(authority) } : {};

async function open(more) {
  const socket = new WebSocket(url, { ...options, ...more });
  await once(socket, "open");
  return socket;
}

async function echo(socket, message) {
  const answer = once(socket, "message");
  socket.send(message);
  const [data, isBinary] = await answer;
  assert.equal(isBinary, typeof message !== "string");
  assert.ok(Buffer.from(message).equals(data), `an echo of ${message.length}`);
}

// What it costs to say the same again, there and back: nearly nothing where windows are kept.
async function echoTwice(socket, keeps) {
  const noise = randomBytes(3000).toString("base64");
  await echo(socket, noise);
  const { bytesRead, bytesWritten } = socket._socket;
  await echo(socket, noise);
  const costs = [socket._socket.bytesRead - bytesRead, socket._socket.bytesWritten - bytesWritten];
  assert.ok(costs.every((cost) => (keeps ? cost < 300 : cost > 3000)), `${costs} bytes`);
}

const path = new URL(url).pathname;
for (const perMessageDeflate of [false, { threshold: 0 }]) {
  const socket = await open({ perMessageDeflate });
  const agreed = perMessageDeflate && path !== "/plain";
  assert.equal(socket.extensions.includes("permessage-deflate"), agreed);
  if (agreed) await echoTwice(socket, path === "/windows");
  for (const size of [0, 1, 125, 126, 65535, 65536, 1024 * 1024]) {
    await echo(socket, "x".repeat(size));
    await echo(socket, Buffer.alloc(size, 7));
  }
  await echo(socket, "Grüße, 世界 🌍");
  const whole = once(socket, "message");
  socket.send("in ", { fin: false });
  socket.send("three ", { fin: false });
  socket.ping();  // between the fragments
  await once(socket, "pong");
  socket.send("pieces");
  assert.equal((await whole)[0].toString(), "in three pieces");
  const closed = once(socket, "close");
  socket.close(4321, "enough");
  assert.equal((await closed)[0], 4321);
}

// The server closes first, with a code of its own.
const last = await open();
const closed = once(last, "close");
last.send("close me");
const [code, reason] = await closed;
assert.deepEqual([code, reason.toString()], [4000, "as you wish"]);

// Many at once, all of them echoing.
const crowd = await Promise.all(Array.from({ length: 100 }, () => open({ perMessageDeflate: false })));
await Promise.all(crowd.map(async (socket, i) => {
  for (let turn = 0; turn < 20; ++turn) await echo(socket, `${i} ${turn}`);
  const ended = once(socket, "close");
  socket.close(1000);
  await ended;
}));
console.log("ws is content");
