// Reads the commit that the working tree is based on.

export interface Commit {
  /** The first twelve digits. */
  readonly hash: string;
  /** True if a file of the working tree differs from the commit or is not part of it. */
  readonly isDirty: boolean;
  /** The day of the commit, `2026-01-31`, in the time zone of its author. */
  readonly day: string;
  /** The time of the commit, in Unix seconds. */
  readonly seconds: number;
}

/** The commit that the working tree at `directory` is based on; undefined without git or a commit. */
export function readCommit(directory: string): Commit | undefined {
  const git = (...args: string[]) => Bun.spawnSync(["git", ...args], { cwd: directory, stderr: "ignore" });
  const show = git("show", "--no-patch", "--abbrev=12", "--format=%h %cs %ct", "HEAD");
  if (!show.success) return undefined;
  const [hash = "", day = "", seconds = ""] = show.stdout.toString().trim().split(" ");
  const isDirty = git("status", "--porcelain").stdout.length > 0;
  return { hash, isDirty, day, seconds: Number(seconds) };
}

/** The name of the commit in `--version`: `d61ad7bd1571`, `d61ad7bd1571-dirty` or `unknown`. */
export function commitName(commit: Commit | undefined): string {
  if (commit === undefined) return "unknown";
  return commit.isDirty ? `${commit.hash}-dirty` : commit.hash;
}
