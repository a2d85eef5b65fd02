// Reads a .cpuprofile, and adds up the time of each function.

/** The part of a .cpuprofile that this file reads. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** IDs of nodes, in order of time. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

export interface FunctionTime {
  /** The function and where it is defined: `forward src/proxy/forward.ts`. */
  readonly name: string;
  /** Time in the function itself, ms. */
  readonly selfMs: number;
  /** Time in the function and everything that it calls, ms. */
  readonly totalMs: number;
}

/** The time of each function. `directory` is removed from the paths of files. */
export function functionTimes(profile: CpuProfile, directory: string): FunctionTime[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const selfUs = new Map<number, number>();
  for (const [index, id] of profile.samples.entries())
    selfUs.set(id, (selfUs.get(id) ?? 0) + (profile.timeDeltas[index] ?? 0));
  const self = new Map<string, number>();
  const total = new Map<string, number>();
  const add = (times: Map<string, number>, name: string, us: number) =>
    times.set(name, (times.get(name) ?? 0) + us);

  /** Returns the time of the node and all nodes below it. `callers`: the functions above it. */
  const walk = (node: ProfileNode, callers: ReadonlySet<string>): number => {
    const name = nameOf(node, directory);
    const own = selfUs.get(node.id) ?? 0;
    add(self, name, own);
    const inside = new Set(callers).add(name);
    let all = own;
    for (const id of node.children ?? []) {
      const child = nodes.get(id);
      if (child !== undefined) all += walk(child, inside);
    }
    // The time of a recursive call is already part of the outer call.
    if (!callers.has(name)) add(total, name, all);
    return all;
  };
  const called = new Set(profile.nodes.flatMap(({ children = [] }) => children));
  for (const node of profile.nodes) if (!called.has(node.id)) walk(node, new Set());
  return [...total].map(([name, us]) => ({
    name,
    selfMs: (self.get(name) ?? 0) / 1000,
    totalMs: us / 1000,
  }));
}

// --- internal ---

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode, directory: string): string {
  const path = url.replace(/^file:\/\//, "").replace(`${directory}/`, "");
  if (functionName === "") return path === "" ? "(native)" : `(anonymous) ${path}:${lineNumber + 1}`;
  // The line is left out, because an async function has another line after each await.
  return path === "" ? functionName : `${functionName} ${path}`;
}
