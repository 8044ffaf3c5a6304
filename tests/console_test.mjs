// The console as people meet it: both views, light, dark, on a telephone, by keyboard, live, and after the process has
// gone. Every test fails on an error in the browser's console and on a request to another host.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const [subject, packages, screenshots] = process.argv.slice(2);
const { chromium } = createRequire(join(resolve(packages), "node_modules/"))("playwright-core");
const foreign = /^https?:/.test(subject);  // somebody else's process: not ours to end, nor known in its content
mkdirSync(screenshots, { recursive: true });

async function begin(...flags) {
  const child = spawn(resolve(subject), flags, { stdio: ["ignore", "pipe", "inherit"] });
  const url = await new Promise((found, failed) => {
    createInterface({ input: child.stdout }).once("line", found);
    child.once("exit", (code) => failed(new Error(`${subject} ended with ${code} before it listened`)));
  });
  return {
    url, signal: (name) => child.kill(name),
    end: () => new Promise((ended) => (child.once("exit", ended), child.kill("SIGTERM"))),
  };
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
let failures = 0;

async function test(name, url, options, steps) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
  });
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== "data:" && host !== new URL(url).host) errors.push(`asked another host: ${request.url()}`);
  });
  try {
    await page.goto(url);
    await steps(page, errors);
    assert.deepEqual(errors, [], "errors in the browser's console");
    console.log(`ok      ${name}`);
  } catch (error) {
    failures++;
    console.log(`FAILED  ${name}\n${error.stack}`);
    await page.screenshot({ path: join(screenshots, "failed.png") }).catch(() => {});
  }
  await context.close();
}

async function shot(page, name) {
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}
const text = (page, selector) => page.locator(selector).first().innerText();

// Waits for it: what a click asks for is drawn a moment later.
const says = (page, selector, pattern) => page.locator(selector, { hasText: pattern }).first().waitFor({ timeout: 10_000 });

