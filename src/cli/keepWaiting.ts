import type { Output } from "./Output.ts"

/**
 * Keeps the process there when nothing is left that could happen although the command is not done: a promise of a
 * binding that is never settled, a paused stream that nobody resumes. Node would end it with status 13 and a warning about
 * our code; instead its reader is told what is going on, and signals drain it as ever.
 */
export const keepWaiting = (output: Output): void => {
  process.once("beforeExit", () => {
    // Longer than any process lives. It needs no end: commands end the process.
    setInterval(() => {}, 2 ** 31 - 1)
    void output.problem(
      "The program waits for something that nothing in this process can bring about any more: a promise that a binding never settles, or a paused stream that nobody resumes. Ctrl-C or SIGTERM ends it; --timeout would."
    )
  })
}
