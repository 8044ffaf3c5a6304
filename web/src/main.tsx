// The frame: which view, whether it is live, light or dark.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { Connections } from "./connections";
import { Fleets } from "./fleets";
import { moment, span } from "./numbers";
import { serverNow, start, useStore } from "./store";
import { choose, type Theme, useTheme } from "./theme";

const views = [
  { name: "connections", words: "Connections", view: Connections },
  { name: "fleets", words: "Fleets", view: Fleets },
];

function useView() {
  const named = () => views.find(({ name }) => `#${name}` === location.hash) ?? views[0]!;
  const [view, setView] = useState(named);
  useEffect(() => {
    const listener = () => setView(named());
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, []);
  return view;
}

function LinkState() {
  const { link, status } = useStore();
  const words = link.state === "live" ? "live" : link.state === "lost" ? "disconnected" : "connecting";
  // A screen reader reads a live region again whenever it changes: what counts on by the second stays outside.
  return (
    <span class={`link ${link.state}`}>
      <span class="dot" aria-hidden="true" /><span role="status">{words}</span>
      {link.state === "live" && status && <span class="process"> · {status.version}, process {status.pid}, up {span(Math.max(0, serverNow() - status.started))}</span>}
    </span>
  );
}

function Trouble() {
  const { link, status, transport, trouble } = useStore();
  const services = status?.services.filter((service) => !service.ready || service.trouble !== "") ?? [];
  return (
    <>
      {link.state === "lost" && (
        <p class="banner">
          {link.refusal === ""
            ? <><span role="alert">The process has not answered</span> for {span(Date.now() / 1000 - link.since)}.</>
            : <span role="alert">The process refuses to be watched: {link.refusal}.</span>}{" "}
          {transport ? `What you see is as of ${moment(transport.t)}.` : "Nothing is known yet."} It will be asked again.
        </p>
      )}
      {trouble !== "" && (
        <p class="banner" role="alert">
          The process is there, but this page did not get what it asked for: {trouble}. It will be asked again.
        </p>
      )}
      {link.state === "live" && services.map((service) => (
        <p key={service.name} class="banner" role="status">
          <strong>{service.name}</strong> {service.ready ? "" : "is not ready"}{service.ready || service.trouble === "" ? "" : ": "}{service.trouble}
        </p>
      ))}
    </>
  );
}

const themeWords: Record<Theme, string> = { auto: "as the system", light: "light", dark: "dark" };

function ThemeSwitch() {
  const { choice } = useTheme();
  return (
    <label class="theme">
      <span class="sr">Colours</span>
      <select value={choice} onChange={(event) => choose(event.currentTarget.value as Theme)}>
        {Object.entries(themeWords).map(([theme, words]) => <option key={theme} value={theme}>{words}</option>)}
      </select>
    </label>
  );
}

function Page() {
  const view = useView();
  return (
    <>
      <header>
        <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
          To the content
        </a>
        <h1>
          <svg viewBox="0 0 32 32" aria-hidden="true"><path d="M3 6c9 0 8 10 15 10h11M3 16h26M3 26c9 0 8-10 15-10" /></svg>
          Trunkline
        </h1>
        <nav aria-label="Views">
          {views.map(({ name, words }) => (
            <a key={name} href={`#${name}`} aria-current={name === view.name ? "page" : undefined}>{words}</a>
          ))}
        </nav>
        <LinkState />
        <ThemeSwitch />
      </header>
      <main id="main" tabIndex={-1}>
        <Trouble />
        <view.view />
      </main>
    </>
  );
}

start();
render(<Page />, document.getElementById("console")!);
