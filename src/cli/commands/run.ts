import { ProgramTimeout, type RunningProgram, type RunReport, type StreamHost } from "../../host/index.ts"
import { toJson } from "../../rtfs/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import type { FlagValues } from "../Flag.ts"
import { liveTerminal, showProgress } from "../Progress.ts"
import { ReadBytes } from "../ReadBytes.ts"
import { readProgram } from "../readProgram.ts"
import { ReportFile } from "../ReportFile.ts"
import { listenForSignals, statusOfSignal } from "../ShutdownSignals.ts"
import { startHost } from "../withHost.ts"
import { within } from "../within.ts"

const defaultShutdownTimeoutMs = 30_000

/** After a timeout, what is left to streams for ending by themselves. */
const cancelMs = 1000

/**
 * Runs a program until all its streams have ended, or until a signal has drained them.
 *
 * Items of its last stream go to standard output, one JSON line each; with `--json` its last value does instead, and all
 * else goes to standard error.
 */
export const run = async (invocation: Invocation): Promise<number> => {
  const { flags, output } = invocation
  const shutdownTimeoutMs = flags["shutdown-timeout"] ?? defaultShutdownTimeoutMs
  const reportFile = new ReportFile(flags.report)
  let kill = () => {}
  const signals = listenForSignals({ shutdownTimeoutMs, kill: () => kill(), lastWords: () => reportFile.write("killed") })
  // When the reader of the output has gone (`| head`), nothing more is wanted either.
  const stop = Promise.race([signals.first, output.closed])
  let stopping = false
  void stop.then(() => (stopping = true))
  void signals.first.then((signal) =>
    output.problem(`${signal}: letting the streams finish, for ${shutdownTimeoutMs / 1000} s at most. A second signal ends them at once.`)
  )
  try {
    const report = await runProgram(invocation, {
      reportFile,
      shutdownTimeoutMs,
      onStart: (program) => {
        reportFile.current = program.report
        kill = () => void program.cancel({ withinMs: 0 }).catch(() => {})
        // What goes wrong while draining is what the run fails with.
        void stop.then(() => program.drain({ timeoutMs: shutdownTimeoutMs })).catch(() => {})
      }
    }).catch((error: unknown) => {
      if (stopping && reportFile.current !== undefined && isOfDraining(error)) return reportFile.current()
      throw error
    })
    const signal = signals.received()
    if (flags.json === true) await output.line(toJson(report.value))
    for (const line of losses(report, flags)) await output.problem(line)
    reportFile.write(signals.isKilled() ? "killed" : stopping ? "drained" : "done")
    return signal === undefined ? exitStatus.done : statusOfSignal(signal)
  } catch (error) {
    reportFile.write("failed", error)
    throw error
  } finally {
    signals.release()
  }
}

/** Streams that did not drain in time were cancelled, and a program that goes on after its streams can't start more. */
const isOfDraining = (error: unknown): boolean => {
  const { _tag, cause } = error as { readonly _tag?: unknown; readonly cause?: unknown }
  return _tag === "StreamCancelled" || _tag === "HostUnavailable" || (cause instanceof Error && cause !== error && isOfDraining(cause))
}

/** A URL may hold a password, and is not printed. */
const whereLettersAre = ({ "data-dir": dataDir, store }: FlagValues): string => {
  if (store === "memory:" || (store === undefined && dataDir === undefined)) {
    return "and kept in memory only: --data-dir DIR or --store URL would keep them as dead letters."
  }
  const place = store === undefined ? `--data-dir ${dataDir}` : "--store URL"
  return `and stored: rtfs-streams dead-letters list ${place} shows them.`
}

/** What became of items that did not go through, one line for each kind: nothing is lost in silence. */
const losses = ({ deadLettered, dropped, skipped, undrained }: RunReport, flags: FlagValues): ReadonlyArray<string> => [
  ...(undrained > 0 ? [`${undrained} items had been accepted and were not worked off in time.`] : []),
  ...(skipped > 0 ? [`${items(skipped)} left out, because a function failed on them (:on-failure :skip).`] : []),
  ...(dropped > 0 ? [`${items(dropped)} dropped by full buffers (:overflow).`] : []),
  ...(deadLettered > 0 ? [`${items(deadLettered)} given up on ${whereLettersAre(flags)}`] : [])
]

interface Surroundings {
  readonly reportFile: ReportFile
  readonly shutdownTimeoutMs: number
  readonly onStart: (program: RunningProgram) => void
}

const runProgram = async (
  { errors, flags, operand, output }: Invocation,
  { onStart, reportFile, shutdownTimeoutMs }: Surroundings
): Promise<RunReport> => {
  const { file, source } = await readProgram(operand!)
  errors.source = source
  const read = new ReadBytes()
  const progress = showProgress({
    mode: flags.progress ?? "auto",
    output,
    terminal: liveTerminal(),
    read: () => (reportFile.current?.().streams ?? []).map(({ id, processed }) => ({ name: id, items: processed, bytes: read.of(id) }))
  })
  let host: StreamHost | undefined
  try {
    host = await startHost(flags, output, (progress) => {
      if (progress.unit === "bytes") read.report(progress)
    })
    const report = host.run(source, {
      file,
      onItem: (item) => (flags.json === true ? output.problem(toJson(item)) : output.line(toJson(item))),
      onStart,
      timeoutMs: flags.timeout
    })
    // The host cancels at the timeout, which waits for calls that can't be interrupted; some never end.
    return await within(flags.timeout === undefined ? undefined : flags.timeout + cancelMs, report, () => {
      throw new ProgramTimeout(flags.timeout!)
    })
  } finally {
    progress.end()
    if (host !== undefined) await within(shutdownTimeoutMs + cancelMs, host.stop({ timeout: shutdownTimeoutMs }), () => {})
  }
}

const items = (count: number): string => (count === 1 ? "1 item was" : `${count} items were`)
