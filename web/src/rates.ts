// From counts that only grow to what happens in a second.
import type { Columns } from "./api";

// Between each point and the one at least `over` seconds before it: what came to `name` by what came to `per`.
function ratios(columns: Columns, name: string, per: string, over: number): (number | null)[] {
  const { t } = columns;
  const parts = columns[name]!, wholes = columns[per]!;
  const result: (number | null)[] = [];
  let from = 0;
  for (let i = 0; i < t.length; i++) {
    while (from + 1 < i && t[from + 1]! <= t[i]! - over) from++;
    const whole = wholes[i]! - wholes[from]!;
    result.push(whole <= 0 ? null : Math.max(0, (parts[i]! - parts[from]!) / whole));
  }
  return result;
}

export const rates = (columns: Columns, name: string, over: number) => ratios(columns, name, "t", over);

// While nothing is asked for the share stays what it was: none at all would look like a loss.
export function shares(columns: Columns, name: string, of: string, over: number): number[] {
  const known = ratios(columns, name, of, over);
  let last = known.find((share) => share !== null) ?? 0;
  return known.map((share) => (last = share ?? last));
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
