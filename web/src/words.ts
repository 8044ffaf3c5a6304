// What the closed sets of reasons mean, in words, and which belong together on a bar.

export type Kind = "first" | "growth" | "policy" | "peer" | "broken" | "forced";

export const kinds: { kind: Kind; label: string }[] = [
  { kind: "first", label: "first" },
  { kind: "growth", label: "more at once" },
  { kind: "policy", label: "our own limits" },
  { kind: "peer", label: "peer closed" },
  { kind: "broken", label: "failed" },
  { kind: "forced", label: "asked for" },
];

export const dialReasons: Record<string, { kind: Kind; words: string }> = {
  first: { kind: "first", words: "nothing was open to this place yet" },
  busy: { kind: "growth", words: "all that were open carried requests" },
  streams_full: { kind: "growth", words: "all that were open carried as many requests as the peer permits" },
  expired: { kind: "policy", words: "the last idle one had been idle for too long" },
  evicted: { kind: "policy", words: "the last idle one went because of an idle limit" },
  aged: { kind: "policy", words: "the last one was too old, or had carried its share" },
  peer_closed: { kind: "peer", words: "the peer closed what was idle" },
  draining: { kind: "peer", words: "the last one was being closed on the peer's or the caller's word" },
  failed: { kind: "broken", words: "the last one broke" },
  forced: { kind: "forced", words: "the request asked for a connection of its own" },
};

export const connectionStates: Record<string, string> = {
  idle: "idle", active: "in use", retiring: "in use for the last time", upgraded: "a WebSocket", draining: "being closed",
};

const closings: Record<string, string> = {
  peer_closed_idle: "the peer closed it while idle",
  stray_bytes: "the peer spoke while it was idle",
  idle_timeout: "idle for too long",
  learned_idle: "about as old as this server lets idle ones become",
  max_age: "old enough",
  max_requests: "carried its share of requests",
  evicted_host: "more idle than one host may have",
  evicted_total: "more idle than all may have, or the machine needed the socket",
  connection_close: "either side said Connection: close",
  early_body_close: "the caller dropped a body too long to drain",
  request_failed: "an error under a request",
  request_timeout: "a request ran out of time",
  cancelled: "a request was cancelled",
  parse_error: "the peer's bytes were not HTTP",
  upgraded: "became a WebSocket, which then ended",
  invalidated: "invalidated by the caller",
  shutdown: "its transport ended",
  stale_suspect: "as old as one that turned out dead",
  goaway: "the HTTP/2 peer asked for it",
  streams_exhausted: "every HTTP/2 stream id was used",
  ping_timeout: "the HTTP/2 peer did not answer a PING",
  protocol_error: "the HTTP/2 peer broke the protocol",
};
export const closingWords = (reason: string) => closings[reason] ?? reason.replaceAll("_", " ");

const missings: Record<string, string> = {
  first_for_key: "there had been none",
  all_busy: "all were busy",
  idle_expired: "idle for too long",
  learned_idle: "idle for longer than this server keeps them",
  evicted: "evicted by an idle limit",
  peer_closed: "the peer had closed it",
  max_age: "too old",
  max_requests: "had carried its share",
  draining: "being closed",
  broken: "an error ended the last one",
  stale_on_write: "died under the request, which was sent again",
  forced: "a new one was asked for",
  streams_full: "the peer permitted no more at once",
};
export const missWords = (reason: string) => missings[reason] ?? reason.replaceAll("_", " ");

// A pod is shown by what its last input was, unless it is on its way in or out.
export type PodLook = "fresh" | "carried" | "missing" | "starting" | "draining" | "excluded";
export const podLooks: { look: PodLook; mark: string; words: string }[] = [
  { look: "fresh", mark: "●", words: "its value was read" },
  { look: "carried", mark: "◐", words: "not read this time; its last value stands in" },
  { look: "missing", mark: "?", words: "nothing is known of its load" },
  { look: "starting", mark: "▲", words: "on its way in: no load, no capacity yet" },
  { look: "draining", mark: "▼", words: "on its way out: its load still counts" },
  { look: "excluded", mark: "✕", words: "no part of the decision" },
];

export function lookOf(pod: { state: string; input: string }): PodLook {
  if (pod.state === "terminating") return "draining";
  if (pod.state === "starting") return "starting";
  if (pod.state === "missing" || pod.state === "unready") return pod.input === "carried" ? "carried" : "missing";
  if (pod.state === "excluded" || pod.state === "finished") return "excluded";
  return podLooks.some((entry) => entry.look === pod.input) ? (pod.input as PodLook) : "missing";
}
