// Why two pools lead to one place: the options in which they differ.
import { useEffect, useState } from "preact/hooks";
import { get, type OptionChange, type Route } from "./api";
import { state } from "./store";

type Answer = { key: string; changes: OptionChange[] } | { key: string; trouble: string };

function useDifferences(route: Route): Answer[] {
  const [answers, setAnswers] = useState<Answer[]>([]);
  useEffect(() => {
    let gone = false;
    const others = [...state.routes.values()].filter((other) => other.route === route.route && other.key !== route.key);
    void Promise.all(others.slice(0, 5).map(async ({ key }): Promise<Answer> => {
      try {
        const query = `a=${encodeURIComponent(route.key)}&b=${encodeURIComponent(key)}`;
        return { key, changes: await get<OptionChange[]>(`pools/differences?${query}`) };
      } catch (error) {
        return { key, trouble: (error as Error).message };
      }
    })).then((all) => void (gone || setAnswers(all)));
    return () => void (gone = true);
  }, [route.route, route.key]);
  return answers;
}

export function Split({ route }: { route: Route }) {
  return (
    <>
      {useDifferences(route).map((answer) => (
        <p key={answer.key} class="split">
          <span class="chip">{answer.key.slice(0, 6)}</span>{" "}
          {"trouble" in answer ? answer.trouble : answer.changes.length === 0
            ? "leads to the same place with the same options, in another protocol."
            : <>leads to the same place and shares nothing with this one, as their options differ:{" "}
                {answer.changes.map(({ option, a, b }, i) => (
                  <span key={option}>{i > 0 && "; "}<code>{option}</code> is {a} here and {b} there</span>
                ))}.</>}
        </p>
      ))}
    </>
  );
}
