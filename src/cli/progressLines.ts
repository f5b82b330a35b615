import { formatCount, formatDuration, formatSize } from "./quantity.ts"

/** How far one stream has come. */
export interface StreamProgress {
  readonly name: string
  /** Items that its sources have given. */
  readonly items: number
  /** Bytes that its sources have read and how many there are, where they know. */
  readonly bytes: { readonly done: number; readonly total: number | undefined } | undefined
}

/** What is shown of one stream: where it stands, and what it did in the last seconds. */
export interface Pace {
  readonly progress: StreamProgress
  /** Per second, over the last few seconds; `undefined` before there is anything to measure. */
  readonly byteRate: number | undefined
  readonly itemRate: number | undefined
}

/**
 * Follows the streams of a run.
 *
 * Rates are over a sliding window, so that a pause or a slow start shows for seconds only; from start to now they would
 * lie about both.
 */
export class ProgressMeter {
  private readonly streams = new Map<string, { latest: StreamProgress; readonly samples: Array<Sample> }>()
  private readonly windowMs: number

  constructor(windowMs = 5000) {
    this.windowMs = windowMs
  }

  report(progress: StreamProgress, nowMs: number): void {
    const stream = this.streams.get(progress.name)
    const sample = { atMs: nowMs, bytes: progress.bytes?.done ?? 0, items: progress.items }
    if (stream === undefined) {
      this.streams.set(progress.name, { latest: progress, samples: [sample] })
      return
    }
    stream.latest = progress
    // Ten samples a second are plenty, and bound the window.
    if (nowMs - stream.samples.at(-1)!.atMs >= 100) stream.samples.push(sample)
    // One sample from before the window stays, so that the window is always covered.
    while (stream.samples.length > 2 && stream.samples[1]!.atMs < nowMs - this.windowMs) stream.samples.shift()
  }

  paces(nowMs: number): ReadonlyArray<Pace> {
    return [...this.streams.values()].map(({ latest, samples }) => {
      const first = samples[0]!
      const seconds = (nowMs - first.atMs) / 1000
      const measured = seconds >= 0.2
      return {
        progress: latest,
        byteRate: measured ? ((latest.bytes?.done ?? 0) - first.bytes) / seconds : undefined,
        itemRate: measured ? (latest.items - first.items) / seconds : undefined
      }
    })
  }
}

interface Sample {
  readonly atMs: number
  readonly bytes: number
  readonly items: number
}

const barWidth = 20

/** One line for each stream, none longer than the terminal is wide. */
export const progressLines = (paces: ReadonlyArray<Pace>, columns: number): ReadonlyArray<string> => {
  const nameWidth = Math.max(0, ...paces.map(({ progress }) => progress.name.length))
  return paces.map((pace) => cut([pace.progress.name.padEnd(nameWidth), ...progressParts(pace)].join("  "), columns))
}

/** The same for a log: without a bar. */
export const plainProgressLine = (pace: Pace): string => [pace.progress.name, ...figures(pace)].join(", ")

/** What a stream did, once it has ended. */
export const summaryLine = ({ bytes, items, name }: StreamProgress, elapsedMs: number): string => {
  const read = bytes === undefined ? "" : `${formatSize(bytes.done)}, `
  const rate = elapsedMs > 0 ? `, ${formatCount(Math.round((items * 1000) / elapsedMs))} items/s` : ""
  return `${name}: ${read}${formatCount(items)} items in ${(elapsedMs / 1000).toFixed(1)} s${rate}`
}

const progressParts = (pace: Pace): ReadonlyArray<string> => {
  const { done = 0, total } = pace.progress.bytes ?? {}
  const bar = total === undefined || total === 0 ? [] : [drawBar(done / total)]
  return [...bar, ...figures(pace)]
}

const figures = ({ byteRate, itemRate, progress: { bytes, items } }: Pace): ReadonlyArray<string> => {
  const parts: Array<string> = []
  const { done = 0, total } = bytes ?? {}
  if (bytes !== undefined) parts.push(total === undefined ? formatSize(done) : `${formatSize(done)} of ${formatSize(total)}`)
  if (total !== undefined && total > 0) parts.push(`${Math.min(100, Math.floor((done / total) * 100))} %`)
  if (bytes === undefined || itemRate === undefined) parts.push(`${formatCount(items)} items`)
  if (itemRate !== undefined) parts.push(`${formatCount(Math.round(itemRate))} items/s`)
  if (total !== undefined && done < total && byteRate !== undefined && byteRate > 0) {
    parts.push(`ETA ${formatDuration(((total - done) / byteRate) * 1000)}`)
  }
  return parts
}

const drawBar = (fraction: number): string => {
  const full = Math.min(barWidth, Math.max(0, Math.round(fraction * barWidth)))
  return "█".repeat(full) + "░".repeat(barWidth - full)
}

/** The end of a long address says more than the end of the line; but a line must never wrap, or it can't be redrawn. */
const cut = (line: string, columns: number): string => (line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`)

/** What the whole run did, and what it took: `peakBytes` is the most memory that the process had. */
export const totalLine = (streams: ReadonlyArray<StreamProgress>, elapsedMs: number, peakBytes: number): string => {
  const items = streams.reduce((sum, stream) => sum + stream.items, 0)
  const rate = elapsedMs > 0 ? formatCount(Math.round((items * 1000) / elapsedMs)) : "0"
  return `${formatCount(items)} items went through in ${(elapsedMs / 1000).toFixed(1)} s: ${rate} items per second, in at most ${formatSize(peakBytes)} of memory`
}
