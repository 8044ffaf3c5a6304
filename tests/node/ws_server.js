// The package ws as a server: ws_server.js [CERTIFICATE KEY] prints its port, then what it notices of its clients, a line
// each ("ping", "pong DATA", "closed CODE REASON", "error CODE"); it ends with its standard input. The path says how it
// compresses and what it bears. Every message comes back as it was, but for those that begin with "do ":
//
//   do fragments TEXT    TEXT in one frame for each letter, with a PING in the middle
//   do ping DATA         a PING
//   do say SIZE          SIZE zeros, binary
//   do close CODE REASON
//   do vanish            the connection ends without a close frame
//   do count             "RECEIVED SENT": bytes on the connection so far, before this answer
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { WebSocketServer } from "ws";

const deflate = (more) => ({ perMessageDeflate: { threshold: 0, ...more } });
const paths = {
  "/plain": {},
  "/deflate": deflate({}),
  "/server-forgets": deflate({ serverNoContextTakeover: true }),
  "/client-forgets": deflate({ clientNoContextTakeover: true }),
  "/small-window": deflate({ serverMaxWindowBits: 9 }),
  "/limited": { maxPayload: 1000 },
  "/limited-deflate": { maxPayload: 1000, ...deflate({}) },
  "/mute": { autoPong: false },
};
const servers = Object.fromEntries(
  Object.entries(paths).map(([path, options]) => [path, new WebSocketServer({ noServer: true, ...options })]),
);

function obey(socket, connection, text) {
  const [, verb, first, ...rest] = text.split(" ");
  if (verb === "fragments") {
    const letters = [...first];
    letters.forEach((letter, i) => {
      if (i === letters.length >> 1) socket.ping("between");
      socket.send(letter, { fin: i === letters.length - 1 });
    });
  } else if (verb === "ping") {
    socket.ping(first);
  } else if (verb === "say") {
    socket.send(Buffer.alloc(Number(first)));
  } else if (verb === "close") {
    if (first) socket.close(Number(first), rest.join(" "));
    else socket.close();
  } else if (verb === "vanish") {
    socket.terminate();
  } else if (verb === "count") {
    socket.send(`${connection.bytesRead} ${connection.bytesWritten}`);
  }
}

function serve(socket, connection) {
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : data.toString();
    if (text.startsWith("do ")) obey(socket, connection, text);
    else socket.send(data, { binary: isBinary });
  });
  socket.on("ping", () => console.log("ping"));
  socket.on("pong", (data) => console.log(`pong ${data}`));
  socket.on("error", (error) => console.log(`error ${error.code}`));
  socket.on("close", (code, reason) => console.log(`closed ${code} ${reason}`));
}

const [certificate, key] = process.argv.slice(2);
const server = certificate
  ? createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) })
  : createServer();
server.on("upgrade", (request, connection, head) => {
  servers[request.url].handleUpgrade(request, connection, head, (socket) => serve(socket, connection));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
