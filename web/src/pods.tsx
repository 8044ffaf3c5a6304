// The pods as a grid: a mark, a shape and a word for each state, so that none of them hangs on colour alone.
import type { Fleet, Pod } from "./api";
import { count, plural, span } from "./numbers";
import { serverNow } from "./store";
import { lookOf, podLooks } from "./words";

function about(pod: Pod): string {
  const parts = [`${pod.name}: ${lookOf(pod)}`];
  if (pod.reason !== "") parts.push(pod.reason);
  if (pod.url !== "") parts.push(pod.url);
  if (pod.started !== null) parts.push(`up for ${span(serverNow() - pod.started)}`);
  if (pod.process > 0) parts.push(`process ${pod.process}`);
  if (pod.restarts > 0) parts.push(plural(pod.restarts, "restart"));
  return parts.join(" · ");
}

// What tells the pods of one fleet apart: what follows their common beginning.
function shortNames(pods: Pod[]): string[] {
  if (pods.length < 2) return pods.map((pod) => pod.name);
  const first = pods[0]!.name;
  let same = 0;
  while (same < first.length && pods.every((pod) => pod.name[same] === first[same])) same++;
  while (same > 0 && /[a-zA-Z0-9]/.test(first[same - 1]!)) same--;
  return pods.map((pod) => pod.name.slice(same) || pod.name);
}

export function Pods({ fleet }: { fleet: Fleet }) {
  if (fleet.pods.length === 0) return <p class="empty">There are no pods just now.</p>;
  const sums = podLooks.map((look) => ({ ...look, sum: fleet.pods.filter((pod) => lookOf(pod) === look.look).length }));
  const names = shortNames(fleet.pods);
  const dense = fleet.pods.length > 60;
  return (
    <div class="pods">
      <h3>Pods</h3>
      <ul class="legend" aria-label="States of the pods">
        {sums.filter(({ sum }) => sum > 0).map(({ look, mark, words, sum }) => (
          <li key={look} title={words}>
            <span class={`pod-mark ${look}`} aria-hidden="true">{mark}</span> {count(sum)} {look}
          </li>
        ))}
      </ul>
      <ul class={`grid${dense ? " dense" : ""}`} aria-label="Pods">
        {fleet.pods.map((pod, i) => {
          const look = podLooks.find((entry) => entry.look === lookOf(pod))!;
          const words = about(pod);
          return (
            <li key={pod.name} class={`pod ${look.look}`} title={words}>
              <span class="pod-mark" aria-hidden="true">{look.mark}</span>
              <span class="pod-name" aria-hidden="true">{names[i]}</span>
              <span class="pod-state" aria-hidden="true">{look.look}</span>
              <span class="sr">{words}</span>
            </li>
          );
        })}
      </ul>
      {fleet.pods_left_out > 0 && <p class="muted">{plural(fleet.pods_left_out, "more pod")} not shown.</p>}
    </div>
  );
}
