// Drives `codex app-server`, which takes several turns in one process.

import type { Setup } from "./setup.ts";

export interface AppServer extends AsyncDisposable {
  /** Takes one turn; resolves when Codex says that it is over. */
  turn(text: string): Promise<void>;
  /** The models that Codex offers to its user. */
  models(): Promise<readonly string[]>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: {
    readonly thread?: { readonly id: string };
    readonly data?: readonly { readonly model: string }[];
  };
}

/** Starts `binary` through `codexlb run`, with one thread. */
export async function startAppServer({ tool, url, work }: Setup, binary: string): Promise<AppServer> {
  const child = Bun.spawn([tool.path, "run", "--proxy-url", url, "--codex-bin", binary, "app-server"], {
    cwd: work,
    env: tool.env({ SHELL: "/bin/sh" }),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  const answers = new Map<number, (message: Message) => void>();
  let turnOver = () => {};
  void (async () => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const message = JSON.parse(line) as Message;
        if (message.id !== undefined) answers.get(message.id)?.(message);
        if (message.method === "turn/completed") turnOver();
      }
    }
  })();
  const send = (message: unknown): void => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
    child.stdin.flush();
  };
  let serial = 0;
  const call = (method: string, params: unknown): Promise<Message> => {
    const id = ++serial;
    const answered = new Promise<Message>((resolve) => void answers.set(id, resolve));
    send({ id, method, params });
    return answered;
  };
  await call("initialize", { clientInfo: { name: "test", version: "1" } });
  send({ method: "initialized" });
  const { result } = await call("thread/start", { cwd: work, approvalPolicy: "never" });
  const threadId = result?.thread?.id;
  return {
    turn: async (text) => {
      const over = new Promise<void>((resolve) => {
        turnOver = resolve;
      });
      await call("turn/start", { threadId, input: [{ type: "text", text }] });
      await over;
    },
    models: async () => {
      const listed = await call("model/list", { limit: 100 });
      return (listed.result?.data ?? []).map(({ model }) => model);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.exited;
    },
  };
}
