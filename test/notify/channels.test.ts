// The channels: what arrives, what hostile text can do there (nothing), and what happens if one hangs or fails.

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageFor, type NotifyMessage } from "../../src/core/notify/message.ts";
import type { Notice } from "../../src/core/notify/notice.ts";
import { createOutbound } from "../../src/network/egress.ts";
import type { ChannelContext } from "../../src/notify/channel.ts";
import { commandChannel } from "../../src/notify/command-channel.ts";
import { desktopChannel, desktopCommand } from "../../src/notify/desktop-channel.ts";
import { PROGRAM_MS } from "../../src/notify/run-notifier.ts";
import { WEBHOOK_MS, webhookChannel } from "../../src/notify/webhook-channel.ts";
import { skippingClock } from "../support/clock.ts";
import { hostile } from "../support/hostile-text.ts";
import { until } from "../support/pool.ts";
import { tempDirectory } from "../support/temp.ts";

/** Text that would do something in a shell, in AppleScript, in markup or in an option parser. */
const NASTY = [
  "$(touch pwned)`touch pwned`; touch pwned\n|&<>'\"\\",
  '" & (do shell script "touch pwned") & "',
  "--action=pwned",
  "<script>alert(1)</script><img src=x onerror=pwned>",
  hostile("x"),
];
const NEVER = new AbortController().signal;

function nastyMessage(text: string): NotifyMessage {
  const notice: Notice = {
    kind: "login_required",
    text,
    name: text,
    backAtMs: undefined,
    window: undefined,
    leftPercent: undefined,
  };
  return { ...messageFor([notice], "laptop", 0), title: text };
}

function contextWith(env: Record<string, string> = {}) {
  const clock = skippingClock();
  const all = { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...env };
  return { clock, env: all, outbound: createOutbound({ env: {} }) } satisfies ChannelContext;
}

