// A button that saves a text as a file.

export interface DownloadProps {
  readonly name: string;
  readonly label: string;
  /** Called when the user presses the button. */
  readonly text: () => string;
}

export function Download({ name, label, text }: DownloadProps) {
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: "text/csv" }));
    link.download = name;
    link.click();
    // Some browsers read the text only a moment after the click.
    setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
  };
  return (
    <button type="button" class="small" onClick={save}>
      {label}
    </button>
  );
}

// --- internal ---

const KEPT_MS = 60_000;
