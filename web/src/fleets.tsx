// Every fleet: what its policy sees, what it wants, and why.
import type { Decision, Fleet, Metric } from "./api";
import { Chart, type Shade, Unknown } from "./chart";
import { DecisionList } from "./decisions";
import { count, decimal, plural } from "./numbers";
import { Pods } from "./pods";
import { shownSpan } from "./rates";
import { Simulator } from "./simulator";
import { type FleetMemory, serverNow, useStore } from "./store";

export function Fleets() {
  const { fleets, transport } = useStore();
  if (!transport) return <p class="empty">Asking the process for its fleets…</p>;
  if (fleets.size === 0) {
    return (
      <p class="empty">
        No fleet is being scaled by this process. A fleet comes from <code>autoscale: fleets:</code> in its configuration; the
        autoscaler's part of the documentation begins with a policy that can be copied.
      </p>
    );
  }
  const shown = [...fleets.values()].sort((a, b) => a.fleet.name.localeCompare(b.fleet.name));
  return <>{shown.map((memory) => <FleetPanel key={memory.fleet.name} memory={memory} />)}</>;
}

const kindWords: Record<string, string> = {
  process: "processes on this machine", dry_run: "dry run: nothing is applied", webhook: "through a webhook",
};

function FleetPanel({ memory }: { memory: FleetMemory }) {
  const { fleet } = memory;
  const last = memory.decisions[memory.decisions.length - 1] ?? fleet.last;
  return (
    <section class="panel fleet" aria-label={`fleet ${fleet.name}`}>
      <div class="title">
        <h2>{fleet.name}</h2>
        <span class="chip">{kindWords[fleet.target_kind] ?? fleet.target_kind}</span>
        {fleet.compat !== "native" && <span class="chip">as {fleet.compat} would</span>}
        {fleet.paused && <span class="chip warn">paused</span>}
        {last?.panic && <span class="chip warn">panic</span>}
      </div>
      {fleet.trouble !== "" && <p class="banner" role="status">{fleet.trouble}</p>}
      <div class="fleet-facts">
        <Replicas fleet={fleet} last={last} />
        {last?.metrics.filter((metric) => metric.verdict !== "silent").slice(0, 4).map((metric) => (
          <MetricFact key={metric.metric} metric={metric} current={fleet.current} />
        ))}
        <Gaps fleet={fleet} />
      </div>
      {last && <p class="says"><span class={`action ${last.action}`}>{actionWords(last)}</span> {last.reason}</p>}
      {memory.trouble !== "" && <Unknown of={fleet.name} trouble={memory.trouble} />}
      <FleetChart memory={memory} />
      <Pods fleet={fleet} />
      <DecisionList fleet={fleet.name} decisions={memory.decisions} />
      <Simulator fleet={fleet.name} />
    </section>
  );
}

export function actionWords(decision: Decision): string {
  if (decision.action === "up") return `▲ ${decision.current} → ${decision.desired}.`;
  if (decision.action === "down") return `▼ ${decision.current} → ${decision.desired}.`;
  return `■ Holds at ${decision.desired}.`;
}

function Replicas({ fleet, last }: { fleet: Fleet; last: Decision | null | undefined }) {
  const wanted = last && last.desired !== fleet.current ? last.desired : fleet.current;
  return (
    <div class="fact">
      <strong>{count(fleet.current)}{wanted !== fleet.current && <> → {count(wanted)}</>}</strong>
      <span class="label">replicas</span>
      <span class="note">{count(fleet.ready)} ready · between {count(fleet.min)} and {count(fleet.max)}</span>
    </div>
  );
}

