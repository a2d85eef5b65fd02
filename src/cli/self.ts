// How this program starts itself: the compiled executable, or Bun with the sources.

/** The words before the arguments. */
export function selfCommand(): string[] {
  return isCompiled() ? [process.execPath] : [process.execPath, `${import.meta.dir}/../main.ts`];
}

export function isCompiled(): boolean {
  return import.meta.path.startsWith("/$bunfs/");
}
