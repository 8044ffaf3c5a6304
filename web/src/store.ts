// All that the page knows, kept up to date by the stream of events. Views are drawn at most once a frame.
import { useEffect, useState } from "preact/hooks";
import {
  type Columns, type Cycle, type Decision, type Fleet, type Latency, type Route, type Status, type Transport, fleetPath, get,
} from "./api";

export type Link = { state: "connecting" } | { state: "live" } | { state: "lost"; since: number };

export interface FleetMemory { fleet: Fleet; history: Columns; decisions: Decision[] }

const longest = 1800;  // seconds of history, as the server keeps

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

// One key stands for every host that is spoken to alike, and one host may be spoken to in several ways.
export const idOf = (route: { route: string; key: string }) => `${route.route} ${route.key}`;

export const state = {
  link: { state: "connecting" } as Link,
  trouble: "",
  status: null as Status | null,
  transport: null as Transport | null,
  routes: new Map<string, Route>(),
  routeHistories: new Map<string, Columns>(),  // of the routes that are unfolded
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
  for (const [id, columns] of state.routeHistories) {
    const route = state.routes.get(id);
    if (route) append(columns, transport.t, pointOf(route));
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

const decisionTime = (decision: Decision) => decision.t;

function hearDecision(name: string, decision: Decision) {
  const memory = state.fleets.get(name);
  if (!memory || memory.decisions.some((known) => known.number === decision.number)) return;
  memory.decisions.push(decision);
  if (memory.decisions.length > 200) memory.decisions.splice(0, 50);
  append(memory.history, decisionTime(decision), fleetPoint(memory.fleet, decision));
}

async function hearFleet(fleet: Fleet) {
  const memory = state.fleets.get(fleet.name);
  if (memory) {
    memory.fleet = fleet;
    return;
  }
  const [history, decisions] = await Promise.all([
    get<Columns>(`${fleetPath(fleet.name)}/history`).catch(() => emptyColumns(fleetColumns)),
    get<Decision[]>(`${fleetPath(fleet.name)}/decisions?limit=50&pods=0`).catch(() => []),
  ]);
  state.fleets.set(fleet.name, { fleet, history, decisions });
}

function hearTargets(message: { cycles: Cycle[]; latencies: Latency[] }) {
  state.cycles = message.cycles;
  for (const latency of message.latencies) state.latencies.set(latency.route, latency);
}

async function load() {
  const [status, transport, latencies, history, fleets] = await Promise.all([
    get<Status>("status"), get<Transport>("transport"), get<Latency[]>("latencies"), get<Columns>("history"),
    get<Fleet[]>("fleets"),
  ]);
  state.status = status;
  state.routes.clear();
  state.history = history;
  for (const latency of latencies) state.latencies.set(latency.route, latency);
  hearTransport(transport);
  state.fleets.clear();
  await Promise.all(fleets.map(hearFleet));
  await Promise.all([...state.routeHistories.keys()].map(watchRoute));
  state.trouble = "";
  changed();
}

export async function watchRoute(id: string) {
  const route = state.routes.get(id);
  if (!route) return;
  try {
    const query = `route=${encodeURIComponent(route.route)}&key=${encodeURIComponent(route.key)}`;
    state.routeHistories.set(id, await get<Columns>(`routes/history?${query}`));
  } catch {
    state.routeHistories.set(id, emptyColumns(connectionColumns));
  }
  changed();
}

export function forgetRoute(id: string) {
  state.routeHistories.delete(id);
}

export function start() {
  const stream = new EventSource("/api/v1/events");
  const on = <T>(event: string, hear: (message: T) => void | Promise<void>) =>
    stream.addEventListener(event, (message) => {
      void Promise.resolve(hear(JSON.parse((message as MessageEvent<string>).data) as T)).finally(changed);
    });
  on<{ resumed: boolean }>("hello", async ({ resumed }) => {
    if (!resumed || state.transport === null) {
      try {
        await load();
      } catch (error) {
        state.trouble = (error as Error).message;
      }
    }
    state.link = { state: "live" };
  });
  on<Status>("status", (status) => void (state.status = status));
  on<Transport>("transport", hearTransport);
  on<{ route: string; key: string }>("route-gone", (route) => {
    state.routes.delete(idOf(route));
    forgetRoute(idOf(route));
  });
  on<{ cycles: Cycle[]; latencies: Latency[] }>("targets", hearTargets);
  on<Fleet>("fleet", hearFleet);
  on<{ name: string }>("fleet-gone", ({ name }) => void state.fleets.delete(name));
  on<{ fleet: string; decision: Decision }>("decision", ({ fleet, decision }) => hearDecision(fleet, decision));
  stream.onerror = () => {
    if (state.link.state !== "lost") state.link = { state: "lost", since: Date.now() / 1000 };
    // Refused for good, with a status that is no 200: browsers do not try again by themselves then.
    if (stream.readyState === EventSource.CLOSED) {
      stream.close();
      setTimeout(start, 3000);
    }
    changed();
  };
  if (state.link.state === "connecting") changed();
}

// So that "lost for 12 s" counts on while nothing comes.
setInterval(() => {
  if (state.link.state !== "live") changed();
}, 1000);