// Nothing may be wider than the window.
async function fits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} px wide in a window of ${window}`);
}

async function live(page) {
  await page.locator(".link.live").waitFor({ timeout: 10_000 });
}

async function connections(page) {
  await live(page);
  await page.locator(".route").first().waitFor();
  const figures = await page.locator(".figure strong").allInnerTexts();
  assert.equal(figures.length, 4);
  for (const figure of figures) assert.match(figure, /\d/, `a headline without a number: ${figures}`);
  assert.match(await text(page, ".figure.reuse strong"), /^\d+(\.\d+)? %$/);
  assert.match(await text(page, ".figure.open .note"), /may have [\d,]+$/);
  assert.ok((await page.locator(".route .bar .part").count()) > 0, "bars have parts");
  assert.ok((await page.locator(".uplot canvas").count()) >= 2, "there are charts");
  await fits(page);
}

async function fleets(page) {
  await live(page);
  await page.locator("nav a", { hasText: "Fleets" }).click();
  const fleet = page.locator(".fleet").first();
  await fleet.locator(".pod").first().waitFor();
  assert.match(await fleet.locator(".says").innerText(), /(Holds at|→) \d+/);
  assert.ok((await fleet.locator(".pod").count()) >= 1);
  for (const pod of await fleet.locator(".pod-state").allInnerTexts()) {
    assert.match(pod, /^(fresh|carried|missing|starting|draining|excluded)$/);
  }
  await fleet.locator(".uplot canvas").waitFor();
  await fits(page);
}

// The place, so that it is the same one when the order changes. Of somebody else's process one to which something is
// open; that may end the moment after, as when a backend is drained: then another is taken.
async function unfoldOne(page) {
  for (let tries = 5; ; tries--) {
    const chosen = foreign ? ".route-line:has(.connections .part)" : ".route-line:has(.advised)";
    const id = await page.locator(chosen).first().getAttribute("aria-controls");
    const line = page.locator(`.route-line[aria-controls="${id}"]`);
    await line.focus();
    await page.keyboard.press("Enter");
    await page.locator(`.route-line[aria-controls="${id}"][aria-expanded="true"]`).waitFor();
    const detail = page.locator(".detail");
    const found = await detail.locator(".life tbody tr").first().waitFor({ timeout: tries > 1 ? 5000 : 30_000 }).then(() => true, () => false);
    if (found) return detail;
    assert.ok(tries > 1, "no connection's life is shown");
    await page.keyboard.press("Enter");
  }
}

async function unfolds(page) {
  await connections(page);
  const detail = await unfoldOne(page);
  await detail.locator(".uplot canvas").first().waitFor();
  assert.match(await detail.innerText(), /why it was dialled/i);
  for (const row of await detail.locator(".life tbody tr").allInnerTexts()) {
    assert.match(row, /(idle for|in use|a WebSocket|being closed)/, "what it does now");
    assert.match(row, /\d+(\.\d+)? (µs|ms|s|min)/, "how old it is");
    assert.match(row, /\d:\d+ → \S+:\d+|\]:\d+ → /, "from where to where");
    assert.match(row, /(nothing was open|all that were open|the last|the peer|the request asked)/, "why it was opened");
  }
  if (!foreign) assert.match(await detail.locator(".advice").innerText(), /keep-alive time-out above/);
  await fits(page);
}

async function simulates(page) {
  await fleets(page);
  const fleet = page.locator(".fleet").first();
  await fleet.locator(".simulator > summary").click();
  const policy = fleet.locator("textarea");
  await page.waitForFunction(() => document.querySelector("textarea")?.value.includes("bounds"));
  const before = await policy.inputValue();
  await policy.fill(before.replace(/max: \d+/, "max: 5"));
  await fleet.getByRole("button", { name: "Replay" }).click();
  await fleet.locator(".simulator table.scores").waitFor();
  const peak = fleet.locator(".simulator .scores tr", { hasText: "peak" }).locator("td");
  if (foreign) {  // it may not have needed so many yet
    for (const shown of await peak.allInnerTexts()) assert.match(shown, /^[1-9]\d*$/);
    assert.ok(Number(await peak.nth(1).innerText()) <= 5, "no more than the edited policy allows");
  } else {
    assert.equal(await peak.nth(1).innerText(), "5");
  }
  await fits(page);
}

// The page's real stream within reach, so that a test can say what a process says only now and then.
async function withStream(page) {
  await page.addInitScript(() => {
    window.EventSource = class extends window.EventSource {
      constructor(...of) {
        super(...of);
        window.stream = this;
      }
    };
    window.tell = (event, data) => window.stream.dispatchEvent(new MessageEvent(event, { data: JSON.stringify(data) }));
  });
}
const tell = (page, event, data) => page.evaluate(([name, message]) => window.tell(name, message), [event, data]);

// Answers to what matches wait until they are let go; each is as old as the question then.
async function held(page, pattern) {
  let letGo, asked;
  const open = new Promise((opened) => (letGo = opened));
  const first = new Promise((came) => (asked = came));
  await page.route(pattern, async (route) => {
    const response = await route.fetch();
    asked();
    await open;
    await route.fulfill({ response });
  });
  return { asked: first, letGo };
}

// The browser itself reports every answer that is no 2xx.
function forgive(errors, pattern) {
  for (const error of errors.splice(0)) assert.match(error, pattern);
}

async function madeUpFleet(name) {
  const [fleet] = await (await fetch(new URL("/api/v1/fleets", url))).json();
  return { ...fleet, name };
}

const server = foreign ? { url: subject, end: async () => {} } : await begin();
const { url } = server;
const telephone = { viewport: { width: 380, height: 800 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

for (const colorScheme of ["light", "dark"]) {
  await test(`connections, ${colorScheme}`, url, { colorScheme }, async (page) => {
    await connections(page);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
    await shot(page, `connections-${colorScheme}`);
  });
  await test(`fleets, ${colorScheme}`, url, { colorScheme }, async (page) => {
    await fleets(page);
    await shot(page, `fleets-${colorScheme}`);
  });
  await test(`on a telephone, ${colorScheme}`, url, { colorScheme, ...telephone }, async (page) => {
    await connections(page);
    await shot(page, `telephone-connections-${colorScheme}`);
    await fleets(page);
    await shot(page, `telephone-fleets-${colorScheme}`);
  });
}

await test("a route unfolds, by keyboard", url, { colorScheme: "light" }, async (page) => {
  await unfolds(page);
  await shot(page, "route-light");
});

if (!foreign) {
  await test("two pools to one place are told apart", url, { colorScheme: "dark" }, async (page) => {
    await connections(page);
    await page.locator('.route-line:has-text("http://10.0.3.11:9100")').first().click();
    await says(page, ".detail .split", /options differ: tls\.ca_file is unset here and \S+ there; proxy is/);
    await fits(page);
  });
}

await test("a route unfolds on a telephone", url, { colorScheme: "dark", ...telephone }, async (page) => {
  await unfolds(page);
  await shot(page, "telephone-route-dark");
});

await test("decisions unfold into sentences", url, { colorScheme: "dark" }, async (page) => {
  await fleets(page);
  await page.locator(".decisions summary").first().click();
  await page.locator(".decisions details[open] .stages li").first().waitFor();
});

await test("the simulator replays under an edited policy", url, { colorScheme: "light" }, async (page) => {
  await simulates(page);
  await shot(page, "simulator-light");
});

if (!foreign) {
  await test("a mistake in the policy is said with its place", url, {}, async (page, errors) => {
    await fleets(page);
    const fleet = page.locator(".fleet").first();
    await fleet.locator(".simulator > summary").click();
    await page.waitForFunction(() => document.querySelector("textarea")?.value.includes("bounds"));
    await fleet.locator("textarea").fill("kind: nonsense\nbounds: {mim: 3}\n");
    await fleet.getByRole("button", { name: "Replay" }).click();
    await says(fleet, ".simulator .error", /policy:\d+:\d+/);
    // The browser itself reports every 422; it is what was asked for.
    for (const error of errors.splice(0)) assert.match(error, /422/);
  });
}

await test("figures move by themselves", url, {}, async (page) => {
  await connections(page);
  const before = await text(page, ".figure.requests");
  const reuse = await text(page, ".figure.reuse .note");
  await page.waitForFunction(
    ([requests, note]) => document.querySelector(".figure.requests").innerText !== requests ||
                          document.querySelector(".figure.reuse .note").innerText !== note, [before, reuse], { timeout: 20_000 });
});

await test("everything can be reached by keyboard", url, {}, async (page) => {
  await connections(page);
  const reached = new Set();
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return "behind the last stop";
      const outline = getComputedStyle(element).outlineStyle;
      return `${element.className || element.tagName}${outline === "none" ? " WITHOUT OUTLINE" : ""}`;
    }));
  }
  for (const one of reached) assert.ok(!one.includes("WITHOUT"), `focus cannot be seen on ${one}`);
  assert.ok([...reached].some((one) => one.startsWith("route-line")), `no route was reached: ${[...reached]}`);
  assert.ok(reached.has("skip"), "the first stop is the way past the header");
});

await test("the choice of colours stays", url, { colorScheme: "light" }, async (page) => {
  await connections(page);
  await page.locator(".theme select").selectOption("dark");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.reload();
  await live(page);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
});

await test("nothing moves for those who asked for calm", url, { reducedMotion: "reduce" }, async (page) => {
  await live(page);
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector(".dot")).animationName), "none");
});

if (!foreign) {
  await test("figures have names, and charts numbers, for those who do not see them", url, {}, async (page) => {
    await connections(page);
    assert.equal(await text(page, "header [role=status]"), "live", "read out once, not each second");
    const row = /open [\d,]+.* queued \d+ dials [\d,]+.* reuse [\d.]+ % p50 .* p99 .* idle limit /s;
    assert.ok((await page.getByRole("button", { name: row }).count()) > 0, "a route's figures are named");
    const chart = await page.locator(".chart").first().getAttribute("aria-label");
    assert.match(chart, /: requests \/ s [\d.,]+, dials \/ s [\d.,]+$/);
  });
  await test("pods too many to be written out are told all the same", url, {}, async (page, errors) => {
    await withStream(page);
    await page.reload();
    await fleets(page);
    const fleet = await madeUpFleet("many");
    const pod = { ...fleet.pods[0], state: "ready", input: "fresh", reason: "" };
    fleet.pods = Array.from({ length: 70 }, (_, i) => ({ ...pod, name: `many-${i}` }));
    fleet.pods[7] = { ...fleet.pods[7], state: "excluded", reason: "asked for" };
    await tell(page, "fleet", fleet);
    const pods = page.locator('.fleet[aria-label="fleet many"] .dense .pod');
    await pods.first().waitFor();
    assert.match(await pods.nth(6).innerText(), /many-6: fresh/);
    assert.match(await pods.nth(7).innerText(), /many-7: excluded · asked for/);
    assert.equal(await pods.nth(7).evaluate((element) => getComputedStyle(element).opacity), "1", "its mark keeps its contrast");
    await fits(page);
    forgive(errors, /404/);  // nobody knows the past of this fleet
  });
  await test("the line of reuse is of the share, not of how many requests there are", url, {}, async (page) => {
    // Ten times the requests, half of them on connections that were there.
    const t = [], granted = [], reused = [], none = [];
    const until = Math.floor(Date.now() / 1000);
    for (let i = 0; i <= 200; i++) {
      t.push(until - 200 + i);
      granted.push(i <= 100 ? i : 100 + 10 * (i - 100));
      reused.push(i <= 100 ? i : 100 + 5 * (i - 100));
      none.push(0);
    }
    await page.route("**/api/v1/history", (route) =>
      route.fulfill({ json: { t, granted, reused, dials: none, open: none, in_use: none, idle: none, waiting: none } }));
    await page.reload();
    await connections(page);
    const points = await page.locator(".figure.reuse .spark polyline").getAttribute("points");
    const heights = points.split(" ").map((point) => Number(point.split(",")[1]));  // from above
    assert.ok(heights[190] > heights[50] + 10, `it falls: ${heights[50]}, then ${heights[190]}`);
  });

  const empty = await begin("--empty");
  await test("an idle process says so in words", empty.url, {}, async (page) => {
    await live(page);
    await says(page, ".empty", /No connection has been opened yet/);
    await shot(page, "empty-connections");
    await page.locator("nav a", { hasText: "Fleets" }).click();
    await says(page, ".empty", /No fleet is being scaled/);
  });
  await test("a process that goes is missed, and found again when it is back", empty.url, {}, async (page, errors) => {
    await live(page);
    await empty.end();
    await page.locator(".link.lost").waitFor();
    await says(page, ".banner", /has not answered for \d+ s/);
    assert.equal(await text(page, ".banner [role=alert]"), "The process has not answered", "read out once, not each second");
    await shot(page, "disconnected");
    const again = await begin("--listen", new URL(empty.url).host);
    await page.locator(".link.live").waitFor({ timeout: 20_000 });
    await page.locator(".route").first().waitFor();  // this one is not idle
    await page.locator(".banner").waitFor({ state: "detached" });
    await again.end();
    await page.locator(".link.lost").waitFor();
    errors.length = 0;  // refused connections, which the browser reports itself
  });

  await test("a process that hangs is missed, though its connections stay, and found again when it goes on", url, {}, async (page) => {
    await live(page);
    server.signal("SIGSTOP");
    try {
      await page.locator(".link.lost").waitFor({ timeout: 25_000 });
      await says(page, ".banner", /has not answered for (1[5-9]|[2-9]\d) s/);  // which is how it was found out
    } finally {
      server.signal("SIGCONT");
    }
    await page.locator(".link.live").waitFor({ timeout: 25_000 });
  });
  await test("who finds too many watching is told so, and let in when there is room", url, {}, async (page, errors) => {
    await page.goto("about:blank");
    const others = [];
    const fill = async () => {
      for (;;) {
        const response = await fetch(new URL("/api/v1/events", url));
        if (response.status === 503) return;
        others.push(response.body.getReader());
      }
    };
    await fill();
    const last = others.at(-1);
    for (let i = 0; i < 2; i++) await last.read();  // hello, and then what is told to all: by that streams that ended are known
    await fill();
    await page.goto(url);
    await says(page, ".banner", /refuses to be watched: 503, so many streams are open already/);
    for (const other of others) await other.cancel();
    await live(page);
    forgive(errors, /503/);
  });
  await test("a tab that nobody sees holds no stream", url, {}, async (page) => {
    await withStream(page);
    await page.reload();
    await live(page);
    const see = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { get: () => value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
      return window.stream.readyState;
    }, hidden);
    assert.equal(await see(true), 2, "closed");
    await page.locator(".link.connecting").waitFor({ state: "attached" });
    assert.equal(await see(false), 0, "being opened");
    await live(page);
  });
  await test("what cannot be had at first is asked for again", url, {}, async (page, errors) => {
    await page.route("**/api/v1/history", (route) => route.fulfill({ status: 500, json: { error: "made up" } }));
    await page.reload();
    await says(page, ".banner", /did not get what it asked for: made up/);
    assert.equal(await page.locator(".link.live").count(), 0, "live, with nothing to show");
    await page.unroute("**/api/v1/history");
    await connections(page);
    assert.equal(await page.locator(".banner").count(), 0);
    forgive(errors, /500/);
  });
  await test("events that overtake the answers are not lost, and an unknown past is no empty one", url, {}, async (page, errors) => {
    await withStream(page);
    const fleets = await held(page, "**/api/v1/fleets");
    await page.reload();
    await fleets.asked;
    await tell(page, "fleet", await madeUpFleet("late"));
    fleets.letGo();
    await live(page);
    await page.locator("nav a", { hasText: "Fleets" }).click();
    const late = page.locator('.fleet[aria-label="fleet late"]');
    await says(late, ".banner", /What late did before could not be read: there is no fleet named late/);
    assert.doesNotMatch(await late.innerText(), /No decision yet/);
    const real = (await madeUpFleet("late")).last.policy;
    await page.route("**/api/v1/fleets/late/*", (route) => route.continue({ url: route.request().url().replace("/late/", `/${real}/`) }));
    await late.locator(".uplot canvas").waitFor();
    await late.locator(".decisions li").first().waitFor();
    assert.equal(await late.locator(".banner").count(), 0);
    forgive(errors, /404/);
  });
  await test("a fleet that goes while it is asked about stays gone", url, {}, async (page, errors) => {
    await withStream(page);
    await page.reload();
    await fleets(page);
    const past = await held(page, "**/api/v1/fleets/ghost/*");
    const answers = ["history", "decisions"].map((what) => page.waitForResponse((response) => response.url().includes(`/ghost/${what}`)));
    await tell(page, "fleet", await madeUpFleet("ghost"));
    await past.asked;
    await tell(page, "fleet-gone", { name: "ghost" });
    past.letGo();
    await Promise.all(answers);
    // What the page asks later is answered later, and drawn a frame after.
    await page.evaluate(async () => {
      await (await fetch("/api/v1/status")).json();
      for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    });
    assert.equal(await page.locator('.fleet[aria-label="fleet ghost"]').count(), 0);
    forgive(errors, /404/);
  });
  await test("a route's past that cannot be had is said, and asked for again", url, {}, async (page, errors) => {
    await page.route("**/api/v1/routes/history?*", (route) => route.fulfill({ status: 500, json: { error: "made up" } }));
    await connections(page);
    const detail = await unfoldOne(page);
    await says(detail, ".banner", /did before could not be read: made up/);
    await page.unroute("**/api/v1/routes/history?*");
    await detail.locator(".banner").waitFor({ state: "detached" });
    await detail.locator(".uplot canvas").first().waitFor();
    forgive(errors, /500/);
  });
  await test("a route that goes and comes back is unfolded with its past", url, {}, async (page) => {
    await withStream(page);
    await page.reload();
    await connections(page);
    const detail = await unfoldOne(page);
    await detail.locator(".uplot canvas").first().waitFor();
    const name = await text(page, ".unfolded .place");
    const { routes } = await (await fetch(new URL("/api/v1/transport", url))).json();
    const { route, key } = routes.find((one) => one.route === name);
    // Behind a real event, so that the page has a second to draw without it: the next one brings it back.
    await page.evaluate((gone) => new Promise((told) => {
      document.querySelector(".detail").isOld = true;
      window.stream.addEventListener("transport", () => told(window.tell("route-gone", gone)), { once: true });
    }), { route, key });
    await page.waitForFunction(() => document.querySelector(".detail")?.isOld === undefined && document.querySelector(".detail"));
    await detail.locator(".uplot canvas").first().waitFor();
  });
  await test("a question that is not answered is not asked again and again", url, {}, async (page) => {
    await withStream(page);
    await page.reload();
    await connections(page);
    let questions = 0;
    page.on("request", (request) => (questions += request.url().includes("/api/v1/connections?")));
    const lives = await held(page, "**/api/v1/connections?*");
    await page.locator(".route-line").first().click();
    await lives.asked;
    await page.evaluate(() => new Promise((passed) => {  // more than two of its turns
      let seconds = 0;
      window.stream.addEventListener("transport", () => ++seconds === 5 && passed());
    }));
    assert.equal(questions, 1);
    lives.letGo();
    await page.locator(".life tbody tr").first().waitFor();
  });
  await server.end();
}

await browser.close();
console.log(failures === 0 ? "console_test: all is well" : `console_test: ${failures} FAILED`);
process.exit(failures === 0 ? 0 : 1);
