// How a promise ended, for `toThrow`.

/**
 * Waits for `promise`, and returns a function that throws what it was rejected with, or returns its value.
 *
 * `expect(promise).rejects` of Bun must not be used: it runs the event loop within the callback that called it. Events
 * that the outer iteration had yet to deliver are then lost, for example the output and exit of a child process.
 */
export async function outcome<Value>(promise: Promise<Value>): Promise<() => Value> {
  try {
    const value = await promise;
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
