// Exchanges bytes over a TCP connection, for tests of what HTTP clients hide.

/** Sends `text` to the server at `url`, and resolves to everything received until the connection ends. */
export async function rawExchange(url: string, text: string | Uint8Array): Promise<string> {
  const { hostname, port } = new URL(url);
  const ended = Promise.withResolvers<void>();
  let received = "";
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, data) => {
        received += data.toString();
      },
      close: () => ended.resolve(),
      error: () => ended.resolve(),
    },
  });
  socket.write(text);
  await ended.promise;
  return received;
}

/** Sends `text`, and resolves to the first line of the response. The connection may stay open afterwards. */
export async function rawHead(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const arrived = Promise.withResolvers<string>();
  let received = "";
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, data) => {
        received += data.toString();
        if (received.includes("\r\n")) arrived.resolve(received.split("\r\n")[0] ?? "");
      },
      close: () => arrived.resolve(received),
      error: () => arrived.resolve(received),
    },
  });
  socket.write(text);
  const head = await arrived.promise;
  socket.end();
  return head;
}
