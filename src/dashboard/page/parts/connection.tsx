// The state of the connection to the proxy.

import type { Connection } from "../live.ts";

const WORDS: Readonly<Record<Connection["kind"], string>> = {
  connecting: "connecting",
  live: "live",
  lost: "connection lost",
  ended: "not connected",
};

/** One word in the head of the page. */
export function ConnectionMark({ connection: { kind } }: { readonly connection: Connection }) {
  return (
    <span class={`connection ${kind}`} role="status">
      <span aria-hidden="true" class="dot" />
      {WORDS[kind]}
    </span>
  );
}

/** What the user has to know or to do; nothing while all is well. */
export function ConnectionBanner({ connection }: { readonly connection: Connection }) {
  if (connection.kind === "lost")
    return (
      <p class="banner" role="alert">
        The proxy does not answer. The page shows its last state, and tries again.
      </p>
    );
  if (connection.kind !== "ended") return null;
  return (
    <p class="banner" role="alert">
      {connection.why.replace(/\.?$/, ".")} Run <code>codexlb dashboard</code> again for a new link.
    </p>
  );
}
