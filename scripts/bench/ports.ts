// Ports of 127.0.0.1 for programs that cannot choose and report a port themselves.

/** A port that was free when this function returned. */
export function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

/** Resolves when `port` accepts connections. Rejects after ten seconds. */
export async function listening(port: number): Promise<void> {
  const deadlineMs = performance.now() + LONGEST_START_MS;
  for (;;) {
    const opened = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {} } }).catch(
      () => undefined,
    );
    if (opened !== undefined) return void opened.terminate();
    if (performance.now() > deadlineMs) throw new Error(`port ${port} accepts no connections after 10 s`);
    await Bun.sleep(5);
  }
}

// --- internal ---

const LONGEST_START_MS = 10_000;
