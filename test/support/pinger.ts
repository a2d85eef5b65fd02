// Requests the URL in its argument, and a bare server of its own, every few milliseconds until its standard input
// ends. Then it prints the longest response time of each as JSON. Runs as its own process, because the test is busy.

const [, , target = ""] = process.argv;
const EVERY_MS = 10;
const GIVE_UP_MS = 60_000;

/** The bare server runs in its own thread, so its response time shows the load of the machine, not of this loop. */
const BARE_SERVER = `
const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
postMessage(server.url.href);
`;
const bare = await new Promise<string>((resolve) => {
  const worker = new Worker(URL.createObjectURL(new Blob([BARE_SERVER], { type: "text/javascript" })));
  worker.onmessage = ({ data }) => resolve(data);
});

let isOver = false;
const watch = async (url: string): Promise<number> => {
  let longestMs = 0;
  while (!isOver) {
    const startedMs = performance.now();
    try {
      await (await fetch(url, { keepalive: false, signal: AbortSignal.timeout(GIVE_UP_MS) })).text();
      longestMs = Math.max(longestMs, performance.now() - startedMs);
    } catch {
      longestMs = Number.POSITIVE_INFINITY;
    }
    await Bun.sleep(EVERY_MS);
  }
  return longestMs;
};
const watching = Promise.all([watch(target), watch(bare)]);
console.log("begun");
await new Response(Bun.stdin.stream()).text();
isOver = true;
const [longestMs, controlMs] = await watching;
console.log(JSON.stringify({ longestMs, controlMs }));
process.exit();
