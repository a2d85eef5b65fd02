// Text of strangers, as it may be shown.

/** `text` with nothing in it that could steer a terminal, or begin a line of its own. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, " ");
}
