// A simulated company network on loopback: hosts that only an HTTP proxy can reach, with certificates signed by the
// company's own authority.

import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { tempDirectory } from "./temp.ts";

export interface PassedRequest {
  /** For example `CONNECT backend.test:443` or `GET http://backend.test/x`. */
  readonly request: string;
  /** The `user:password` received; undefined if none. */
  readonly credentials: string | undefined;
}

export interface OutboundProxy extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  /** The requests received, in order. */
  readonly passed: PassedRequest[];
}

export interface CorporateNetwork extends AsyncDisposable {
  /** Path of a PEM file with the authority's certificate. */
  readonly ca: string;
  /** Starts a proxy that can reach the hosts. `credentials`: the required `user:password`. */
  proxy(credentials?: string): Promise<OutboundProxy>;
}

/**
 * Creates a network in which `https://HOST/` and `http://HOST/` lead to `origin()` for each of `hosts`, but only
 * through the proxy. Needs openssl.
 */
export async function corporateNetwork(
  hosts: readonly string[],
  origin: () => string,
): Promise<CorporateNetwork> {
  const temp = tempDirectory();
  const { ca, key, cert } = certificates(temp.path, hosts);
  const port = () => Number(new URL(origin()).port);
  const site = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) =>
    splice(socket, connect(port(), "127.0.0.1")),
  );
  const sitePort = await listening(site);
  const closing: (() => void)[] = [];
  return {
    ca,
    proxy: async (credentials) => {
      const passed: PassedRequest[] = [];
      const server = createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", (data) => {
          const head = data.toString("latin1");
          const [method = "", target = ""] = (head.split("\r\n")[0] ?? "").split(" ");
          const shown = /^proxy-authorization: basic (\S+)/im.exec(head)?.[1];
          const user = shown === undefined ? undefined : atob(shown);
          passed.push({ request: `${method} ${target}`, credentials: user });
          if (credentials !== undefined && user !== credentials)
            return refuse(socket, "407 Proxy Authentication Required");
          const { hostname } = new URL(method === "CONNECT" ? `http://${target}` : target);
          if (!hosts.includes(hostname)) return refuse(socket, "502 Bad Gateway");
          const isTls = method === "CONNECT" && target.endsWith(":443");
          const far = connect(isTls ? sitePort : port(), "127.0.0.1");
          if (method === "CONNECT") socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
          else far.write(data);
          splice(socket, far);
        });
      });
      const proxyPort = await listening(server);
      const close = () => void server.close();
      closing.push(close);
      const host = `127.0.0.1:${proxyPort}`;
      return { url: `http://${host}`, host, passed, [Symbol.asyncDispose]: async () => close() };
    },
    [Symbol.asyncDispose]: async () => {
      for (const close of closing) close();
      site.close();
      temp[Symbol.dispose]();
    },
  };
}

// --- internal ---

function certificates(
  directory: string,
  hosts: readonly string[],
): { ca: string; key: string; cert: string } {
  const file = (name: string) => join(directory, name);
  const openssl = (line: string, ...more: string[]) => {
    const ran = Bun.spawnSync(["openssl", ...line.split(" "), ...more], { cwd: directory, stderr: "pipe" });
    if (!ran.success) throw new Error(`openssl ${line}: ${ran.stderr}`);
  };
  const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  openssl(`req -x509 ${newKey} -keyout ca.key -out ca.pem -days 2`, "-subj", "/CN=Test authority");
  openssl(`req ${newKey} -keyout site.key -out site.csr`, "-subj", "/CN=site");
  writeFileSync(file("site.ext"), `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(",")}\n`);
  openssl(
    "x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile site.ext -out site.pem",
  );
  return { ca: file("ca.pem"), key: file("site.key"), cert: file("site.pem") };
}

function splice(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
    from.pipe(to);
  }
}

function refuse(socket: Socket, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`);
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
