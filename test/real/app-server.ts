// Runs `codex app-server` through `codexlb run`, and exchanges JSON messages with it over stdio, one per line.

import type { Setup } from "./setup.ts";

export interface AppServer extends AsyncDisposable {
  /** Resolves to the result. Rejects with the error that the server returns. */
  request(method: string, params?: unknown): Promise<unknown>;
  notify(method: string): void;
  /** Resolves to the parameters of the next notification of this method. Rejects if the server exits first. */
  notification(method: string): Promise<unknown>;
  /** The parameters of all notifications of this method so far. */
  notifications(method: string): readonly unknown[];
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Starts the server. `outbound`: the HTTPS proxy for its environment. `more`: additional variables. */
export function startAppServer(
  { tool, url, work }: Setup,
  binary: string,
  outbound: string,
  more: Record<string, string> = {},
): AppServer {
  const child = Bun.spawn([tool.path, "run", "--proxy-url", url, "--codex-bin", binary, "app-server"], {
    cwd: work,
    env: tool.env({ SHELL: "/bin/sh", HTTPS_PROXY: outbound, ...more }),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = child.stderr.text();
  const answers = new Map<number, PromiseWithResolvers<unknown>>();
  const awaited = new Map<string, PromiseWithResolvers<unknown>>();
  const seen: Message[] = [];
  let requests = 0;
  const take = (message: Message): void => {
    const { id, method, params, result, error } = message;
    if (method !== undefined) {
      seen.push(message);
      awaited.get(method)?.resolve(params);
      awaited.delete(method);
    } else if (error === undefined) answers.get(id ?? 0)?.resolve(result);
    else answers.get(id ?? 0)?.reject(new Error(JSON.stringify(error)));
  };
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    let partial = "";
    for await (const chunk of child.stdout) {
      const lines = (partial + decoder.decode(chunk, { stream: true })).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines.filter((one) => one.trim() !== "")) take(JSON.parse(line) as Message);
    }
    const exited = new Error(`codex app-server exited: ${await errors}`);
    for (const { reject } of [...answers.values(), ...awaited.values()]) reject(exited);
  };
  const reading = read();
  const send = (message: Record<string, unknown>): void => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
    void child.stdin.flush();
  };
  return {
    request: (method, params) => {
      const id = ++requests;
      const answer = Promise.withResolvers<unknown>();
      answers.set(id, answer);
      send({ id, method, params });
      return answer.promise;
    },
    notify: (method) => send({ method }),
    notification: (method) => {
      const one = Promise.withResolvers<unknown>();
      awaited.set(method, one);
      return one.promise;
    },
    notifications: (method) => seen.filter((one) => one.method === method).map(({ params }) => params),
    [Symbol.asyncDispose]: async () => {
      await child.stdin.end();
      await child.exited;
      await reading;
    },
  };
}

/** A thread of an initialized app-server. */
export interface Thread {
  /** Runs one turn. Resolves to Codex's final report about it. */
  turn(text: string): Promise<unknown>;
  /** The models that Codex offers to the user. */
  models(): Promise<readonly string[]>;
}

/** Initializes `server` and starts a thread in `work`, without approvals. Default model: Codex's own default. */
export async function startThread(
  server: AppServer,
  { work }: Pick<Setup, "work">,
  model?: string,
): Promise<Thread> {
  await server.request("initialize", { clientInfo: { name: "codexlb_test", title: "test", version: "1" } });
  server.notify("initialized");
  const settings = { cwd: work, approvalPolicy: "never", sandbox: "danger-full-access", model };
  const { thread } = (await server.request("thread/start", settings)) as { thread: { id: string } };
  return {
    turn: async (text) => {
      const over = server.notification("turn/completed");
      await server.request("turn/start", { threadId: thread.id, input: [{ type: "text", text }] });
      return over;
    },
    models: async () => {
      const listed = (await server.request("model/list", { limit: 100 })) as { data: { model: string }[] };
      return listed.data.map(({ model }) => model);
    },
  };
}
