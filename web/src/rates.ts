// From counts that only grow to what happens in a second.
import type { Columns } from "./api";

// Between each point and the one at least `over` seconds before it.
export function rates(columns: Columns, name: string, over: number): (number | null)[] {
  const { t } = columns;
  const counts = columns[name]!;
  const result: (number | null)[] = [];
  let from = 0;
  for (let i = 0; i < t.length; i++) {
    while (from + 1 < i && t[from + 1]! <= t[i]! - over) from++;
    const seconds = t[i]! - t[from]!;
    result.push(i === 0 || seconds <= 0 ? null : Math.max(0, (counts[i]! - counts[from]!) / seconds));
  }
  return result;
}

export function lastRate(columns: Columns, name: string, over: number): number {
  const { t } = columns;
  const counts = columns[name]!;
  const last = t.length - 1;
  if (last < 1) return Number.NaN;
  let from = last - 1;
  while (from > 0 && t[from]! > t[last]! - over) from--;
  return Math.max(0, (counts[last]! - counts[from]!) / (t[last]! - t[from]!));
}

// A chart begins with what there is, so that a young process does not show an empty half hour.
export function shownSpan(columns: Columns): number {
  const { t } = columns;
  const there = t.length > 0 ? t[t.length - 1]! - t[0]! : 0;
  return Math.min(1800, Math.max(60, Math.ceil(there / 60) * 60));
}

// The newest `points` values, for a small line.
export const tail = (values: (number | null)[], points: number) => values.slice(-points).map((value) => value ?? 0);
