// Parses a Dockerfile into stages, so that tests can check and run its instructions.

export interface Instruction {
  /** The name in capitals, such as `RUN`. */
  readonly name: string;
  /** The words after the name, with continued lines joined and comments removed. */
  readonly text: string;
}

export interface Stage {
  /** The name after `AS`. */
  readonly name: string;
  /** An image, or the name of an earlier stage. */
  readonly from: string;
  /** The value of `--platform`; undefined if the stage has the image's platform. */
  readonly platform: string | undefined;
  /** The instructions after the line `FROM`. */
  readonly instructions: readonly Instruction[];
}

/**
 * The stages of the Dockerfile with the text `dockerfile`, in order. Throws if a stage has no name or an instruction
 * precedes them.
 */
export function stagesOf(dockerfile: string): Stage[] {
  const stages: (Stage & { readonly instructions: Instruction[] })[] = [];
  for (const { name, text } of instructionsOf(dockerfile)) {
    if (name !== "FROM") {
      const stage = stages.at(-1);
      if (stage === undefined) throw new Error(`${name} precedes the first FROM`);
      stage.instructions.push({ name, text });
      continue;
    }
    const match = /^(?:--platform=(\S+) )?(\S+) AS (\S+)$/.exec(text);
    if (match === null) throw new Error(`FROM ${text} gives the stage no name`);
    const [, platform, from = "", stage = ""] = match;
    stages.push({ name: stage, from, platform, instructions: [] });
  }
  return stages;
}

/** The texts of all instructions `name` of `stage`, in order. */
export function textsOf(stage: Stage, name: string): string[] {
  return stage.instructions.filter((instruction) => instruction.name === name).map(({ text }) => text);
}

/** The text of the last instruction `name` of `stage`, which overrides earlier ones. */
export function lastOf(stage: Stage, name: string): string | undefined {
  return textsOf(stage, name).at(-1);
}

/** The variables that `stage` sets with `ENV NAME=value ...`. Values must not contain blanks. */
export function environmentOf(stage: Stage): Record<string, string> {
  const pairs = textsOf(stage, "ENV").flatMap((text) => text.split(/\s+/));
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
}

/** The words of a command in the form `["word", ...]`. Throws for the shell form. */
export function wordsOf(command: string | undefined): string[] {
  return JSON.parse(command ?? "[]") as string[];
}

// --- internal ---

function instructionsOf(text: string): Instruction[] {
  return text
    .split("\n")
    .filter((line) => !/^\s*(?:#|$)/.test(line))
    .join("\n")
    .replaceAll(/\s*\\\n\s*/g, " ")
    .split("\n")
    .map((line) => {
      const [, name = "", text = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { name: name.toUpperCase(), text };
    });
}
