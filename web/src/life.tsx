// The connections of one route, one by one: how old, what each has carried and why it was opened.
import { useEffect, useState } from "preact/hooks";
import { type Connection, type ConnectionList, get, type Route } from "./api";
import { count, duration, plural } from "./numbers";
import { state } from "./store";
import { connectionStates, dialReasons } from "./words";

const few = 8;  // more of them are folded away: they are often alike
const most = 100;
const askEvery = 2000;  // milliseconds

// Asked for only while somebody looks.
function useConnections(route: string, key: string): ConnectionList | null {
  const [list, setList] = useState<ConnectionList | null>(null);
  useEffect(() => {
    let gone = false, asking = false;
    const ask = async () => {
      if (asking || state.link.state === "lost" || document.hidden) return;
      asking = true;
      const query = `route=${encodeURIComponent(route)}&key=${encodeURIComponent(key)}&limit=${most}`;
      const answer = await get<ConnectionList>(`connections?${query}`).catch(() => null);
      asking = false;
      if (!gone && answer) setList(answer);
    };
    void ask();
    const timer = setInterval(() => void ask(), askEvery);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [route, key]);
  return list;
}

function doing({ state: now, idle_seconds, streams, streams_allowed }: Connection): string {
  if (now === "idle") return `idle for ${duration(idle_seconds)}`;
  const words = connectionStates[now] ?? now;
  return streams_allowed !== 1 && streams > 0 ? `${words}: ${plural(streams, "stream")}` : words;
}

function streamsOf({ protocol, streams, streams_allowed }: Connection): string {
  if (protocol === "http/1.1") return count(streams);
  return `${count(streams)} of ${streams_allowed === null ? "any number" : count(streams_allowed)}`;
}

export function Life({ route }: { route: Route }) {
  const list = useConnections(route.route, route.key);
  const [all, showAll] = useState(false);
  if (!list) return null;
  const shown = all ? list.connections : list.connections.slice(0, few);
  const folded = list.connections.length - few;
  return (
    <div class="life">
      <h3>Each connection's life</h3>
      {list.connections.length === 0 ? <p class="muted">Nothing is open to this place.</p> : (
        <table>
          <thead>
            <tr><th>now</th><th class="number">age</th><th class="number">requests</th><th class="number">streams</th><th>why it was opened</th><th>from, to</th></tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <tr key={one.id} class={one.state}>
                <td data-label="now"><span class={`state-mark ${one.state}`} aria-hidden="true" />{doing(one)}</td>
                <td class="number" data-label="age">{duration(one.age_seconds)}</td>
                <td class="number" data-label="requests">{count(one.requests)}</td>
                <td class="number" data-label="streams">{streamsOf(one)}</td>
                <td class="reason" data-label="why it was opened">
                  <span class={`key ${dialReasons[one.dial_reason]?.kind ?? "forced"}`} aria-hidden="true" />
                  {dialReasons[one.dial_reason]?.words ?? one.dial_reason}
                </td>
                <td class="ends" data-label="from, to">
                  <code>{one.local}</code> → <code>{one.remote}</code>
                  {one.tls !== "" && <small> {one.tls}</small>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {folded > 0 && (
        <p>
          <button type="button" class="quiet" aria-expanded={all} onClick={() => showAll(!all)}>
            {all ? `Show the oldest ${count(few)} only` : `Show ${count(folded)} more`}
          </button>
          {list.left_out > 0 && <span class="muted"> {plural(list.left_out, "younger connection")} not listed.</span>}
        </p>
      )}
    </div>
  );
}
