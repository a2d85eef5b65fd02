// Prometheus's own checks, by `promtool` (Debian package prometheus).

/** Why `promtool` cannot be used; undefined if it can. */
export function whyNoPromtool(): string | undefined {
  return Bun.which("promtool") === null ? "promtool is missing (Debian package prometheus)" : undefined;
}

/** Runs `promtool` with `args` and this standard input. Returns what it prints. Throws an Error if it finds a mistake. */
export async function promtool(args: readonly string[], input = ""): Promise<string> {
  const child = Bun.spawn(["promtool", ...args], {
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`promtool ${args.join(" ")} exited with ${code}:\n${out}${err}`);
  return out + err;
}
