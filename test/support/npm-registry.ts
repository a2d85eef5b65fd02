// Runs a registry on loopback that serves only the given packages, each in one version.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";

export interface NpmRegistry extends AsyncDisposable {
  readonly url: string;
  /** The tarballs that were downloaded, by file name, in order. */
  readonly downloaded: readonly string[];
}

/** Starts the registry. `tarballs` are paths of files in the format of `npm pack`. */
export function npmRegistry(tarballs: readonly string[]): NpmRegistry {
  const downloaded: string[] = [];
  const byName = new Map(
    tarballs.map((path) => {
      const manifest = JSON.parse(
        Bun.spawnSync(["tar", "-xzOf", path, "package/package.json"]).stdout.toString(),
      );
      return [manifest.name as string, { manifest, path }] as const;
    }),
  );
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
      const tarball = tarballs.find((path) => name === `files/${basename(path)}`);
      if (tarball !== undefined) {
        downloaded.push(basename(tarball));
        return new Response(Bun.file(tarball));
      }
      const found = byName.get(name);
      if (found === undefined) return Response.json({ error: "not found" }, { status: 404 });
      const { manifest, path } = found;
      const integrity = `sha512-${createHash("sha512").update(readFileSync(path)).digest("base64")}`;
      const dist = { tarball: `${new URL(request.url).origin}/files/${basename(path)}`, integrity };
      return Response.json({
        name,
        "dist-tags": { latest: manifest.version },
        versions: { [manifest.version]: { ...manifest, dist } },
      });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/`,
    downloaded,
    [Symbol.asyncDispose]: async () => server.stop(true),
  };
}
