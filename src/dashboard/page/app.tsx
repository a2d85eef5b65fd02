// The frame of the page: the head, the navigation, the state of the connection, and the current view.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Snapshot } from "../messages.ts";
import { agedStatus } from "./aged-status.ts";
import type { Live, LiveState } from "./live.ts";
import { ChangeDialog, type PlannedChange } from "./parts/change-dialog.tsx";
import { ConnectionBanner, ConnectionMark } from "./parts/connection.tsx";
import { applyTheme, storedTheme, THEMES, type Theme } from "./theme.ts";
import { AccountsView } from "./views/accounts.tsx";
import { ActivityView } from "./views/activity.tsx";
import { ExplainView } from "./views/explain.tsx";
import { ForecastView } from "./views/forecast.tsx";
import { LogView } from "./views/log.tsx";
import { ProxiesView } from "./views/proxies.tsx";
import { SettingsView } from "./views/settings.tsx";
import { UsageView } from "./views/usage.tsx";
import { isViewName, VIEWS, type ViewName } from "./views.ts";

export function App({ live }: { readonly live: Live }) {
  const state = useLive(live);
  const view = useView();
  const nowMs = useNow() + state.skewMs;
  const [mayChange, setMayChange] = useState(false);
  const [planned, setPlanned] = useState<PlannedChange | undefined>(undefined);
  const { snapshot, connection } = state;
  const name = snapshot?.proxy.name ?? "";
  useEffect(() => {
    document.title = name === "" ? "codexlb" : `${name} - codexlb`;
  }, [name]);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the content
      </button>
      <header>
        <h1>codexlb {name !== "" && <span class="proxy-name">{name}</span>}</h1>
        <ConnectionMark connection={connection} />
        <div class="controls">
          <label class="switch">
            <input
              type="checkbox"
              role="switch"
              checked={mayChange}
              aria-checked={mayChange}
              onChange={({ currentTarget }) => setMayChange(currentTarget.checked)}
            />
            <span>Allow changes</span>
          </label>
          <ThemeChoice />
        </div>
      </header>
      <nav aria-label="Views">
        {VIEWS.map((one, index) => (
          <a
            key={one.name}
            href={`#${one.name}`}
            aria-current={one.name === view ? "page" : undefined}
            title={`${one.title} (key ${index + 1})`}
          >
            {one.title}
          </a>
        ))}
      </nav>
      <ConnectionBanner connection={connection} />
      <main id="main" tabIndex={-1} class={connection.kind === "ended" ? "stale" : ""}>
        {snapshot === undefined ? (
          connection.kind !== "ended" && <p class="empty">Loading...</p>
        ) : (
          <CurrentView view={view} state={state} snapshot={snapshot} nowMs={nowMs}>
            {mayChange && connection.kind === "live" ? setPlanned : undefined}
          </CurrentView>
        )}
      </main>
      {snapshot !== undefined && (
        <footer>
          codexlb {snapshot.proxy.version}, process {snapshot.proxy.pid}
        </footer>
      )}
      {planned !== undefined && (
        <ChangeDialog change={planned} connection={connection} onClose={() => setPlanned(undefined)} />
      )}
    </>
  );
}

// --- internal ---

interface CurrentViewProps {
  readonly view: ViewName;
  readonly state: LiveState;
  readonly snapshot: Snapshot;
  readonly nowMs: number;
  /** Plans a change of an account; undefined while changes are not allowed. */
  readonly children: ((change: PlannedChange) => void) | undefined;
}

function CurrentView({ view, state, snapshot, nowMs, children: plan }: CurrentViewProps): ComponentChildren {
  const status = agedStatus(snapshot, nowMs);
  switch (view) {
    case "accounts":
      return <AccountsView snapshot={{ ...snapshot, status }} nowMs={nowMs} plan={plan} />;
    case "activity":
      return <ActivityView snapshot={snapshot} nowMs={nowMs} />;
    case "explain":
      return <ExplainView snapshot={snapshot} nowMs={nowMs} />;
    case "usage":
      return <UsageView snapshot={snapshot} isLive={state.connection.kind === "live"} nowMs={nowMs} />;
    case "forecast":
      return <ForecastView status={status} nowMs={nowMs} />;
    case "log":
      return <LogView events={state.events} status={status} nowMs={nowMs} />;
    case "proxies":
      return <ProxiesView status={status} proxy={snapshot.proxy} nowMs={nowMs} />;
    case "settings":
      return <SettingsView startedMs={snapshot.proxy.startedMs} />;
    default:
      return view satisfies never;
  }
}

function ThemeChoice() {
  const [theme, setTheme] = useState<Theme>(storedTheme);
  return (
    <label class="theme">
      <span>Theme</span>
      <select
        value={theme}
        onChange={({ currentTarget }) => {
          const chosen = THEMES.find((one) => one === currentTarget.value) ?? "system";
          applyTheme(chosen);
          setTheme(chosen);
        }}
      >
        {THEMES.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
}

function useLive(live: Live): LiveState {
  const [state, setState] = useState(live.state);
  useEffect(() => {
    setState(live.state());
    return live.subscribe(() => setState(live.state()));
  }, [live]);
  return state;
}

/** The view in the address; the digits choose another one. */
function useView(): ViewName {
  const named = (): ViewName => {
    const name = location.hash.slice(1);
    return isViewName(name) ? name : "accounts";
  };
  const [view, setView] = useState<ViewName>(named);
  useEffect(() => {
    const follow = () => setView(named());
    const choose = (event: KeyboardEvent) => {
      const chosen = VIEWS[Number(event.key) - 1];
      if (chosen === undefined || event.ctrlKey || event.altKey || event.metaKey || isTyping(event)) return;
      location.hash = chosen.name;
    };
    addEventListener("hashchange", follow);
    addEventListener("keydown", choose);
    return () => {
      removeEventListener("hashchange", follow);
      removeEventListener("keydown", choose);
    };
  }, []);
  return view;
}

function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof Element && target.closest("input, select, textarea, dialog") !== null;
}

/** The time of this machine, renewed every second. */
function useNow(): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
