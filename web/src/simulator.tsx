// What would an edited policy have done? The recorded past goes through the engine again, on the server.
import { useState } from "preact/hooks";
import { type Course, policyOf, simulate, type Simulation } from "./api";
import { Chart } from "./chart";
import { count, decimal, moment, span } from "./numbers";

type Result = { simulation: Simulation } | { error: string } | null;

export function Simulator({ fleet }: { fleet: string }) {
  const [policy, setPolicy] = useState("");
  const [asked, setAsked] = useState(false);
  const [closedLoop, setClosedLoop] = useState(true);
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<Result>(null);

  const open = async (event: { currentTarget: HTMLDetailsElement }) => {
    if (!event.currentTarget.open || asked) return;
    setAsked(true);
    try {
      setPolicy(await policyOf(fleet));
    } catch (error) {
      setResult({ error: (error as Error).message });
    }
  };
  const replay = async () => {
    setBusy(true);
    try {
      setResult({ simulation: await simulate(fleet, policy, closedLoop) });
    } catch (error) {
      setResult({ error: (error as Error).message });
    }
    setBusy(false);
  };
  return (
    <details class="simulator" onToggle={(event) => void open(event)}>
      <summary>What would another policy have done?</summary>
      <div class="simulator-body">
        <div>
          <label for={`policy-${fleet}`}>Edit the policy. Nothing that runs is touched.</label>
          <textarea id={`policy-${fleet}`} value={policy} spellcheck={false} rows={18}
                    onInput={(event) => setPolicy(event.currentTarget.value)} />
          <label class="check">
            <input type="checkbox" checked={closedLoop} onChange={(event) => setClosedLoop(event.currentTarget.checked)} />
            each decision starts from what this policy asked for before
          </label>
          <p>
            <button type="button" disabled={busy || policy === ""} onClick={() => void replay()}>
              {busy ? "Replaying…" : "Replay the recorded past"}
            </button>
          </p>
        </div>
        <div aria-live="polite">
          {result === null && <p class="muted">Both courses, that which was and that which this policy takes, will show here.</p>}
          {result !== null && "error" in result && <pre class="error" role="alert">{result.error}</pre>}
          {result !== null && "simulation" in result && <Outcome simulation={result.simulation} />}
        </div>
      </div>
    </details>
  );
}

const rows: { name: string; of: (course: Course) => string }[] = [
  { name: "replica minutes", of: ({ score }) => decimal(score.replica_minutes) },
  { name: "time over target", of: ({ score }) => span(score.seconds_over_target) },
  { name: "changes", of: ({ score }) => count(score.changes) },
  { name: "changes back within ten minutes", of: ({ score }) => count(score.flaps) },
  { name: "largest change", of: ({ score }) => count(score.largest_change) },
  { name: "peak", of: ({ score }) => count(score.peak) },
];

function Outcome({ simulation }: { simulation: Simulation }) {
  const { recorded, simulated } = simulation;
  const last = recorded.t[recorded.t.length - 1] ?? 0;
  return (
    <>
      <Chart label="Replicas as they were and as this policy would have had them" height={200} whole unit={count}
             span={Math.max(60, last - (recorded.t[0] ?? last))} until={last}
             lines={[
               { label: "demand", colour: "violet", width: 1, fill: true, format: decimal },
               { label: "as it was", colour: "muted", width: 2, dash: [5, 4], stepped: true, format: count },
               { label: "with this policy", colour: "teal", width: 2.5, stepped: true, format: count },
             ]}
             data={[recorded.t, simulated.demand, recorded.desired, simulated.desired]} />
      <table class="scores">
        <thead><tr><th scope="col"><span class="sr">figure</span></th><th scope="col">as it was</th><th scope="col">with this policy</th></tr></thead>
        <tbody>
          {rows.map(({ name, of }) => (
            <tr key={name}><th scope="row">{name}</th><td>{of(recorded)}</td><td>{of(simulated)}</td></tr>
          ))}
        </tbody>
      </table>
      {simulated.changes.length === 0 ? <p class="muted">This policy would have changed nothing.</p> : (
        <ol class="changes" reversed>
          {[...simulated.changes].reverse().slice(0, 8).map((change) => (
            <li key={change.t}><time>{moment(change.t)}</time> {change.from} → {change.to}: {change.reason}</li>
          ))}
        </ol>
      )}
    </>
  );
}
