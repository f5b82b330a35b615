/** What the signals have said so far. */
export interface ShutdownSignals {
  /** Resolves with the first signal: time to drain. */
  readonly first: Promise<NodeJS.Signals>
  /** The first signal, once it has come. */
  readonly received: () => NodeJS.Signals | undefined
  /** Whether a second one said not to wait for the draining. */
  readonly isKilled: () => boolean
  /**
   * Gives the signals back to the operating system's defaults. Once one has come this does nothing: the process is to end,
   * and printing its last lines must not take longer than the time to drain either.
   */
  readonly release: () => void
}

const listened = ["SIGTERM", "SIGINT"] as const satisfies ReadonlyArray<NodeJS.Signals>

/** After the streams' own deadline, what they still need to say what they could not drain. */
const graceMs = 1500

/** For a signal of the process to itself. */
const deliveryMs = 250

/** After the second signal, what streams have for being killed and for saying what they leave behind. */
const killMs = 1000

/**
 * Listens for SIGTERM and SIGINT. The first asks to drain. The second kills the streams and ends the process a second
 * later at most, as does the end of the time to drain, whatever hangs; a third ends it at once.
 *
 * @param options.kill kills the streams, without waiting for them; left out, the second signal ends the process at once
 * @param options.lastWords runs right before the process is ended that way; synchronous, and what it throws is ignored
 */
export const listenForSignals = (options: { readonly shutdownTimeoutMs: number; readonly kill?: () => void; readonly lastWords: () => void }): ShutdownSignals => {
  let received: NodeJS.Signals | undefined
  let isKilled = false
  let announce: (signal: NodeJS.Signals) => void
  const first = new Promise<NodeJS.Signals>((resolve) => (announce = resolve))

  const onSignal = (signal: NodeJS.Signals) => {
    const { kill } = options
    if (isKilled || (received !== undefined && kill === undefined)) return end(signal)
    if (received !== undefined) {
      isKilled = true
      setTimeout(() => end(signal), killMs)
      return attempt(kill!)
    }
    received = signal
    setTimeout(() => end(signal), options.shutdownTimeoutMs + graceMs)
    announce(signal)
  }
  const release = () => {
    if (received === undefined) for (const signal of listened) process.off(signal, onSignal)
  }
  const end = (signal: NodeJS.Signals) => {
    attempt(options.lastWords)
    dieOf(signal)
  }
  for (const signal of listened) process.on(signal, onSignal)
  return { first, received: () => received, isKilled: () => isKilled, release }
}

/** Ending is all that is left to do, so nothing may come in its way. */
const attempt = (last: () => void): void => {
  try {
    last()
  } catch {
    // There is nobody left to tell.
  }
}

/** What a shell shows for a process that ended because of a signal. */
export const statusOfSignal = (signal: NodeJS.Signals): number => (signal === "SIGINT" ? 130 : 143)

export const signalOfStatus = (status: number): NodeJS.Signals | undefined => listened.find((signal) => statusOfSignal(signal) === status)

/**
 * Ends the process as the signal would have ended it without us.
 *
 * Not `process.exit`, which joins the threads of the pool and so waits for ever while one of them writes to a pipe that
 * nobody reads. A shell shows the same status, 130 or 143.
 */
export const dieOf = (signal: NodeJS.Signals): void => {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
  // A system may take its time to deliver it; nothing else is to happen meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, deliveryMs)
  // Only where the signal was blocked by whoever started us.
  process.kill(process.pid, "SIGKILL")
}
