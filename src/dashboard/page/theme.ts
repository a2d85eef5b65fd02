// The colours of the page: those of the system, or the user's choice.

export const THEMES = ["system", "dark", "light"] as const;
export type Theme = (typeof THEMES)[number];

const STORED = "codexlb-theme";

/** The user's choice; `system` at first. */
export function storedTheme(): Theme {
  const stored = localStorage.getItem(STORED);
  return THEMES.find((theme) => theme === stored) ?? "system";
}

/** Shows the page in `theme`, and keeps the choice. */
export function applyTheme(theme: Theme): void {
  localStorage.setItem(STORED, theme);
  document.documentElement.dataset.theme = theme;
}
