import type { Invocation } from "../Command.ts"
import { exitStatus, exitStatusOf } from "../exitStatus.ts"
import { renderError } from "../renderError.ts"
import { History, historyFile } from "../repl/History.ts"
import { pipedRepl } from "../repl/pipedRepl.ts"
import { TerminalRepl, type TerminalReplOptions } from "../repl/TerminalRepl.ts"
import { listenForSignals, statusOfSignal } from "../ShutdownSignals.ts"
import { startHost } from "../withHost.ts"
import { within } from "../within.ts"

/** What streams that still run when the user leaves may take to drain, unless Ctrl-C is pressed. */
const drainMs = 30_000

/** After that, or after a cancellation, what is left to them for ending by themselves. */
const cancelMs = 1000

/** Evaluates what is typed, or what comes through a pipe, in one session. */
export const repl = async (invocation: Invocation): Promise<number> => {
  const { errors, flags, output } = invocation
  let failed: number | undefined
  const host = await startHost(flags, output)
  const session = host.session({
    onStreamFailure: (stream, error) => {
      failed ??= exitStatusOf(error)
      void output.problem(`The stream ${stream} failed. ${renderError(error, errors)}`)
    }
  })
  const signals = listenForSignals({ shutdownTimeoutMs: drainMs, lastWords: () => {} })
  const stop = Promise.race([signals.first, output.closed])
  const stopping = new AbortController()
  void stop.then(() => {
    stopping.abort()
    session.cancel()
  })
  try {
    const isTerminal = process.stdin.isTTY && process.stdout.isTTY
    const { signal: aborted } = stopping
    const conversation = isTerminal
      ? inTerminal(invocation, { host, session, signal: aborted })
      : pipedRepl(process.stdin.setEncoding("utf8"), session, invocation, aborted)
    // Whoever stops it does not wait for more input, only for what is cancelled.
    const status = await Promise.race([conversation, stop.then(() => within(cancelMs, conversation, () => exitStatus.done))])
    const signal = signals.received()
    if (session.streams.length > 0) await output.problem("Waiting for the streams to drain; Ctrl-C ends them at once.")
    return signal === undefined ? (status === exitStatus.done && !isTerminal ? (failed ?? status) : status) : statusOfSignal(signal)
  } finally {
    // The first signal may come only now: whoever left in a terminal and does not want to wait.
    void signals.first.then(() => session.cancelStreams())
    await within(drainMs + cancelMs, host.stop({ timeout: drainMs }), () => {})
    signals.release()
  }
}

const inTerminal = async (
  invocation: Invocation,
  surroundings: Pick<TerminalReplOptions, "host" | "session" | "signal">
): Promise<number> => {
  const history = new History(invocation.flags["no-history"] === true ? undefined : historyFile())
  const terminal = new TerminalRepl({ ...surroundings, history, invocation })
  surroundings.signal.addEventListener("abort", () => terminal.close())
  await terminal.run()
  return exitStatus.done
}
