// Starts this program again: the compiled executable, or Bun with the sources.

/** The command line that starts this program, without arguments. */
export function selfCommand(): string[] {
  return isCompiled() ? [process.execPath] : [process.execPath, `${import.meta.dir}/../main.ts`];
}

/** False if Bun runs the sources. */
export function isCompiled(): boolean {
  return import.meta.path.startsWith("/$bunfs/");
}
