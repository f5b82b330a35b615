import type { Output } from "./Output.ts"
import { plainProgressLine, progressLines, ProgressMeter, type StreamProgress, summaryLine, totalLine } from "./progressLines.ts"

/** Shows how far the streams of a run are. */
export interface Progress {
  /** Takes the display off the screen, and says what each stream did. */
  readonly end: () => void
}

const redrawMs = 100
const plainLineMs = 5000
const worthALineMs = 1000

/**
 * @param options.mode `auto` redraws one region on a terminal and is silent anywhere else; `plain` prints a line per stream
 * every five seconds and at the end; `off` says nothing
 * @param options.terminal standard error, where it is a terminal that can move its cursor
 * @param options.read where the streams are now; asked ten times a second
 */
export const showProgress = (options: {
  readonly mode: "auto" | "plain" | "off"
  readonly output: Output
  readonly terminal: LiveTerminal | undefined
  readonly read: () => ReadonlyArray<StreamProgress>
}): Progress => {
  const { mode, output, read, terminal } = options
  const meter = new ProgressMeter()
  const began = performance.now()
  const summarize = () => {
    const elapsed = performance.now() - began
    const streams = read()
    if (streams.length > 1) for (const progress of streams) void output.problem(summaryLine(progress, elapsed))
    // The system counts the most that was ever resident in kibibytes.
    if (streams.length > 0) void output.problem(totalLine(streams, elapsed, process.resourceUsage().maxRSS * 1024))
  }
  const paces = () => {
    const now = performance.now()
    for (const progress of read()) meter.report(progress, now)
    return meter.paces(now)
  }
  if (mode === "plain") {
    const measuring = setInterval(paces, redrawMs).unref()
    const printing = setInterval(() => {
      for (const pace of paces()) void output.problem(plainProgressLine(pace))
    }, plainLineMs).unref()
    return {
      end: () => {
        clearInterval(measuring)
        clearInterval(printing)
        summarize()
      }
    }
  }
  if (mode === "off" || terminal === undefined) return { end: () => {} }

  let shown = 0
  /** Up to the region's first line; from there everything is erased, also what the terminal shows of a Ctrl-C. */
  const erased = () => (shown > 0 ? `\u001b[${shown}F\u001b[J` : "")
  const clear = () => {
    output.raw(erased())
    shown = 0
  }
  const refresh = () => {
    // What does not fit on the screen would scroll out of reach of the cursor.
    const lines = progressLines(paces(), terminal.columns()).slice(0, Math.max(1, terminal.rows() - 1))
    // In one write, so that nobody sees the screen in between.
    output.raw(erased() + lines.map((line) => `${line}\n`).join(""))
    shown = lines.length
  }
  output.show({ clear })
  const timer = setInterval(refresh, redrawMs).unref()
  return {
    end: () => {
      clearInterval(timer)
      output.show(undefined)
      // What was over before anybody could look is not worth a line.
      if (performance.now() - began >= worthALineMs) summarize()
    }
  }
}

export interface LiveTerminal {
  readonly columns: () => number
  readonly rows: () => number
}

/** Standard error, if it is a terminal on which lines can be redrawn. */
export const liveTerminal = (): LiveTerminal | undefined =>
  process.stderr.isTTY && process.env["TERM"] !== "dumb"
    ? // A terminal that does not know its size says 0.
      { columns: () => process.stderr.columns || 80, rows: () => process.stderr.rows || 24 }
    : undefined
