// Loaded into an executable before its own code (BUN_OPTIONS): its wall clock is then five minutes ahead of all others.

const now = Date.now;
Date.now = () => now() + 5 * 60_000;
