// Stacked bars: what a whole is made of. Each part has its own hatching besides its colour, and its number in words.
import type { Counts } from "./api";
import { count } from "./numbers";
import { dialReasons, kinds } from "./words";

export function DialBar({ reasons }: { reasons: Counts }) {
  const sums = kinds.map(({ kind, label }) => ({
    kind, label,
    sum: Object.entries(reasons).reduce((all, [reason, n]) => (dialReasons[reason]?.kind === kind ? all + n : all), 0),
  }));
  const all = sums.reduce((total, { sum }) => total + sum, 0);
  const words = sums.filter(({ sum }) => sum > 0).map(({ label, sum }) => `${count(sum)} ${label}`).join(", ");
  return (
    <span class="bar" role="img" aria-label={all === 0 ? "no dials" : `dials: ${words}`} title={words}>
      {sums.map(({ kind, sum }) => sum > 0 && <span key={kind} class={`part ${kind}`} style={{ flexGrow: sum }} />)}
    </span>
  );
}

export function ConnectionBar({ inUse, idle, other }: { inUse: number; idle: number; other: number }) {
  const words = `${count(inUse)} in use, ${count(idle)} idle${other > 0 ? `, ${count(other)} closing` : ""}`;
  return (
    <span class="bar" role="img" aria-label={words} title={words}>
      {inUse > 0 && <span class="part in-use" style={{ flexGrow: inUse }} />}
      {idle > 0 && <span class="part idle" style={{ flexGrow: idle }} />}
      {other > 0 && <span class="part other" style={{ flexGrow: other }} />}
    </span>
  );
}

// Reasons with their numbers, the largest first; those that never happened are left out.
export function Reasons({ counts, words, empty }: { counts: Counts; words: (reason: string) => string; empty: string }) {
  const there = Object.entries(counts).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  if (there.length === 0) return <p class="muted">{empty}</p>;
  return (
    <dl class="reasons">
      {there.map(([reason, n]) => (
        <div key={reason}>
          <dt>{count(n)}</dt>
          <dd>
            {dialReasons[reason] && <span class={`key ${dialReasons[reason].kind}`} aria-hidden="true" />}
            {words(reason)} <code>{reason}</code>
          </dd>
        </div>
      ))}
    </dl>
  );
}
