// Numbers, durations and moments as people read them; widths stay calm under tabular figures.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function count(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) < 100_000) return whole.format(value);
  if (Math.abs(value) < 10_000_000) return `${whole.format(value / 1000)} k`;
  return `${whole.format(value / 1_000_000)} M`;
}

export function rate(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  if (value < 0.1) return value.toFixed(2);
  return value < 10 ? value.toFixed(1) : count(value);
}

export function decimal(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return Math.abs(value) >= 1000 || Number.isInteger(value) ? count(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

// 99.97 % must not become 100 %.
export function percent(part: number, all: number): string {
  if (all <= 0) return "–";
  const value = (100 * part) / all;
  if (part === all) return "100 %";
  return value >= 99 ? `${(Math.floor(value * 100) / 100).toFixed(2)} %` : `${value.toFixed(1)} %`;
}

export function duration(seconds: number): string {
  if (seconds < 0.001) return `${whole.format(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return span(seconds);
}

export function span(seconds: number): string {
  const s = Math.floor(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
export const minute = (t: number) => hours.format(new Date(t * 1000));
export const moment = (t: number) => clock.format(new Date(t * 1000));

export const plural = (n: number, noun: string) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
