// The names of SQLite's files beside a database, apart from the code that needs SQLite.

/** What is appended to the path of the database. */
export const SIDE_FILES = ["-wal", "-shm"] as const;
