// One route: a line of figures, and unfolded its life in words.
import { useEffect } from "preact/hooks";
import type { Route } from "./api";
import { ConnectionBar, DialBar, Reasons } from "./bars";
import { Chart, Unknown } from "./chart";
import { Life } from "./life";
import { count, decimal, duration, percent, plural, rate } from "./numbers";
import { rates, shownSpan } from "./rates";
import { Split } from "./split";
import { forgetRoute, idOf, serverNow, state, watchRoute } from "./store";
import { closingWords, dialReasons, missWords } from "./words";

interface Row { route: Route; namesake: boolean; unfolded: boolean; toggle: () => void }

export function RouteRow({ route, namesake, unfolded, toggle }: Row) {
  // The route's own, of all its requests; until there are any, that of the scrapes of the same place.
  const latency = route.latency_samples > 0 ? route : state.latencies.get(route.route);
  const inUse = route.active + route.upgraded;
  const id = `route-${idOf(route).replaceAll(" ", "-")}`;
  return (
    <div class={`route${unfolded ? " unfolded" : ""}`} role="listitem">
      <button type="button" class="route-line" aria-expanded={unfolded} aria-controls={id} onClick={toggle}>
        <span class="name">
          <span class="place">{route.route}</span>
          <span class="chips">
            {(route.protocol !== "" || route.open === 0) && <span class="chip">{route.protocol || "nothing open"}</span>}
            {namesake && <span class="chip" title="the same host, spoken to in another way: other options, TLS or proxy">{route.key.slice(0, 6)}</span>}
            {route.advice !== "" && <span class="chip advised">advice</span>}
          </span>
        </span>
        <span class="cell connections">
          <span class="sr">open</span>
          <b>{count(route.open)}</b>
          <ConnectionBar inUse={inUse} idle={route.idle} other={route.draining} />
          <small>{count(inUse)} in use · {count(route.idle)} idle</small>
        </span>
        <span class="cell queued"><CellName of="queued" /><b class={route.waiting > 0 ? "warn" : "zero"}>{count(route.waiting)}</b></span>
        <span class="cell dials">
          <span class="sr">dials</span>
          <b>{count(route.dials_started)}</b>
          <DialBar reasons={route.dials_by_reason} />
          <small>{mainReasons(route)}</small>
        </span>
        <span class="cell"><CellName of="reuse" /><b>{percent(route.reused, route.granted)}</b></span>
        <span class="cell"><CellName of="p50" />{latency ? duration(latency.p50_seconds) : "–"}</span>
        <span class="cell"><CellName of="p99" />{latency ? duration(latency.p99_seconds) : "–"}</span>
        <span class="cell"><CellName of="idle limit" />{idleLimit(route)}</span>
      </button>
      {unfolded && <div class="detail" id={id}><Detail route={route} namesake={namesake} /></div>}
    </div>
  );
}

// Where there is room the columns have a head, which no reader of a single row gets to: there it is said, not seen.
function CellName({ of }: { of: string }) {
  return <span class="cell-name">{of} </span>;
}

function mainReasons(route: Route): string {
  const reasons = Object.entries(route.dials_by_reason).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  if (reasons.length === 0) return "none yet";
  return reasons.slice(0, 2).map(([reason, n]) => `${count(n)} ${reason.replaceAll("_", " ")}`).join(" · ") +
    (reasons.length > 2 ? " · …" : "");
}

function idleLimit(route: Route): string {
  if (route.learned_idle_seconds > 0) return duration(route.learned_idle_seconds);
  return route.hinted_idle_seconds > 0 ? `${duration(route.hinted_idle_seconds)} (said)` : "–";
}

function sentences(route: Route): string[] {
  const said = [];
  said.push(route.granted === 0
    ? "No request has been carried yet."
    : `${plural(route.granted, "request")} got a connection, ${percent(route.reused, route.granted)} of them one that was ` +
      `already there: ${plural(route.dials_started, "dial")} for all of them.`);
  if (route.dials_failed > 0) said.push(`${plural(route.dials_failed, "dial")} failed.`);
  if (route.dials_unused > 0) said.push(`${plural(route.dials_unused, "connection")} closed without having carried a request.`);
  if (route.shared_open > 0) said.push(`${plural(route.shared_open, "connection")} can carry several requests at once; ${plural(route.leases, "request")} under way.`);
  if (route.upgraded > 0) said.push(`${plural(route.upgraded, "connection")} became a WebSocket and stays open.`);
  if (route.queued > 0) said.push(`${plural(route.queued, "request")} had to wait for a connection${route.queue_rejected > 0 ? `, ${count(route.queue_rejected)} found the queue full` : ""}.`);
  if (route.hinted_idle_seconds > 0) said.push(`The server says that it keeps idle ones for ${duration(route.hinted_idle_seconds)}.`);
  if (route.learned_idle_seconds > 0) said.push(`The server was seen to keep idle ones for ${duration(route.learned_idle_seconds)}; older ones are not used again.`);
  return said;
}

function Detail({ route, namesake }: { route: Route; namesake: boolean }) {
  // With the detail and not with the click: a route that goes and comes back is still unfolded.
  useEffect(() => {
    void watchRoute(route);
    return () => forgetRoute(route);
  }, [idOf(route)]);
  const { history, trouble } = state.routePasts.get(idOf(route)) ?? { history: null, trouble: "" };
  return (
    <>
      {route.advice !== "" && <p class="advice"><strong>Advice</strong> {route.advice}</p>}
      <p>{sentences(route).join(" ")}</p>
      {namesake && <Split route={route} />}
      {trouble !== "" && <Unknown of={route.route} trouble={trouble} />}
      {history && history.t.length > 1 && (
        <div class="charts">
          <div>
            <Chart label={`Connections of ${route.route} over the last half hour`} height={130} span={shownSpan(history)}
                   until={serverNow()} whole unit={count}
                   lines={[{ label: "open", colour: "blue", fill: true, format: count },
                           { label: "in use", colour: "teal", fill: true, format: count },
                           { label: "queued", colour: "amber", dash: [4, 3], format: count }]}
                   data={[history.t, history.open!, history.in_use!, history.waiting!]} />
          </div>
          <div>
            <Chart label={`Requests and dials of ${route.route} over the last half hour`} height={130} span={shownSpan(history)}
                   until={serverNow()} unit={decimal}
                   lines={[{ label: "requests / s", colour: "blue", fill: true, format: rate },
                           { label: "dials / s", colour: "coral", width: 2.25, format: rate }]}
                   data={[history.t, rates(history, "granted", 10), rates(history, "dials", 10)]} />
          </div>
        </div>
      )}
      {route.open > 0 && <Life route={route} />}
      <div class="columns">
        <div>
          <h3>Why it was dialled</h3>
          <Reasons counts={route.dials_by_reason} words={(reason) => dialReasons[reason]?.words ?? reason} empty="Never yet." />
        </div>
        <div>
          <h3>Why nothing could be reused</h3>
          <Reasons counts={Object.fromEntries(Object.entries(route.misses).filter(([reason]) => reason !== "none"))}
                   words={missWords} empty="It always could." />
        </div>
        <div>
          <h3>Why connections were closed</h3>
          <Reasons counts={route.closed_by_reason} words={closingWords} empty="None was." />
        </div>
      </div>
    </>
  );
}
