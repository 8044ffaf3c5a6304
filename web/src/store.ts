// All that the page knows, kept up to date by the stream of events. Views are drawn at most once a frame.
import { useEffect, useState } from "preact/hooks";
import {
  type Columns, type Cycle, type Decision, type Fleet, type Latency, type Route, type Status, type Transport, fleetPath, get,
} from "./api";
import { listen } from "./stream";

export type Link = { state: "connecting" } | { state: "live" } | { state: "lost"; since: number; refusal: string };

// What was before this page looked comes later than what is now, or not at all: `trouble` is why the last try failed.
export interface Past { history: Columns; known: boolean; trouble: string }
export interface FleetMemory extends Past { fleet: Fleet; decisions: Decision[] }

const longest = 1800;  // seconds of history, as the server keeps
const retry = 3000;  // milliseconds; twice as long each time
const longestRetry = 60_000;

export const connectionColumns = ["open", "in_use", "idle", "waiting", "dials", "granted", "reused"];
export const fleetColumns = [
  "current", "desired", "min", "max", "demand_low", "demand_high", "value", "target", "expected", "carried", "missing",
];

function emptyColumns(names: string[]): Columns {
  const columns: Columns = { t: [] };
  for (const name of names) columns[name] = [];
  return columns;
}

function append(columns: Columns, t: number, values: Record<string, number>) {
  if (columns.t.length > 0 && t <= columns.t[columns.t.length - 1]!) return;
  columns.t.push(t);
  for (const name of Object.keys(columns)) if (name !== "t") columns[name]!.push(values[name] ?? 0);
  let old = 0;
  while (columns.t[old]! < t - longest) old++;
  if (old > 60) for (const name of Object.keys(columns)) columns[name]!.splice(0, old);
}

// The answer, and behind it what has been heard since.
function joined(answer: Columns, heard: Columns): Columns {
  for (let i = 0; i < heard.t.length; i++) {
    append(answer, heard.t[i]!, Object.fromEntries(Object.keys(answer).map((name) => [name, heard[name]?.[i] ?? 0])));
  }
  return answer;
}

// One key stands for every host that is spoken to alike, and one host may be spoken to in several ways.
export const idOf = (route: { route: string; key: string }) => `${route.route} ${route.key}`;

export const state = {
  link: { state: "connecting" } as Link,
  trouble: "",
  status: null as Status | null,
  transport: null as Transport | null,
  routes: new Map<string, Route>(),
  routePasts: new Map<string, Past>(),  // of the routes that are unfolded
  latencies: new Map<string, Latency>(),
  cycles: [] as Cycle[],
  history: emptyColumns(connectionColumns),
  fleets: new Map<string, FleetMemory>(),
  offset: 0,  // the server's clock minus ours, in seconds
};

export const serverNow = () => Date.now() / 1000 + state.offset;

const listeners = new Set<() => void>();
let drawing = 0;

function changed() {
  if (drawing !== 0) return;
  drawing = requestAnimationFrame(() => {
    drawing = 0;
    for (const listener of listeners) listener();
  });
}

