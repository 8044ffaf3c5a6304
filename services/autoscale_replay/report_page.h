// The page around the numbers of a report: style, and the script that draws. `DATA` and `TITLE` are put in their places.
#pragma once

namespace trunkline::autoscale {

inline constexpr char report_page[] = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>@TITLE@</title>
<style>
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #fff; --ink: #1d2430; --soft: #667085; --line: #e4e4de;
  --demand: #d9480f; --wanted: #1c5fd4; --capacity: #1c5fd41f; --over: #d9480f26; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --card: #1b1f26; --ink: #e6e8ec; --soft: #98a1b2;
  --line: #2c323c; --demand: #ff8a4c; --wanted: #7ab0ff; --capacity: #7ab0ff26; --over: #ff8a4c33; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; font-weight: 650; letter-spacing: -.01em; margin: 0; }
header p { margin: .25rem 0 2rem; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.25rem; margin: 0 0 1.25rem; }
h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .4rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; font-size: .85rem; }
th:first-child, td:first-child, .text { text-align: left; }
tr:last-child td { border-bottom: 0; }
td.best { color: var(--wanted); font-weight: 650; }
.legend { display: flex; flex-wrap: wrap; gap: 1.1rem; color: var(--soft); font-size: .85rem; margin-bottom: .25rem; }
.legend i { display: inline-block; width: 1.1rem; height: .7rem; margin-right: .4rem; border-radius: 2px; vertical-align: -1px; }
svg { display: block; width: 100%; height: 17rem; touch-action: pan-y; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--line); } .demand { fill: none; stroke: var(--demand); stroke-width: 1.75; }
.wanted { fill: none; stroke: var(--wanted); stroke-width: 1.75; } .capacity { fill: var(--capacity); } .over { fill: var(--over); }
.cursor { stroke: var(--soft); stroke-dasharray: 3 3; visibility: hidden; }
.said { min-height: 1.5rem; font-variant-numeric: tabular-nums; color: var(--soft); } .said b { color: var(--ink); font-weight: 600; }
details summary { cursor: pointer; color: var(--soft); } details[open] summary { margin-bottom: .5rem; }
</style>
</head>
<body>
<header><h1>@TITLE@</h1><p id="about"></p></header>
<section><h2>Side by side</h2><div class="scroll"><table id="scores"></table></div></section>
<main id="courses"></main>
<script>
"use strict";
const data = @DATA@;
const make = (tag, text, cls) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (cls) e.className = cls; return e; };
const draw = (tag, attributes) => { const e = document.createElementNS("http://www.w3.org/2000/svg", tag); for (const k in attributes) e.setAttribute(k, attributes[k]); return e; };
const two = n => String(n).padStart(2, "0");
const clock = s => Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(Math.floor(s % 60));
const columns = [["replica-minutes", "replicaMinutes", v => v.toFixed(1)], ["over target", "secondsOverTarget", v => v.toFixed(0) + " s"],
  ["changes", "changes", String], ["flaps", "flaps", String], ["largest change", "largestChange", String], ["peak", "peak", String]];

function scores() {
  const table = document.getElementById("scores"), head = table.createTHead().insertRow(), body = table.createTBody();
  for (const title of ["policy", ...columns.map(c => c[0])]) head.append(make("th", title));
  for (const course of data) {
    const row = body.insertRow();
    row.append(make("td", course.policy));
    for (const [, key, show] of columns) {
      const all = data.map(c => c.score[key]), best = Math.min(...all) === course.score[key] && Math.max(...all) !== course.score[key];
      row.append(make("td", show(course.score[key]), best ? "best" : ""));
    }
  }
}

