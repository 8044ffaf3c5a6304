// The stream of events: open while somebody looks, and opened again when it is lost, silent or refused.
import { eventsPath, refused } from "./api";

const patience = 15_000;  // milliseconds; the process says something every ten seconds, be it a beat
const retry = 3000;
const soon = 1000;  // not at once: several pages may be waiting for one place

export interface Listener {
  hear: Record<string, (message: never) => void>;  // by the event's name
  lost: (refusal: string, heard: number) => void;  // in the process's own words, "" when it says nothing since `heard`
  paused: () => void;
}

// EventSource tells neither status nor body: the same is asked once more to read them. Null: there is room again.
async function refusal(): Promise<string | null> {
  try {
    const response = await fetch(eventsPath, { signal: AbortSignal.timeout(patience) });
    if (!response.ok) return `${response.status}, ${(await refused(response)).message}`;
    await response.body?.cancel();
    return response.headers.get("Content-Type")?.startsWith("text/event-stream") ? null : "it is no stream of events";
  } catch {
    return "";  // it is not refused, but gone
  }
}

export function listen({ hear, lost, paused }: Listener) {
  let stream: EventSource | null = null;
  let heard = 0;
  let again = 0;

  const close = () => {
    stream?.close();
    stream = null;
    clearTimeout(again);
  };
  const open = () => {
    close();
    const mine = new EventSource(eventsPath);
    stream = mine;
    heard = Date.now();
    for (const [event, tell] of Object.entries(hear)) {
      mine.addEventListener(event, (message) => {
        heard = Date.now();
        tell(JSON.parse((message as MessageEvent<string>).data) as never);
      });
    }
    mine.onerror = async () => {
      if (mine.readyState !== EventSource.CLOSED) return lost("", heard);  // the browser tries again by itself
      const why = await refusal();
      if (stream !== mine) return;
      if (why !== null) lost(why, heard);
      again = setTimeout(open, why === null ? soon : retry);
    };
  };

  // Nothing says that a link swallows everything, or that the machine has slept: only the silence does.
  setInterval(() => {
    if (stream === null || Date.now() - heard <= patience) return;
    lost("", heard);
    open();
  }, 1000);

  // A browser gives one host six connections over HTTP/1.1, and tabs that nobody looks at would hold them.
  const look = () => {
    if (!document.hidden) return open();
    close();
    paused();
  };
  document.addEventListener("visibilitychange", look);
  look();
}