export function useStore() {
  const [, draw] = useState(0);
  useEffect(() => {
    const listener = () => draw((n) => n + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return state;
}

const pointOf = (pool: { open: number; active: number; upgraded: number; idle: number; waiting: number;
                         dials_started: number; granted: number; reused: number }) => ({
  open: pool.open, in_use: pool.active + pool.upgraded, idle: pool.idle, waiting: pool.waiting,
  dials: pool.dials_started, granted: pool.granted, reused: pool.reused,
});

function hearTransport(transport: Transport) {
  state.offset = transport.t - Date.now() / 1000;
  state.transport = transport;
  for (const route of transport.routes) {
    const id = idOf(route);
    // Nothing open speaks no protocol; what it spoke last is of more use.
    if (route.protocol === "") route.protocol = state.routes.get(id)?.protocol ?? "";
    state.routes.set(id, route);
  }
  append(state.history, transport.t, pointOf(transport.pool));
  for (const [id, past] of state.routePasts) {
    const route = state.routes.get(id);
    if (route) append(past.history, transport.t, pointOf(route));
  }
}

// The same point as the server's watch makes of a decision.
function fleetPoint(fleet: Fleet, decision: Decision): Record<string, number> {
  const point: Record<string, number> = {
    current: decision.current, desired: decision.desired, min: fleet.min, max: fleet.max,
    carried: 0, missing: 0,
  };
  let leading: (typeof decision.metrics)[number] | undefined;
  for (const metric of decision.metrics) {
    if (!leading || metric.demandLow > leading.demandLow) leading = metric;
    point.carried = Math.max(point.carried!, metric.carried);
    point.missing = Math.max(point.missing!, metric.missing);
  }
  if (leading) {
    const estimated = leading.demandHigh > 0;
    point.demand_low = estimated ? leading.demandLow : leading.proposal;
    point.demand_high = estimated ? leading.demandHigh : leading.proposal;
    point.value = leading.best;
    point.target = leading.targetValue;
    point.expected = leading.expected;
  }
  return point;
}

// Asks until there is an answer, or nobody wants it any more.
async function insist<T>(ask: () => Promise<T>, wanted: () => boolean, say: (trouble: string) => void): Promise<T | undefined> {
  for (let pause = retry; wanted(); pause = Math.min(2 * pause, longestRetry)) {
    try {
      const answer = await ask();
      if (!wanted()) return undefined;
      say("");
      return answer;
    } catch (error) {
      if (wanted()) say((error as Error).message);
      changed();
    }
    do {
      await new Promise((over) => setTimeout(over, pause));
    } while (state.link.state === "lost" || document.hidden);
  }
  return undefined;
}

function hearDecision(name: string, decision: Decision) {
  const memory = state.fleets.get(name);
  if (!memory || memory.decisions.some((known) => known.number === decision.number && known.t === decision.t)) return;
  memory.decisions.push(decision);
  if (memory.decisions.length > 200) memory.decisions.splice(0, 50);
  append(memory.history, decision.t, fleetPoint(memory.fleet, decision));
}

// Each time another memory, by which an answer for the one before, or for a fleet that has gone, is known to be too late.
async function rememberFleet(fleet: Fleet) {
  const before = state.fleets.get(fleet.name) ?? { history: emptyColumns(fleetColumns), decisions: [], known: false };
  const memory: FleetMemory = { ...before, fleet, trouble: "" };
  state.fleets.set(fleet.name, memory);
  const answer = await insist(
    () => Promise.all([
      get<Columns>(`${fleetPath(fleet.name)}/history`), get<Decision[]>(`${fleetPath(fleet.name)}/decisions?limit=200&pods=0`),
    ]),
    () => state.fleets.get(fleet.name) === memory, (trouble) => void (memory.trouble = trouble));
  if (!answer) return;
  const [history, decisions] = answer;
  const newest = decisions[decisions.length - 1]?.t ?? 0;
  memory.history = joined(history, memory.history);
  memory.decisions = [...decisions, ...memory.decisions.filter(({ t }) => t > newest)];
  memory.known = true;
  changed();
}

function hearFleet(fleet: Fleet) {
  const memory = state.fleets.get(fleet.name);
  if (memory) memory.fleet = fleet;
  else void rememberFleet(fleet);
}

const byRoute = (latencies: Latency[]) => new Map(latencies.map((latency) => [latency.route, latency]));

function hearTargets(message: { cycles: Cycle[]; latencies: Latency[] }) {
  state.cycles = message.cycles;
  state.latencies = byRoute(message.latencies);
}

// What came while the present state was being asked for: it may be newer than the answers. Null: that is known.
let waiting: (() => void)[] | null = [];
let turn = 0;  // of the last to ask

async function load() {
  const mine = ++turn;
  const ask = () => {
    waiting = [];
    return Promise.all([
      get<Status>("status"), get<Transport>("transport"), get<Latency[]>("latencies"), get<Columns>("history"),
      get<Fleet[]>("fleets"),
    ]);
  };
  const answers = await insist(ask, () => turn === mine, (trouble) => {
    state.trouble = trouble;
    if (trouble !== "") state.link = { state: "connecting" };
  });
  if (!answers) return;
  const [status, transport, latencies, history, fleets] = answers;
  if (state.status && (state.status.pid !== status.pid || state.status.started !== status.started)) forgetAll();
  state.status = status;
  state.latencies = byRoute(latencies);
  state.history = history;
  state.routes.clear();
  hearTransport(transport);
  for (const name of [...state.fleets.keys()]) {
    if (!fleets.some((fleet) => fleet.name === name)) state.fleets.delete(name);
  }
  for (const fleet of fleets) void rememberFleet(fleet);
  for (const id of state.routePasts.keys()) {
    const route = state.routes.get(id);
    if (route) void watchRoute(route);
  }
  live();
}

// What another process did is not the past of this one.
function forgetAll() {
  state.fleets.clear();
  for (const id of state.routePasts.keys()) {
    state.routePasts.set(id, { history: emptyColumns(connectionColumns), known: false, trouble: "" });
  }
}

function live() {
  const heard = waiting ?? [];
  waiting = null;
  for (const hear of heard) hear();
  state.link = { state: "live" };
  changed();
}

// What was being asked for is asked for again when the stream is back.
function stopAsking() {
  if (waiting) ++turn;
}

export async function watchRoute(route: { route: string; key: string }) {
  const id = idOf(route);
  const before = state.routePasts.get(id) ?? { history: emptyColumns(connectionColumns), known: false };
  const past: Past = { ...before, trouble: "" };
  state.routePasts.set(id, past);
  const answer = await insist(
    () => get<Columns>(`routes/history?route=${encodeURIComponent(route.route)}&key=${encodeURIComponent(route.key)}`),
    () => state.routePasts.get(id) === past, (trouble) => void (past.trouble = trouble));
  if (!answer) return;
  past.history = joined(answer, past.history);
  past.known = true;
  changed();
}

export function forgetRoute(route: { route: string; key: string }) {
  state.routePasts.delete(idOf(route));
}

export function start() {
  const soon = <T>(hear: (message: T) => void) => (message: T) => {
    if (waiting) waiting.push(() => hear(message));
    else hear(message);
    changed();
  };
  listen({
    hear: {
      hello: ({ resumed }: { resumed: boolean }) => {
        if (resumed && !waiting) live();
        else void load();
      },
      beat: () => {},
      status: soon((status: Status) => void (state.status = status)),
      transport: soon(hearTransport),
      "route-gone": soon((route: { route: string; key: string }) => void state.routes.delete(idOf(route))),
      targets: soon(hearTargets),
      fleet: soon(hearFleet),
      "fleet-gone": soon(({ name }: { name: string }) => void state.fleets.delete(name)),
      decision: soon(({ fleet, decision }: { fleet: string; decision: Decision }) => hearDecision(fleet, decision)),
    },
    lost: (refusal, heard) => {
      stopAsking();
      const since = state.link.state === "lost" ? state.link.since : heard / 1000;
      state.link = { state: "lost", since, refusal };
      state.trouble = "";
      changed();
    },
    paused: () => {
      stopAsking();
      if (state.link.state !== "lost") state.link = { state: "connecting" };
    },
  });
}

// So that "lost for 12 s" counts on while nothing comes.
setInterval(() => {
  if (state.link.state !== "live") changed();
}, 1000);
