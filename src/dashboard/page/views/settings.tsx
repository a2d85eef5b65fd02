// The settings in effect, with their sources. Passwords and keys in URLs are left out by the proxy.

import { useEffect, useState } from "preact/hooks";
import type { ShownSettings } from "../../messages.ts";
import { Table } from "../parts/table.tsx";
import { request } from "../session.ts";

/** `startedMs`: the start of the proxy, after which the settings are read again. */
export function SettingsView({ startedMs }: { readonly startedMs: number }) {
  const [answer, setAnswer] = useState<ShownSettings | string | undefined>(undefined);
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const ending = new AbortController();
    request("settings", { signal: ending.signal })
      .then((response) => response.json())
      .then(setAnswer)
      .catch((error) => {
        if (!ending.signal.aborted) setAnswer(error instanceof Error ? error.message : String(error));
      });
    return () => ending.abort();
  }, [startedMs, version]);
  if (answer === undefined) return <p class="empty">Loading...</p>;
  if (typeof answer === "string")
    return (
      <p class="failure" role="alert">
        {answer}
      </p>
    );
  return (
    <>
      <h2 class="hidden">Settings</h2>
      <p class="muted">
        As <code>codexlb config show</code> prints them. A running proxy applies changes of config.toml within
        a second.{" "}
        <button type="button" class="small" onClick={() => setVersion(version + 1)}>
          Read again
        </button>
      </p>
      <Table
        caption="Settings"
        columns={[{ heading: "Setting" }, { heading: "Value" }, { heading: "From" }]}
        rows={answer.settings.map(({ key, value, source }) => ({
          key,
          class: source === "default" ? "default" : "set",
          cells: [
            <code key="key">{key}</code>,
            <code key="value" class="value">
              {JSON.stringify(value)}
            </code>,
            source,
          ],
        }))}
      />
    </>
  );
}
