// The API as docs/API.md has it: what the page reads of it, and how it asks.

export interface Service { name: string; ready: boolean; trouble: string }
export interface Status {
  version: string; pid: number; started: number; uptime_seconds: number; ready: boolean; services: Service[];
}

export type Counts = Record<string, number>;

export interface Pool {
  dials_started: number; dials_failed: number; dials_failed_by_phase: Counts; dialing: number; dials_by_reason: Counts; dials_unused: number;
  open: number; idle: number; active: number; draining: number; upgraded: number; leases: number;
  shared_open: number; closed: number; closed_by_reason: Counts;
  granted: number; reused: number; misses: Counts; queued: number; waiting: number; queue_rejected: number;
}
export interface Route extends Pool {
  route: string; key: string; protocol: string;
  learned_idle_seconds: number; hinted_idle_seconds: number; samples: number; advice: string;
  p50_seconds: number; p99_seconds: number; latency_samples: number;
}
export interface Transport {
  t: number; requests: { started: number; completed: number; in_flight: number; retries: number; failed: Counts };
  pool: Pool; routes: Route[]; routes_left_out: number; sockets: { open: number; limit: number };
}
export interface Connection {
  id: number; route: string; key: string; protocol: string; state: string; age_seconds: number; idle_seconds: number;
  requests: number; streams: number; streams_allowed: number | null; dial_reason: string; remote: string; local: string;
  tls: string; proxy: string;
}
export interface ConnectionList { t: number; connections: Connection[]; left_out: number }
export interface OptionChange { option: string; a: string; b: string }
export interface Latency { route: string; p50_seconds: number; p99_seconds: number; samples: number }
export interface Cycle { cycle: number; fresh: number; late: number; missing: number; dials: number; reused: number }

export type Columns = { t: number[] } & Record<string, number[]>;

export interface Stage { stage: string; before: number; after: number; reason: string }
export interface Metric {
  metric: string; verdict: string; proposal: number; low: number; best: number; high: number; targetValue: number;
  demandLow: number; demandHigh: number; expected: number; fresh: number; carried: number; missing: number;
  coverage: number; reason: string;
}
export interface Decision {
  number: number; t: number; policy: string; current: number; desired: number; action: string; reason: string;
  panic: boolean; dryRun: boolean; stages: Stage[]; metrics: Metric[];
}
export interface Pod {
  name: string; state: string; input: string; reason: string; url: string; started: number | null;
  process: number; restarts: number;
}
export interface Fleet {
  name: string; target_kind: string; compat: string; current: number; ready: number; min: number; max: number;
  paused: boolean; trouble: string; decisions: number; ups: number; downs: number; gaps_survived: number;
  pods: Pod[]; pods_left_out: number; last: Decision | null;
}

export interface Score {
  replica_minutes: number; seconds_over_target: number; changes: number; flaps: number; largest_change: number;
  peak: number; decisions: number;
}
export interface Course {
  policy: string; t: number[]; demand: number[]; capacity: number[]; desired: number[]; score: Score;
  changes: { t: number; from: number; to: number; reason: string }[];
}
export interface Simulation { closed_loop: boolean; recorded: Course; simulated: Course }

const root = "/api/v1/";
export const eventsPath = `${root}events`;
const patience = 15_000;  // milliseconds; what a link swallows would be waited for without end

export async function refused(response: Response): Promise<Error> {
  const text = await response.text();
  try {
    return new Error((JSON.parse(text) as { error: string }).error);
  } catch {
    return new Error(`${response.status} ${response.statusText}`);
  }
}

export async function get<T>(path: string): Promise<T> {
  const response = await fetch(root + path, { signal: AbortSignal.timeout(patience) });
  if (!response.ok) throw await refused(response);
  return (await response.json()) as T;
}

export const fleetPath = (name: string) => `fleets/${encodeURIComponent(name)}`;

export async function policyOf(fleet: string): Promise<string> {
  const response = await fetch(`${root}${fleetPath(fleet)}/policy`);
  if (!response.ok) throw await refused(response);
  return response.text();
}

export async function simulate(fleet: string, policy: string, closedLoop: boolean): Promise<Simulation> {
  const path = `${root}${fleetPath(fleet)}/simulate?closed_loop=${closedLoop ? 1 : 0}`;
  const response = await fetch(path, { method: "POST", body: policy, headers: { "Content-Type": "application/yaml" } });
  if (!response.ok) throw await refused(response);
  return (await response.json()) as Simulation;
}
