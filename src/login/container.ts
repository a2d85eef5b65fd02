// The same login in a container, for an account whose traffic belongs to another network: the image's entry point is this
// program, which gets the password on its standard input and gives the login back on its standard output. Nothing is
// mounted, and nothing stays: whatever ends the login ends the container.

import { z } from "zod";
import { childEnvironment } from "../codex/run.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { adminErrorBody, CodexlbError, errorCodeOf, messageOf, systemCodeOf } from "../errors.ts";
import { oneLine } from "../printable.ts";
import type { Secrets } from "./drive.ts";
import type { LastScreen } from "./last-screen.ts";

export interface ContainerOptions {
  readonly deps: Pick<Deps, "clock" | "env" | "random">;
  readonly docker: string;
  readonly image: string;
  readonly network: string;
  readonly secrets: Secrets;
  readonly timeoutMs: number;
  readonly progress: (what: string) => void;
  /** Gets the last screen after a failure. */
  readonly keep: (screen: LastScreen) => void;
  /** The time is up, or the person has had enough; its reason is thrown. */
  readonly signal: AbortSignal;
}

/** What the program in the container says, each as a line of JSON; all else is not for us. */
export const said = {
  step: (step: string) => ({ step }),
  login: (auth: string) => ({ auth }),
  lastScreen: ({ picture, text }: LastScreen) => ({
    screen: { picture: Buffer.from(picture).toString("base64"), text },
  }),
  failure: (error: CodexlbError) => ({ ok: false, ...adminErrorBody(error) }),
};

/** Resolves to the text of the new auth.json. Throws what stops the login there, and `login_failed`. */
export async function signInContained(options: ContainerOptions): Promise<string> {
  const { deps, docker, image, network, secrets, timeoutMs, progress, signal } = options;
  const name = `codexlb-login-${Buffer.from(deps.random(6)).toString("hex")}`;
  const env = childEnvironment(deps.env);
  progress(`starting the container ${name}`);
  const child = start(
    [
      ...[docker, "run", "--rm", "--init", "--interactive"],
      // What it says holds the login, and must not go to a log of the engine's.
      ...["--log-driver", "none", "--name", name, "--network", network, image],
      ...["--username", secrets.username, "--password-stdin"],
      ...(secrets.totp === undefined ? [] : ["--totp-stdin"]),
      ...["--timeout", `${Math.max(1, Math.floor((timeoutMs * INNER_SHARE) / 1000))}s`, "--export", "login"],
    ],
    env,
  );
  let ended: Promise<string | undefined> | undefined;
  const end = () => {
    ended ??= endContainer(child, [docker, "rm", "--force", name], options);
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    // A client that has ended at once reads nothing; why it did is known below.
    await send(child.stdin, [secrets.password, ...(secrets.totp === undefined ? [] : [secrets.totp])]);
    const told = await readLines(child.stdout, options);
    const code = await child.exited;
    if (signal.aborted) throw withHint(signal.reason, await ended);
    if (told.auth !== undefined) return told.auth;
    if (told.error !== undefined) throw told.error;
    throw code === DOCKER_FAILED
      ? new CodexlbError("login_failed", `${docker} could not run ${image}; it said why`, {
          next: `see that it works, and that the image is there: ${docker} build --target login -t ${image} .`,
        })
      : new CodexlbError("login_failed", `the container ended with code ${code} and gave no login`, {
          next:
            code > 128
              ? "it was ended from outside: by somebody, or for want of memory"
              : `see that ${image} is the target login of codexlb's Dockerfile, of this version`,
        });
  } finally {
    signal.removeEventListener("abort", end);
    // It ends by itself when its input does, also when we are killed.
    await child.stdin.end();
    if (child.exitCode === null && child.signalCode === null) end();
    await ended;
  }
}

// --- internal ---

/** The program in the container gives up before we do, so that it can still say what it was at. */
const INNER_SHARE = 0.9;
/** What `docker run` ends with when it was docker itself that failed. */
const DOCKER_FAILED = 125;
/** An engine that has not removed it by then is not going to. */
const REMOVE_MS = 10_000;
/** What it says is shown on a terminal: nothing in it may steer that. */
const text = z.string().transform(oneLine);

const Line = z.union([
  z.object({ step: text }),
  z.object({ auth: z.string() }),
  z.object({ screen: z.object({ picture: z.base64(), text: z.string() }) }),
  z.object({
    error: text,
    code: z.string(),
    message: text.optional(),
    next: text.optional(),
  }),
]);

interface Told {
  auth?: string;
  error?: CodexlbError;
}

function start(argv: string[], env: Record<string, string | undefined>) {
  try {
    return Bun.spawn(argv, { env, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  } catch (error) {
    const why = systemCodeOf(error) === "ENOENT" ? "there is no such program" : messageOf(error);
    throw new CodexlbError("login_failed", `starting ${argv[0]}: ${why}`, {
      next: "install Docker or Podman, name it with --docker-bin, or use a browser of this machine",
      cause: error,
    });
  }
}

/**
 * The client passes a signal on, but may be ended alone, and the container would go on: it is ended by its name too.
 * Resolves to what is left to be done by hand, if it could not be.
 */
async function endContainer(
  child: ReturnType<typeof start>,
  remove: string[],
  { deps }: Pick<ContainerOptions, "deps">,
): Promise<string | undefined> {
  child.kill("SIGTERM");
  const removing = start(remove, childEnvironment(deps.env));
  const cancelTimer = deps.clock.after(REMOVE_MS, () => removing.kill("SIGKILL"));
  const code = await removing.exited;
  cancelTimer();
  child.kill("SIGKILL");
  return code === 0 ? undefined : `the container may still run: ${remove.join(" ")}`;
}

function withHint(reason: unknown, hint: string | undefined): unknown {
  if (hint === undefined || !(reason instanceof CodexlbError)) return reason;
  const { code, message, next, exitCode } = reason;
  return new CodexlbError(code, message, {
    next: `${next}; ${hint}`,
    exitCode,
  });
}

async function send(stdin: Bun.FileSink, lines: readonly string[]): Promise<void> {
  try {
    stdin.write(lines.map((line) => `${line}\n`).join(""));
    await stdin.flush();
  } catch {
    // nobody reads
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  { progress, keep }: Pick<ContainerOptions, "progress" | "keep">,
): Promise<Told> {
  const decoder = new TextDecoder();
  const told: Told = {};
  const take = (text: string): void => {
    const line = Line.safeParse(parseJson(text)).data;
    if (line === undefined) return;
    if ("step" in line) progress(line.step);
    else if ("auth" in line) told.auth = line.auth;
    else if ("screen" in line)
      keep({ picture: Buffer.from(line.screen.picture, "base64"), text: line.screen.text });
    else told.error = errorOf(line);
  };
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
  }
  take(rest);
  return told;
}

function errorOf(line: Extract<z.output<typeof Line>, { error: string }>): CodexlbError {
  const { error, code, message = error, next } = line;
  return new CodexlbError(errorCodeOf(code, "login_failed"), message, {
    next: next ?? "run it again; if it fails again, do it by hand: codexlb account login ALIAS",
  });
}