const W = 1000, H = 270, left = 38, right = 8, top_ = 10, bottom = 24;
function chart(course, highest) {
  const m = course.moments, end = m.length ? m[m.length - 1].t || 1 : 1;
  const x = t => left + (W - left - right) * t / end, y = v => H - bottom - (H - top_ - bottom) * v / highest;
  const svg = draw("svg", { viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img", "aria-label": "demand, replicas and capacity over time" });
  const step = Math.max(1, Math.ceil(highest / 5));
  for (let v = 0; v <= highest; v += step) {
    svg.append(draw("line", { x1: left, x2: W - right, y1: y(v), y2: y(v), class: "grid", "vector-effect": "non-scaling-stroke" }));
    const label = draw("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }); label.textContent = v; svg.append(label);
  }
  for (let i = 0; i <= 6; ++i) {
    const label = draw("text", { x: x(end * i / 6), y: H - 6, "text-anchor": i === 0 ? "start" : i === 6 ? "end" : "middle" });
    label.textContent = clock(end * i / 6); svg.append(label);
  }
  // Replicas and capacity stay as they are until the next moment.
  const stairs = key => m.map((p, i) => (i ? `H${x(p.t)}V` : `M${x(p.t)},`) + y(p[key])).join("");
  if (m.length) {
    svg.append(draw("path", { d: stairs("capacity") + `H${x(end)}V${y(0)}H${x(m[0].t)}Z`, class: "capacity" }));
    m.forEach((p, i) => { if (p.demand > p.capacity + 1e-9) svg.append(draw("rect", { class: "over", x: x(p.t), y: top_, height: H - top_ - bottom, width: Math.max(1, x(i + 1 < m.length ? m[i + 1].t : end) - x(p.t)) })); });
    svg.append(draw("path", { d: stairs("desired"), class: "wanted", "vector-effect": "non-scaling-stroke" }));
    svg.append(draw("path", { d: m.map((p, i) => (i ? "L" : "M") + x(p.t) + "," + y(p.demand)).join(""), class: "demand", "vector-effect": "non-scaling-stroke" }));
  }
  const cursor = draw("line", { y1: top_, y2: H - bottom, class: "cursor", "vector-effect": "non-scaling-stroke" });
  svg.append(cursor);
  const said = make("div", "Point at the chart.", "said");
  svg.addEventListener("pointermove", event => {
    if (!m.length) return;
    const box = svg.getBoundingClientRect(), t = ((event.clientX - box.left) / box.width * W - left) / (W - left - right) * end;
    let at = 0; while (at + 1 < m.length && m[at + 1].t <= t) ++at;
    const p = m[at];
    cursor.setAttribute("x1", x(p.t)); cursor.setAttribute("x2", x(p.t)); cursor.style.visibility = "visible";
    said.replaceChildren(make("b", clock(p.t)), ` demand ${p.demand.toFixed(2)}, capacity ${p.capacity}, `, make("b", `${p.current} \u2192 ${p.desired}`), ` ${p.reason}`);
  });
  return [svg, said];
}

function changes(course) {
  const all = make("details"), table = make("table"), wrap = make("div", undefined, "scroll");
  const rows = course.moments.filter(p => p.desired !== p.current);
  all.append(make("summary", rows.length + " decisions to change"), wrap); wrap.append(table);
  const head = table.createTHead().insertRow(), body = table.createTBody();
  for (const title of ["time", "demand", "capacity", "from", "to", "why"]) head.append(make("th", title, title === "why" ? "text" : ""));
  for (const p of rows.slice(0, 1000)) {
    const row = body.insertRow();
    for (const text of [clock(p.t), p.demand.toFixed(2), p.capacity, p.current, p.desired]) row.append(make("td", text));
    row.append(make("td", (p.panic ? "panic: " : "") + p.reason, "text"));
  }
  return all;
}

const highest = Math.max(1, ...data.map(c => c.moments.reduce((most, p) => Math.max(most, p.demand, p.capacity, p.desired), 0))) * 1.08;
document.getElementById("about").textContent = data.map(c => `${c.policy}: ${c.score.decisions} decisions`).join(" \u00b7 ");
scores();
for (const course of data) {
  const section = make("section"), legend = make("div", undefined, "legend");
  for (const [name, colour] of [["demand", "--demand"], ["replicas wanted", "--wanted"], ["capacity", "--capacity"], ["over target", "--over"]]) {
    const entry = make("span"), swatch = make("i"); swatch.style.background = `var(${colour})`; entry.append(swatch, name); legend.append(entry);
  }
  section.append(make("h2", course.policy), legend, ...chart(course, highest), changes(course));
  document.getElementById("courses").append(section);
}
</script>
</body>
</html>
)page";

}  // namespace trunkline::autoscale
