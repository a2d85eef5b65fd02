import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createPieces, gatheringReader } from "../src/gathering-reader.ts";
import { outcome } from "./support/outcome.ts";

describe("the pieces of a body", () => {
  test("are returned in order, for any sizes", () => {
    const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(2_000), fc.nat(40_000)), { maxLength: 60 });
    fc.assert(
      fc.property(sizes, (lengths) => {
        const pieces = createPieces();
        let byte = 0;
        const added = lengths.map((length) => Uint8Array.from({ length }, () => byte++ % 251));
        for (const piece of added) pieces.add(piece);
        expect(Buffer.concat(pieces.all()).equals(Buffer.concat(added))).toBe(true);
      }),
    );
  });

  test("of one byte each are kept in a few blocks", () => {
    const pieces = createPieces();
    for (let count = 0; count < 100_000; count++) pieces.add(new Uint8Array([count % 256]));
    expect(pieces.all().length).toBeLessThan(10);
  });
});

describe("a gathering reader", () => {
  test("joins the small chunks of a request, and loses none", async () => {
    let reads = 0;
    await using server = Object.assign(
      Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: async ({ body }) => {
          if (body === null) return new Response("none");
          const reader = gatheringReader(body);
          let size = 0;
          for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
            reads++;
            size += chunk.value.byteLength;
          }
          return new Response(String(size));
        },
      }),
      { [Symbol.asyncDispose]: async () => {} },
    );
    const answered = Promise.withResolvers<string>();
    const bytes = Buffer.from(
      `POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${"1\r\n \r\n".repeat(100_000)}0\r\n\r\n`,
    );
    let sent = 0;
    const pour = (socket: Bun.Socket) => {
      while (sent < bytes.length) {
        const written = socket.write(bytes.subarray(sent));
        if (written <= 0) return;
        sent += written;
      }
    };
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port ?? 0,
      socket: {
        open: pour,
        drain: pour,
        data: (_socket, data) => answered.resolve(data.toString()),
        close: () => answered.resolve(""),
      },
    });
    expect(await answered.promise).toEndWith("\r\n\r\n100000");
    expect(reads).toBeLessThan(1_000);
    socket.terminate();
    await server.stop(true);
  });

  test("reports that a body breaks off", async () => {
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(new Uint8Array([1])),
      pull: (controller) => controller.error(new Error("broken off")),
    });
    const reader = gatheringReader(body);
    expect((await reader.read()).value).toEqual(new Uint8Array([1]));
    expect(await outcome(reader.read())).toThrow("broken off");
  });
});
