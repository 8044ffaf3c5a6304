// undici against the server: keep-alive, pipelining, streamed bodies both ways, HTTP/2. undici_peer.js URL [CA_FILE]
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { Client, Pool, fetch } from "undici";

const [url, authority] = process.argv.slice(2);
const connect = authority ? { ca: readFileSync(authority) } : {};
const large = Buffer.alloc(1024 * 1024, "trunkline");

async function whole(body) {
  return Buffer.from(await body.arrayBuffer());
}

async function exercise(dispatcher, pieces) {
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) => dispatcher.request({ path: `/hello?${i}`, method: "GET" })),
  );
  for (const answer of answers) {
    assert.equal(answer.statusCode, 200);
    assert.equal((await whole(answer.body)).toString(), "hello");
  }
  const uploaded = await dispatcher.request({ path: "/echo", method: "POST", body: large });
  assert.ok(large.equals(await whole(uploaded.body)));
  const streamed = await dispatcher.request({ path: "/echo", method: "POST", body: Readable.from(pieces) });
  assert.equal((await whole(streamed.body)).toString(), pieces.join(""));
  const download = await dispatcher.request({ path: "/stream", method: "GET" });
  assert.equal((await whole(download.body)).length, 4 * 1024 * 1024);
  const head = await dispatcher.request({ path: "/hello", method: "HEAD" });
  assert.equal(head.headers["content-length"], "5");
  assert.equal((await whole(head.body)).length, 0);
  const missing = await dispatcher.request({ path: "/missing", method: "GET" });
  assert.equal(missing.statusCode, 404);
  await whole(missing.body);
  await dispatcher.close();
}

const pieces = Array.from({ length: 50 }, (_, i) => `piece ${i} `);
await exercise(new Client(url, { connect, pipelining: authority ? 1 : 10 }), pieces);
await exercise(new Pool(url, { connect, connections: 4 }), pieces);
if (authority) await exercise(new Client(url, { connect, allowH2: true }), pieces);
if (!authority) assert.equal(await (await fetch(`${url}/hello`)).text(), "hello");
console.log("undici is content");
process.exit(0);
