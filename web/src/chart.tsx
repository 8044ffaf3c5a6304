// uPlot in a component: it is made anew when the theme, the series or the width change, and fed when the data do.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { minute, moment } from "./numbers";
import { colour, useTheme } from "./theme";

export interface Line {
  label: string;
  colour: string;  // a custom property's name
  width?: number;
  dash?: number[];
  fill?: boolean;
  stepped?: boolean;
  format: (value: number) => string;
}

export interface Shade { from: number; to: number }

interface Properties {
  label: string;  // what a reader who cannot see it is told
  lines: Line[];
  data: (number[] | (number | null)[])[];  // the times first
  height: number;
  bands?: [number, number][];  // indices of series between which is filled
  shades?: Shade[];
  span?: number;  // seconds shown, up to `until`
  until?: number;
  unit: (value: number) => string;  // of the axis
  whole?: boolean;  // what is counted has no halves
}

const wholeSteps = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000].flatMap((power) => [power, 2 * power, 5 * power]);

const stepped = uPlot.paths.stepped!({ align: 1 });

function translucent(hex: string, alpha: number): string {
  const value = Number.parseInt(hex.slice(1), 16);
  return `rgba(${value >> 16}, ${(value >> 8) & 255}, ${value & 255}, ${alpha})`;
}

// Hatched, so that it can be seen without colour as well.
function drawShades(plot: uPlot, shades: Shade[]) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const shade of shades) {
    const left = plot.valToPos(shade.from, "x", true);
    const right = Math.max(plot.valToPos(shade.to, "x", true), left + 3 * devicePixelRatio);
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.fillStyle = translucent(colour("amber"), 0.13);
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.strokeStyle = translucent(colour("amber"), 0.5);
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    const step = 7 * devicePixelRatio;
    for (let x = left - bbox.height; x < right; x += step) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

function options(p: Properties, width: number, shades: { current: Shade[] }): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: `11px ${colour("font")}`,
  };
  return {
    width, height: p.height,
    cursor: { y: false, points: { size: 6 }, drag: { setScale: false, x: false, y: false } },
    legend: { live: true },
    padding: [10, 20, 0, 0],
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.12)] } },
    axes: [
      {
        ...axis, space: 76, size: 26,
        values: (_plot, splits, _axis, _space, step) => splits.map((t) => (step < 60 ? moment(t) : minute(t))),
      },
      { ...axis, size: 46, space: 34, incrs: p.whole ? wholeSteps : undefined, values: (_plot, splits) => splits.map(p.unit) },
    ],
    series: [
      { label: "time", value: "{HH}:{mm}:{ss}" },
      ...p.lines.map((line): uPlot.Series => ({
        label: line.label,
        stroke: colour(line.colour),
        width: line.width ?? 1.75,
        dash: line.dash,
        fill: line.fill ? translucent(colour(line.colour), 0.14) : undefined,
        paths: line.stepped ? stepped : undefined,
        points: { show: false },
        value: (_plot, value) => (value === null || value === undefined ? "–" : line.format(value)),
      })),
    ],
    bands: p.bands?.map((band) => ({ series: band, fill: translucent(colour(p.lines[band[0] - 1]!.colour), 0.2) })),
    hooks: { drawClear: [(plot) => drawShades(plot, shades.current)] },
  };
}

export function Chart(p: Properties) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shades = useRef<Shade[]>([]);
  const { shown } = useTheme();
  shades.current = p.shades ?? [];

  const feed = () => {
    const chart = plot.current;
    if (!chart) return;
    const times = p.data[0] as number[];
    const until = p.until ?? times[times.length - 1] ?? Date.now() / 1000;
    const from = p.span ? until - p.span : (times[0] ?? until - 1);
    chart.batch(() => {
      chart.setData(p.data as uPlot.AlignedData, false);
      chart.setScale("x", { min: from, max: Math.max(until, from + 1) });
    });
    // The newest values stand in the legend while nobody points at others.
    if (chart.cursor.left === undefined || chart.cursor.left < 0) chart.setLegend({ idx: times.length - 1 });
  };

  useLayoutEffect(() => {
    const element = place.current!;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(p, Math.max(element.clientWidth, 200), shades), p.data as uPlot.AlignedData, element);
      feed();
    };
    make();
    const watch = new ResizeObserver(() => {
      if (plot.current && element.clientWidth > 0 && plot.current.width !== element.clientWidth) {
        plot.current.setSize({ width: element.clientWidth, height: p.height });
      }
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shown, p.height, p.lines.map((line) => line.label).join()]);
  useEffect(feed);

  return <div class="chart" ref={place} role="img" aria-label={`${p.label}: ${newest(p)}`} />;
}

function newest({ lines, data }: Properties): string {
  return lines.map(({ label, format }, i) => {
    const values = data[i + 1]!;
    const value = values[values.length - 1];
    return `${label} ${typeof value === "number" ? format(value) : "unknown"}`;
  }).join(", ");
}

// Where there is no past to be drawn: an empty chart would say that nothing had happened.
export function Unknown({ of, trouble }: { of: string; trouble: string }) {
  return (
    <p class="banner" role="status">
      What {of} did before could not be read: {trouble}. It will be asked again.
    </p>
  );
}

// A small line without axes, for headlines.
export function Spark({ values, name }: { values: number[]; name: string }) {
  const width = 120, height = 30;
  if (values.length < 2) return <svg class="spark" viewBox={`0 0 ${width} ${height}`} aria-hidden="true" />;
  const most = Math.max(...values, 1e-9);
  const points = values.map((value, i) =>
    `${((i * width) / (values.length - 1)).toFixed(1)},${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`);
  return (
    <svg class={`spark ${name}`} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      <polygon points={`0,${height} ${points.join(" ")} ${width},${height}`} />
      <polyline points={points.join(" ")} />
    </svg>
  );
}
