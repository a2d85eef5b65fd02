// A command that the user can copy.

import { useState } from "preact/hooks";

export function CommandLine({ command }: { readonly command: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(command);
    setCopied(true);
  };
  return (
    <span class="command">
      <code>{command}</code>
      {/* Browsers give pages without TLS no clipboard, except on loopback. */}
      {navigator.clipboard !== undefined && (
        <button type="button" class="small" aria-label={`Copy: ${command}`} onClick={() => void copy()}>
          {copied ? "Copied" : "Copy"}
        </button>
      )}
    </span>
  );
}
