// Every route: what is open, why it was opened, and how much of it was used again.
import { useState } from "preact/hooks";
import type { Cycle, Route } from "./api";
import { Chart, Spark } from "./chart";
import { count, decimal, percent, plural, rate } from "./numbers";
import { lastRate, rates, shares, shownSpan, tail } from "./rates";
import { RouteRow } from "./route";
import { idOf, serverNow, state, useStore } from "./store";
import { kinds } from "./words";

function Headline() {
  const { transport, history } = state;
  if (!transport) return null;
  const { pool } = transport;
  const figures = [
    { name: "open", label: "open sockets", value: count(pool.open),
      note: transport.sockets.limit > 0 ? `this process may have ${count(transport.sockets.limit)}` : "", values: tail(history.open!, 300) },
    { name: "reuse", label: "of requests reused a connection", value: percent(pool.reused, pool.granted),
      note: pool.granted === 0 ? "no request yet" : `${count(pool.granted - pool.reused)} of ${count(pool.granted)} needed a new one`,
      values: tail(shares(history, "reused", "granted", 10), 300) },
    { name: "dials", label: "dials a second", value: rate(lastRate(history, "dials", 10)),
      note: `${count(pool.dials_started)} since the start, ${count(pool.dials_failed)} failed`,
      values: tail(rates(history, "dials", 10), 300) },
    { name: "requests", label: "requests a second", value: rate(lastRate(history, "granted", 10)),
      note: pool.waiting > 0 ? `${plural(pool.waiting, "request")} waiting now` : "nothing waits", values: tail(rates(history, "granted", 10), 300) },
  ];
  return (
    <section class="headline" aria-label="All routes together">
      {figures.map((figure) => (
        <div key={figure.name} class={`figure ${figure.name}`}>
          <strong>{figure.value}</strong>
          <span class="label">{figure.label}</span>
          <Spark values={figure.values} name={figure.name} />
          <span class="note">{figure.note}</span>
        </div>
      ))}
    </section>
  );
}

// How the last scrapes went, where something is scraped.
function Scrapes() {
  const { cycles } = state;
  if (cycles.length === 0) return null;
  const sum = (of: (cycle: Cycle) => number) => cycles.reduce((all, cycle) => all + of(cycle), 0);
  const missing = sum((cycle) => cycle.missing);
  return (
    <p class="scrapes">
      <strong>Last scrape.</strong> {plural(sum((cycle) => cycle.fresh + cycle.late), "target")} answered,{" "}
      {missing === 0 ? "none is missing" : <span class="warn">{count(missing)} missing</span>}; {count(sum((cycle) => cycle.reused))}{" "}
      on connections that were there, {plural(sum((cycle) => cycle.dials), "dial")}.
    </p>
  );
}

function Course() {
  const { history } = state;
  const until = Math.max(serverNow(), history.t[history.t.length - 1] ?? 0);
  const shared = { span: shownSpan(history), until, height: 170 };
  return (
    <section class="charts">
      <div class="panel">
        <h2>Requests and dials</h2>
        <Chart {...shared} label="Requests and dials a second over the last half hour" unit={decimal}
               lines={[{ label: "requests / s", colour: "blue", fill: true, format: rate },
                       { label: "dials / s", colour: "coral", width: 2.25, format: rate }]}
               data={[history.t, rates(history, "granted", 10), rates(history, "dials", 10)]} />
      </div>
      <div class="panel">
        <h2>Connections</h2>
        <Chart {...shared} label="Open and used connections over the last half hour" whole unit={count}
               lines={[{ label: "open", colour: "blue", fill: true, format: count },
                       { label: "in use", colour: "teal", fill: true, format: count },
                       { label: "queued", colour: "amber", dash: [4, 3], format: count }]}
               data={[history.t, history.open!, history.in_use!, history.waiting!]} />
      </div>
    </section>
  );
}

const few = 3;  // routes to which nothing is open: more of them are folded away

const orders = {
  busiest: { words: "busiest first", by: (route: { granted: number }) => -route.granted },
  dials: { words: "most dials first", by: (route: { dials_started: number }) => -route.dials_started },
  open: { words: "most open first", by: (route: { open: number }) => -route.open },
};

export function Connections() {
  const { transport, routes } = useStore();
  const [unfolded, setUnfolded] = useState(new Set<string>());
  const [allShown, showAll] = useState(false);
  const [order, setOrder] = useState<keyof typeof orders>("busiest");
  if (!transport) return <p class="empty">Asking the process what it has open…</p>;

  const toggle = (id: string) => {
    const next = new Set(unfolded);
    if (!next.delete(id)) next.add(id);
    setUnfolded(next);
  };
  // Places to which nothing is open, such as pods that have gone, come behind all others.
  const rest = (route: Route) => (route.open + route.waiting > 0 ? 0 : 1);
  const listed = [...routes.values()].sort((a, b) =>
    rest(a) - rest(b) || orders[order].by(a) - orders[order].by(b) || a.route.localeCompare(b.route));
  const closed = listed.filter((route) => rest(route) === 1).length;
  const folded = closed > few && closed < listed.length && !allShown ? closed : 0;
  const shown = listed.slice(0, listed.length - folded);
  const names = new Map<string, number>();
  for (const { route } of listed) names.set(route, (names.get(route) ?? 0) + 1);
  return (
    <>
      <Headline />
      <Scrapes />
      <Course />
      <section>
        <div class="title">
          <h2>{shown.length === 0 ? "Routes" : plural(listed.length + transport.routes_left_out, "route")}</h2>
          {shown.length > 1 && (
            <label class="order">
              <span class="sr">Order</span>
              <select value={order} onChange={(event) => setOrder(event.currentTarget.value as keyof typeof orders)}>
                {Object.entries(orders).map(([name, { words }]) => <option key={name} value={name}>{words}</option>)}
              </select>
            </label>
          )}
        </div>
        {shown.length === 0 ? (
          <p class="empty">
            No connection has been opened yet. The first request through this process's transport will show here, with the
            reason for its dial.
          </p>
        ) : (
          <div class="routes" role="list">
            <div class="route-head" aria-hidden="true">
              <span>route</span><span>open</span><span>queued</span><span>dials, by reason</span><span>reuse</span>
              <span>p50</span><span>p99</span><span>idle limit</span>
            </div>
            {shown.map((route) => (
              <RouteRow key={idOf(route)} route={route} namesake={names.get(route.route)! > 1} unfolded={unfolded.has(idOf(route))}
                        toggle={() => toggle(idOf(route))} />
            ))}
          </div>
        )}
        {(folded > 0 || (allShown && closed > few)) && (
          <button type="button" class="quiet" aria-expanded={allShown} onClick={() => showAll(!allShown)}>
            {allShown ? "Hide those to which nothing is open" : `Show ${count(folded)} more, to which nothing is open`}
          </button>
        )}
        {shown.length > 0 && (
          <p class="kinds">
            <span>Why connections were dialled:</span>
            {kinds.map(({ kind, label }) => <span key={kind}><span class={`key ${kind}`} aria-hidden="true" />{label}</span>)}
          </p>
        )}
        {transport.routes_left_out > 0 && (
          <p class="muted">{plural(transport.routes_left_out, "less busy route")} not listed.</p>
        )}
      </section>
    </>
  );
}
