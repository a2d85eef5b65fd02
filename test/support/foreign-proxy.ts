// Simulates a proxy of any version behind the admin socket of a root.

import { mkdirSync } from "node:fs";
import { layoutOf } from "../../src/state/layout.ts";

/** Listens on the socket of `root`. Reports `version`, and responds to every other path with `answer`. */
export function foreignProxy(
  root: string,
  version: string,
  answer: (path: string) => Response,
): AsyncDisposable {
  mkdirSync(root, { mode: 0o700, recursive: true });
  const info = {
    version,
    commit: "0123456789ab",
    name: "other",
    root,
    url: "http://127.0.0.1:1",
    pid: 4711,
    token_url: "http://127.0.0.1:1/oauth/token",
    started_at_ms: 0,
  };
  const server = Bun.serve({
    unix: layoutOf(root).adminSocket,
    development: false,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      return pathname === "/admin/version" ? Response.json(info) : answer(pathname);
    },
  });
  return { [Symbol.asyncDispose]: () => server.stop(true) };
}

/** The response of a proxy that does not know the path. */
export function unknownPath(): Response {
  return Response.json({ error: "admin endpoint not found", code: "not_found" }, { status: 404 });
}
