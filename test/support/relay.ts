// A network between one client and a server that a test can cut. Nothing arrives then, and neither end gets an error:
// as with a switch that has lost its power, and unlike a server that exits.

import { connect, createServer, type Socket } from "node:net";

export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Stops forwarding. New connections are accepted, and get no answer. */
  cut(): void;
  /** Forwards again, beginning with what was sent meanwhile, as TCP does when it retransmits. */
  mend(): void;
}

/** Starts a relay to the unix socket `path`. */
export async function startRelay(path: string): Promise<Relay> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let held: (() => void)[] = [];
  const pass = (effect: () => void): void => {
    if (isCut) held.push(effect);
    else effect();
  };
  const join = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on("data", (chunk) => pass(() => void to.write(chunk)));
    from.on("error", () => {}); // "close" follows
    from.on("close", () => {
      sockets.delete(from);
      pass(() => to.destroy());
    });
  };
  const server = createServer((down) => {
    const up = connect(path);
    join(down, up);
    join(up, down);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    cut: () => {
      isCut = true;
    },
    mend: () => {
      isCut = false;
      const effects = held;
      held = [];
      for (const effect of effects) effect();
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
