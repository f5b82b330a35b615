import type { DeadLetterSelection, StreamHost } from "../../host/index.ts"
import { toJson } from "../../rtfs/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { readProgram } from "../readProgram.ts"
import { listenForSignals, statusOfSignal } from "../ShutdownSignals.ts"
import { UsageError } from "../UsageError.ts"
import { startHost } from "../withHost.ts"
import { within } from "../within.ts"

const defaultShutdownTimeoutMs = 30_000
const closingMs = 1000

/**
 * Runs a program whose symbol `dead-letters` is the stream of the letters' items, each once.
 *
 * The letters that it was given are removed when it has ended well and worked everything off, and only then: after a
 * failure, a signal or a crash all of them are still there. What fails again is a new letter, which stays.
 */
export const replay = async (selection: DeadLetterSelection, { errors, flags, output }: Invocation): Promise<number> => {
  if (flags.program === undefined) {
    throw new UsageError("dead-letters replay needs --program FILE: what is to be done with the items.", "dead-letters")
  }
  const { file, source } = await readProgram(flags.program)
  errors.source = source
  const shutdownTimeoutMs = flags["shutdown-timeout"] ?? defaultShutdownTimeoutMs
  const letters = new Letters(selection)
  let kill = () => {}
  const signals = listenForSignals({ shutdownTimeoutMs, kill: () => kill(), lastWords: () => {} })
  let host: StreamHost | undefined
  try {
    host = await startHost(flags, output, undefined, { "dead-letters": letters })
    letters.host = host
    const report = await host.run(source, {
      file,
      timeoutMs: flags.timeout,
      onItem: (item) => (flags.json === true ? output.problem(toJson(item)) : output.line(toJson(item))),
      onStart: (program) => {
        kill = () => void program.cancel({ withinMs: 0 }).catch(() => {})
        void signals.first.then(() => program.drain({ timeoutMs: shutdownTimeoutMs })).catch(() => {})
      }
    })
    const signal = signals.received()
    const isDone = signal === undefined && report.undrained === 0
    const removed = isDone && letters.given.length > 0 ? await host.deadLetters.remove({ ids: letters.given }) : 0
    if (flags.json === true) await output.line(toJson(report.value))
    await output.problem(
      isDone
        ? `${removed} ${removed === 1 ? "letter was" : "letters were"} worked off and removed.`
        : `All letters are still there: the program ended before everything was worked off.`
    )
    if (letters.unreadable > 0)
      await output.problem(`${letters.unreadable} could not be given, because there is only a text of their items.`)
    if (report.deadLettered > 0) await output.problem(`${report.deadLettered} failed again and are new letters.`)
    return signal === undefined ? exitStatus.done : statusOfSignal(signal)
  } finally {
    signals.release()
    if (host !== undefined) await within(shutdownTimeoutMs + closingMs, host.stop({ timeout: shutdownTimeoutMs }), () => {})
  }
}

/** The items of the letters as an iterable that a program can consume once. */
class Letters implements AsyncIterable<unknown> {
  host: StreamHost | undefined
  readonly given: Array<number> = []
  unreadable = 0
  readonly #selection: DeadLetterSelection
  #isTaken = false

  constructor(selection: DeadLetterSelection) {
    this.#selection = selection
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    if (this.#isTaken)
      throw new Error("The stream dead-letters can be consumed once in a program, since each letter is given once. Branch it instead.")
    this.#isTaken = true
    return this.#items()
  }

  async *#items(): AsyncGenerator<unknown> {
    for await (const { id, item } of this.host!.deadLetters.each(this.#selection)) {
      if (!("value" in item)) {
        this.unreadable++
        continue
      }
      this.given.push(id)
      yield item.value
    }
  }
}