function MetricFact({ metric, current }: { metric: Metric; current: number }) {
  const perPod = metric.targetValue > 0 && current > 0 ? metric.best / current : Number.NaN;
  const unknown = metric.verdict === "no_data" || metric.verdict === "too_few";
  const part = perPod / metric.targetValue;
  return (
    <div class="fact">
      <strong>{unknown ? "unknown" : decimal(metric.best)}</strong>
      <span class="label">{metric.metric}</span>
      {Number.isFinite(part) && !unknown && (
        <span class="bar gauge" role="img" aria-label={`${decimal(perPod)} a replica, target ${decimal(metric.targetValue)}`}>
          <span class="part in-use" style={{ flexGrow: Math.min(part, 1.5) }} />
          <span class="part rest" style={{ flexGrow: Math.max(1.5 - part, 0) }} />
          <span class="mark" />
        </span>
      )}
      <span class="note">
        {unknown ? metric.reason
          : `${decimal(perPod)} a replica, target ${decimal(metric.targetValue)}: demand ${demand(metric)} replicas`}
      </span>
    </div>
  );
}

function demand(metric: Metric): string {
  if (metric.demandHigh <= 0) return count(metric.proposal);
  const low = decimal(metric.demandLow), high = decimal(metric.demandHigh);
  return low === high ? low : `${low} to ${high}`;
}

function Gaps({ fleet }: { fleet: Fleet }) {
  return (
    <div class="fact">
      <strong>{count(fleet.gaps_survived)}</strong>
      <span class="label">gaps survived</span>
      <span class="note">of {plural(fleet.decisions, "decision")}: {count(fleet.ups)} up, {count(fleet.downs)} down</span>
    </div>
  );
}

// Decisions with values carried or missing, joined where they follow each other.
function gapsOf(memory: FleetMemory, until: number): Shade[] {
  const { t, carried, missing } = memory.history;
  const shades: Shade[] = [];
  for (let i = 0; i < t.length; i++) {
    if (carried![i]! + missing![i]! <= 0) continue;
    const to = t[i + 1] ?? until;
    const last = shades[shades.length - 1];
    if (last && last.to === t[i]) {
      last.to = to;
    } else {
      shades.push({ from: t[i]!, to });
    }
  }
  return shades;
}

function FleetChart({ memory }: { memory: FleetMemory }) {
  const { history, fleet } = memory;
  const until = Math.max(serverNow(), history.t[history.t.length - 1] ?? 0);
  const gaps = gapsOf(memory, until);
  if (history.t.length === 0) {
    if (memory.trouble !== "") return null;
    return <p class="empty">{memory.known ? "No decision yet: the first comes after the first scrape." : "Asking what it has done…"}</p>;
  }
  // A bound far above all that happened would press it flat.
  const peak = Math.max(...history.desired!, ...history.demand_high!);
  const maxShown = fleet.max <= 3 * peak + 5;
  // What was decided last holds until now.
  const held = (name: string, now?: number) => [...history[name]!, now ?? history[name]![history.t.length - 1]!];
  return (
    <>
      <Chart label={`Replicas, bounds and demand of ${fleet.name} over the last half hour`} height={230} span={shownSpan(history)}
             until={until} whole unit={count} bands={[[2, 1]]} shades={gaps}
             lines={[
               { label: "demand, at least", colour: "violet", width: 1, format: decimal },
               { label: "at most", colour: "violet", width: 1, format: decimal },
               { label: "replicas", colour: "teal", width: 2.5, stepped: true, format: count },
               { label: "min", colour: "muted", width: 1, dash: [2, 4], stepped: true, format: count },
               { label: "max", colour: "muted", width: 1, dash: [6, 4], stepped: true, format: count },
             ]}
             data={[[...history.t, until + 0.001], held("demand_low"), held("demand_high"), held("desired"), held("min", fleet.min),
                    maxShown ? held("max", fleet.max) : [...history.t, until].map(() => null)]} />
      <p class="note chart-note">
        Demand is the metric divided by its target, in replicas: on the line of the replicas, every one carries exactly its
        target. {gaps.length > 0
          ? <><span class="hatch" aria-hidden="true" /> {gaps.length === 1 ? "One stretch" : `${count(gaps.length)} stretches`} with
              values missing or carried over; the fleet does not move on silence.</>
          : "No value was missing."}
        {!maxShown && ` The upper bound of ${count(fleet.max)} is far above this chart.`}
      </p>
    </>
  );
}
