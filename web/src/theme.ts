// Light, dark, or as the system is: the choice is kept in this browser.
import { useEffect, useState } from "preact/hooks";

export type Theme = "auto" | "light" | "dark";
const themes: Theme[] = ["auto", "light", "dark"];
const place = "trunkline-theme";

function saved(): Theme {
  try {
    const text = localStorage.getItem(place) as Theme | null;
    return text && themes.includes(text) ? text : "auto";
  } catch {
    return "auto";  // storage may be forbidden
  }
}

const system = matchMedia("(prefers-color-scheme: dark)");
let theme = saved();
const listeners = new Set<() => void>();

function apply() {
  const dark = theme === "dark" || (theme === "auto" && system.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  for (const listener of listeners) listener();
}
system.addEventListener("change", apply);
apply();

export function choose(next: Theme) {
  theme = next;
  try {
    localStorage.setItem(place, next);
  } catch {
    // then it lasts as long as the page
  }
  apply();
}

// The choice, and what it comes to now: charts draw with the colours of the latter.
export function useTheme() {
  const [, draw] = useState(0);
  useEffect(() => {
    const listener = () => draw((n) => n + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return { choice: theme, shown: document.documentElement.dataset.theme as "light" | "dark" };
}

export const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
