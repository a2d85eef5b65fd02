// An HTTPS proxy between real Codex and its sign-in: it connects auth.openai.com to the simulated sign-in, with a
// certificate of its own CA. Codex gets the proxy and the CA from its environment, a browser from its flags.

import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Socket } from "bun";

export interface SignInProxy extends AsyncDisposable {
  /** Environment variables for Codex. */
  readonly env: Record<string, string>;
  /** Path of a browser that uses the proxy. */
  readonly browser: string;
  /** The requests received, as `METHOD path`. */
  readonly seen: string[];
}

const HOST = "auth.openai.com";

/** Starts the proxy, with its files in `directory`. Needs openssl; returns undefined without it. */
export function startSignInProxy(
  directory: string,
  origin: string,
  chromium: string,
): SignInProxy | undefined {
  if (Bun.which("openssl") === null) return undefined;
  const file = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => {
    const ran = Bun.spawnSync(["openssl", ...args], { cwd: directory, stdout: "ignore", stderr: "pipe" });
    if (ran.exitCode !== 0) throw new Error(`openssl ${args[0]}: ${ran.stderr}`);
  };
  writeFileSync(file("leaf.ext"), `subjectAltName=DNS:${HOST}\nbasicConstraints=CA:FALSE\n`);
  const days = ["-days", "2"];
  openssl(
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", ...days],
    ...["-subj", "/CN=test CA", "-addext", "basicConstraints=critical,CA:TRUE"],
  );
  openssl(
    "req",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    "leaf.key",
    "-out",
    "leaf.csr",
    "-subj",
    `/CN=${HOST}`,
  );
  openssl(
    ...["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-out", "leaf.pem", ...days, "-extfile", "leaf.ext"],
  );
  const seen: string[] = [];
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { key: Bun.file(file("leaf.key")), cert: Bun.file(file("leaf.pem")) },
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      seen.push(`${request.method} ${pathname}`);
      const headers = new Headers(request.headers);
      headers.delete("host");
      const hasBody = request.method !== "GET" && request.method !== "HEAD";
      return fetch(`${origin}${pathname}${search}`, {
        method: request.method,
        headers,
        redirect: "manual",
        ...(hasBody ? { body: await request.arrayBuffer() } : {}),
      });
    },
  });
  const proxy = Bun.listen<{ far: Socket | undefined; early: Buffer[] }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { far: undefined, early: [] };
      },
      data: (socket, data) => {
        const { far, early } = socket.data;
        if (far !== undefined) return void far.write(data);
        if (!data.toString("latin1").startsWith(`CONNECT ${HOST}:443 `))
          return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
        void Bun.connect({
          hostname: "127.0.0.1",
          port: site.port ?? 0,
          socket: {
            data: (_far, answer) => void socket.write(answer),
            close: () => void socket.end(),
            error: () => void socket.end(),
          },
        }).then((opened) => {
          socket.data.far = opened;
          for (const chunk of early) opened.write(chunk);
          socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        });
      },
      close: (socket) => void socket.data.far?.end(),
      error: () => {},
    },
  });
  const browser = file("browser");
  writeFileSync(
    browser,
    `#!/bin/sh\nexec '${chromium}' --ignore-certificate-errors --host-resolver-rules='MAP ${HOST} 127.0.0.1:${site.port}' "$@"\n`,
  );
  chmodSync(browser, 0o755);
  return {
    env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, CODEX_CA_CERTIFICATE: file("ca.pem") },
    browser,
    seen,
    [Symbol.asyncDispose]: async () => {
      proxy.stop(true);
      await site.stop(true);
    },
  };
}
