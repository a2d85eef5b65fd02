// Limits the time between two parts of a download.

/** Aborts `signal` if nothing arrives for `idleMs`. */
export class IdleTimer {
  readonly #idleMs: number;
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts the wait for the next part. */
  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), this.#idleMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** A response with the same body, each part of which restarts the wait. */
  watch(response: Response): Response {
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform: (part, controller) => {
        this.restart();
        controller.enqueue(part);
      },
    });
    return new Response(response.body?.pipeThrough(counted) ?? null);
  }
}
