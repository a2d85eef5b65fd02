// The same login in a container, for an account whose traffic belongs to another network: the image's entry point is this
// program, which gets the password on its standard input and gives the login back on its standard output. Nothing is
// mounted, and nothing stays: whatever ends the login ends the container.

import { z } from "zod";
import { parseJson } from "../core/turn.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, errorCodeOf, systemCodeOf } from "../errors.ts";
import type { Secrets } from "./drive.ts";

export interface ContainerOptions {
  readonly deps: Pick<Deps, "clock" | "env" | "random">;
  readonly docker: string;
  readonly image: string;
  readonly network: string;
  readonly secrets: Secrets;
  readonly timeoutMs: number;
  readonly progress: (what: string) => void;
  readonly signal: AbortSignal;
}

/** A line that the program in the container says. */
const Line = z.union([
  z.object({ step: z.string() }),
  z.object({ auth: z.string() }),
  z.object({
    error: z.string(),
    code: z.string(),
    message: z.string().optional(),
    next: z.string().optional(),
  }),
]);

/** Resolves to the text of the new auth.json. Throws what stops the login there, and `login_failed`. */
export async function signInContained(options: ContainerOptions): Promise<string> {
  const { deps, docker, image, network, secrets, timeoutMs, progress, signal } = options;
  const name = `codexlb-login-${Buffer.from(deps.random(6)).toString("hex")}`;
  const argv = [
    ...[docker, "run", "--rm", "--init", "--interactive", "--name", name, "--network", network, image],
    ...["--username", secrets.username, "--password-stdin"],
    ...(secrets.totp === undefined ? [] : ["--totp-stdin"]),
    ...["--timeout", `${Math.ceil(timeoutMs / 1000)}s`, "--export", "login"],
  ];
  progress(`starting the container ${name}`);
  const child = start(argv, deps.env);
  // The client alone may be ended, and the container would go on: it is ended by its name.
  let isEnded = false;
  const end = () => {
    isEnded = true;
    start([docker, "rm", "--force", name], deps.env).unref();
  };
  signal.addEventListener("abort", end, { once: true });
  const cancelTimer = deps.clock.after(timeoutMs, end);
  try {
    child.stdin.write(`${secrets.password}\n${secrets.totp === undefined ? "" : `${secrets.totp}\n`}`);
    await child.stdin.end();
    const told = await readLines(child.stdout, progress);
    const code = await child.exited;
    if (signal.aborted) throw new CodexlbError("login_failed", "the login was given up; nothing was changed");
    if (isEnded)
      throw new CodexlbError("login_timeout", "the login in the container took too long", {
        next: "give it more time with --timeout",
      });
    if (told.kind === "auth") return told.auth;
    if (told.kind === "error") throw told.error;
    throw new CodexlbError("login_failed", `the container ended with code ${code} and gave no login`, {
      next: `look whether ${image} is there: docker build --target login -t ${image} .`,
    });
  } finally {
    cancelTimer();
    signal.removeEventListener("abort", end);
    if (child.exitCode === null) end();
  }
}

// --- internal ---

type Told =
  | { readonly kind: "nothing" }
  | { readonly kind: "auth"; readonly auth: string }
  | { readonly kind: "error"; readonly error: CodexlbError };

function start(argv: string[], env: Deps["env"]) {
  try {
    return Bun.spawn(argv, { env, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT") throw error;
    throw new CodexlbError("login_failed", `starting ${argv[0]}: there is no such program`, {
      next: "install Docker or Podman, name it with --docker-bin, or use a browser of this machine",
      cause: error,
    });
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  progress: (what: string) => void,
): Promise<Told> {
  const decoder = new TextDecoder();
  let rest = "";
  let told: Told = { kind: "nothing" };
  const take = (text: string): void => {
    const line = Line.safeParse(parseJson(text)).data;
    if (line === undefined) return;
    if ("step" in line) progress(line.step);
    else if ("auth" in line) told = { kind: "auth", auth: line.auth };
    else told = { kind: "error", error: errorOf(line) };
  };
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
  }
  take(rest);
  return told;
}

function errorOf(line: Extract<z.output<typeof Line>, { error: string }>): CodexlbError {
  const { error, code, message = error, next } = line;
  return new CodexlbError(errorCodeOf(code, "login_failed"), message, next === undefined ? {} : { next });
}
