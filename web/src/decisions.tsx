// The last decisions, newest first, each with its stages as sentences.
import { useState } from "preact/hooks";
import type { Decision, Stage } from "./api";
import { actionWords } from "./fleets";
import { moment, plural } from "./numbers";

const few = 6;

const stageWords: Record<string, string> = {
  demand: "The metrics", startup: "Pods that start", panic: "Panic", stabilise: "The stabilisation window", zero: "The rule for zero",
  veto: "A veto", rate: "The rate limit", drain: "The rule for draining", bounds: "The bounds", pause: "The pause",
  fallback: "The fallback", tolerance: "The tolerance",
};

function sentence(stage: Stage): string {
  const who = stageWords[stage.stage] ?? stage.stage.replace(/^./, (letter) => letter.toUpperCase()).replaceAll("_", " ");
  const what = stage.before === stage.after ? `left it at ${stage.after}` : `made ${stage.after} of ${stage.before}`;
  return `${who} ${what}${stage.reason ? `: ${stage.reason}` : ""}`;
}

function inputs(decision: Decision): string[] {
  return decision.metrics.map((metric) => {
    const missing = metric.expected > 0
      ? ` (${metric.fresh} of ${plural(metric.expected, "pod")} fresh` +
        `${metric.carried > 0 ? `, ${metric.carried} carried` : ""}${metric.missing > 0 ? `, ${metric.missing} missing` : ""})`
      : "";
    return `${metric.metric} proposed ${metric.proposal}${missing}${metric.reason ? `: ${metric.reason}` : ""}`;
  });
}

// Holding goes on for long, and is one row: the newest of its decisions, and since when it has been so.
interface Row { decision: Decision; since: number; times: number }

function rowsOf(newestFirst: Decision[]): Row[] {
  const rows: Row[] = [];
  for (const decision of newestFirst) {
    const last = rows[rows.length - 1];
    if (last && decision.action === "hold" && last.decision.action === "hold" && decision.desired === last.decision.desired) {
      last.since = decision.t;
      last.times++;
    } else {
      rows.push({ decision, since: decision.t, times: 1 });
    }
  }
  return rows;
}

export function DecisionList({ fleet, decisions }: { fleet: string; decisions: Decision[] }) {
  const [all, setAll] = useState(false);
  const [changesOnly, setChangesOnly] = useState(false);
  if (decisions.length === 0) return null;
  const wanted = rowsOf([...decisions].reverse()).filter(({ decision }) => !changesOnly || decision.action !== "hold");
  const shown = wanted.slice(0, all ? 50 : few);
  return (
    <div class="decisions">
      <div class="title">
        <h3>Last decisions</h3>
        <label class="check">
          <input type="checkbox" checked={changesOnly} onChange={(event) => setChangesOnly(event.currentTarget.checked)} />
          only changes
        </label>
      </div>
      {shown.length === 0 && <p class="muted">Nothing has changed in the decisions that are kept.</p>}
      <ol aria-label={`Decisions of ${fleet}`}>
        {shown.map(({ decision, since, times }) => (
          <li key={`${decision.number} ${decision.t}`}>
            <details>
              <summary>
                <time>{moment(decision.t)}</time>
                <span class={`action ${decision.action}`}>{actionWords(decision)}</span>
                <span class="why">
                  {decision.reason}
                  {times > 1 && <span class="muted"> · {times} times since {moment(since)}</span>}
                </span>
              </summary>
              <ol class="stages">
                {inputs(decision).map((text, i) => <li key={`metric-${i}`}>{text}.</li>)}
                {decision.stages.map((stage, i) => <li key={i}>{sentence(stage)}.</li>)}
              </ol>
            </details>
          </li>
        ))}
      </ol>
      {wanted.length > few && (
        <button type="button" class="quiet" onClick={() => setAll(!all)}>{all ? "Show fewer" : `Show ${Math.min(wanted.length, 50)}`}</button>
      )}
    </div>
  );
}
