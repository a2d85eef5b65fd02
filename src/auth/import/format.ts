// What the readers of other programs' login files have in common.

/** A login in a file of Codex or of another program. */
export interface FoundLogin {
  readonly kind: "login";
  /** The file that contains it. */
  readonly path: string;
  /** The login as the text of an auth.json. */
  readonly auth: string;
  /** The Codex home of the login, whose settings belong to it; undefined if it is not in one. */
  readonly home?: string;
  /** The alias of the login in another root. */
  readonly alias?: string;
  /** The e-mail address according to the other program. The tokens may contain none. */
  readonly email?: string | undefined;
}

/** A login that cannot be used, or a file without logins. */
export interface UnusableLogin {
  readonly kind: "unusable";
  readonly path: string;
  readonly email?: string | undefined;
  /** Why, for a person: `no access token`. */
  readonly reason: string;
}

/** A file that may contain logins. */
export interface LoginFile {
  readonly path: string;
  /** The parsed content; undefined if it is not JSON. */
  readonly json: unknown;
  /** The content as it is in the file; undefined if it is not text. */
  readonly text: string | undefined;
}

export interface ReadOptions {
  /** The passphrase of an encrypted file; undefined if the user gave none. */
  readonly passphrase: string | undefined;
}

/** One kind of file that `codexlb account import` reads. */
export interface LoginFormat {
  /** The program that writes it, as it names itself. */
  readonly program: string;
  /** Where the program keeps it, or how to get it. */
  readonly where: string;
  /** True for a file of this kind. Looks at the content, because files are copied and renamed. */
  readonly recognise: (file: LoginFile) => boolean;
  /** The logins in a recognised file. Never throws for its content. */
  readonly read: (file: LoginFile, options: ReadOptions) => readonly (FoundLogin | UnusableLogin)[];
}
