// Bytes over a connection, for what no HTTP client shows.

/** Sends `text` to the server at `url`, and resolves to everything that comes until the connection ends. */
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