/** A directory with a program that runs `script`. */
function program(name: string, script: string) {
  const temp = tempDirectory();
  const path = join(temp.path, name);
  writeFileSync(path, `#!/bin/sh\ncd ${temp.path}\n${script}\n`);
  chmodSync(path, 0o755);
  return {
    path,
    directory: temp.path,
    read: (file: string) => readFileSync(join(temp.path, file), "utf8"),
    has: (file: string) => existsSync(join(temp.path, file)),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

describe("the command", () => {
  test("gets the JSON on standard input and the text in a variable, unchanged and inert", async () => {
    using tool = program(
      "notify",
      'cat > in; printf %s "$CODEXLB_NOTIFICATION" > text; printf "%s\\n" "$@" > args',
    );
    for (const text of NASTY.filter((one) => !one.includes("\0"))) {
      const message = nastyMessage(text);
      const why = await commandChannel([tool.path, "a b", "$HOME"], contextWith()).send(message, NEVER);
      expect(why).toBeUndefined();
      expect(JSON.parse(tool.read("in"))).toEqual(JSON.parse(JSON.stringify(message.json)));
      expect(tool.read("text")).toBe(text);
      expect(tool.read("args")).toBe("a b\n$HOME\n");
      expect(tool.has("pwned")).toBe(false);
    }
  });

  test("gets no secrets from the proxy's environment", async () => {
    using tool = program("notify", "env > env");
    const env = {
      LANG: "C.UTF-8",
      DBUS_SESSION_BUS_ADDRESS: "unix:path=/run/user/1000/bus",
      CODEXLB_ADMIN_TOKEN: "secret1",
      OPENAI_API_KEY: "secret2",
      HTTPS_PROXY: "http://u:secret3@proxy:3128",
      NOTIFY_SOCKET: "/run/secret4",
    };
    expect(
      await commandChannel([tool.path], contextWith(env)).send(nastyMessage("x"), NEVER),
    ).toBeUndefined();
    const names = tool
      .read("env")
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(names).toContain("DBUS_SESSION_BUS_ADDRESS");
    expect(names).toContain("HOME");
    expect(tool.read("env")).not.toContain("secret");
  });

  test("reports why it failed, on one line, however much the program writes", async () => {
    using loud = program("notify", "yes 'no mail for erin@example.com' | head -c 3000000 >&2; exit 3");
    using silent = program("notify", "exit 7");
    const send = (argv: string[]) => commandChannel(argv, contextWith()).send(nastyMessage("x"), NEVER);
    expect(await send([loud.path])).toBe("no mail for e***@***");
    expect(await send([silent.path])).toBe("exit code 7");
    expect(await send(["no-such-program"])).toBe("no-such-program: command not found");
    writeFileSync(join(silent.directory, "data"), "");
    expect(await send([join(silent.directory, "data")])).toEndWith(": permission denied");
  });

  test("is killed with everything that it started, if it hangs", async () => {
    using tool = program("notify", "echo $$ > group; sleep 1000 & sleep 1000");
    const context = contextWith();
    const sent = commandChannel([tool.path], context).send(nastyMessage("x"), NEVER);
    await until("the program runs", () => tool.has("group") && tool.read("group") !== "");
    const group = Number(tool.read("group"));
    context.clock.skip(PROGRAM_MS);
    expect(await sent).toBe("no result within 30 s");
    await until("the group has ended", () => !isAlive(group));
  });

  test("is killed when the proxy stops", async () => {
    using tool = program("notify", "echo $$ > group; exec sleep 1000");
    const stopping = new AbortController();
    const sent = commandChannel([tool.path], contextWith()).send(nastyMessage("x"), stopping.signal);
    await until("the program runs", () => tool.has("group"));
    stopping.abort();
    expect(await sent).toBe("interrupted");
  });
});

describe("the desktop", () => {
  test.each(["linux", "darwin"] as const)(
    "gets texts on %s as arguments, never as options or as a script",
    (platform) => {
      const [first] = NASTY;
      const plain = desktopCommand(platform, { title: "codexlb x", text: "plain" }) ?? [];
      for (const text of NASTY) {
        const argv = desktopCommand(platform, { title: "codexlb x", text }) ?? [];
        expect(argv.slice(0, -1)).toEqual(plain.slice(0, -1));
      }
      expect(first).toBeDefined();
    },
  );

  test("escapes what notify-send and the desktop interpret", () => {
    const [text = ""] = NASTY.filter((one) => one.startsWith("<script>"));
    const argv = desktopCommand("linux", { title: "a\\tb", text: `${text}\\n&` });
    expect(argv).toEqual([
      "notify-send",
      "--app-name=codexlb",
      "--",
      "a\\\\tb",
      "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=pwned&gt;\\\\n&amp;",
    ]);
  });

  test("has a script of its own on macOS, which never changes", () => {
    expect(desktopCommand("darwin", { title: "codexlb x", text: NASTY[1] ?? "" })).toEqual([
      "osascript",
      "-e",
      "on run argv",
      "-e",
      "display notification (item 2 of argv) with title (item 1 of argv)",
      "-e",
      "end run",
      "codexlb x",
      NASTY[1] ?? "",
    ]);
  });

  test("runs notify-send, and says what to install without it", async () => {
    using tool = program("notify-send", 'printf "%s\\n" "$@" > args');
    const context = { ...contextWith(), platform: "linux" } as const;
    const found = { ...context, env: { PATH: `${tool.directory}:${process.env.PATH}` } };
    expect(await desktopChannel(found).send(nastyMessage("alice is back"), NEVER)).toBeUndefined();
    expect(tool.read("args")).toBe("--app-name=codexlb\n--\nalice is back\nalice is back\n");
    const missing = { ...context, env: { PATH: "/nonexistent" } };
    expect(await desktopChannel(missing).send(nastyMessage("x"), NEVER)).toContain("install libnotify");
    const other = { ...context, platform: "freebsd" } as const;
    expect(await desktopChannel(other).send(nastyMessage("x"), NEVER)).toContain("not supported on freebsd");
  });
});

/** A receiver of webhooks that answers with `answer`. */
function receiver(answer: () => Response | Promise<Response>) {
  const received: { readonly request: Request; readonly body: string }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      received.push({ request, body: await request.text() });
      return answer();
    },
  });
  return {
    received,
    url: `http://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

describe("the webhook", () => {
  const send = (url: string) => webhookChannel(url, contextWith()).send(nastyMessage(NASTY[0] ?? ""), NEVER);

  test("gets the JSON in a POST, and a user and password from the URL", async () => {
    await using server = receiver(() => new Response("ok"));
    const url = server.url.replace("http://", "http://me:p%40ss@");
    expect(await send(`${url}/topic?tpl=1&m=%7B%7B.text%7D%7D`)).toBeUndefined();
    const [one] = server.received;
    expect(one?.request.method).toBe("POST");
    expect(new URL(one?.request.url ?? "").search).toBe("?tpl=1&m=%7B%7B.text%7D%7D");
    expect(one?.request.headers.get("content-type")).toBe("application/json");
    expect(one?.request.headers.get("authorization")).toBe(`Basic ${btoa("me:p@ss")}`);
    expect(JSON.parse(one?.body ?? "").text).toBe(NASTY[0]);
  });

  test("does not follow redirects", async () => {
    await using other = receiver(() => new Response("ok"));
    await using server = receiver(() => Response.redirect(`${other.url}/elsewhere`, 307));
    expect(await send(server.url)).toBe("the server redirects (status 307), and codexlb does not follow");
    expect(other.received).toEqual([]);
  });

  test("reports failures without its URL, which may contain a secret", async () => {
    await using broken = receiver(() => new Response("s3cret", { status: 500 }));
    await using large = receiver(() => new Response("x".repeat(1_000_000)));
    const closed = receiver(() => new Response());
    await closed[Symbol.asyncDispose]();
    const results = await Promise.all(
      [broken, large, closed].map(({ url }) => send(`${url}/s3cret?k=s3cret`)),
    );
    expect(results).toEqual([
      "the server returned status 500",
      "the response is larger than 256 KiB",
      "connection refused",
    ]);
  });

  test("gives up on a receiver that does not answer", async () => {
    const hanging = Promise.withResolvers<Response>();
    await using server = receiver(() => hanging.promise);
    const context = contextWith();
    const sent = webhookChannel(server.url, context).send(nastyMessage("x"), NEVER);
    await until("the request has arrived", () => server.received.length > 0);
    context.clock.skip(WEBHOOK_MS);
    expect(await sent).toBe("no response within 10 s");
    hanging.resolve(new Response());
  });
});

// --- internal ---

function isAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}
