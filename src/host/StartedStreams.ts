import { BoundExceeded, type StreamValue } from "../capabilities/index.ts"
import type { Pipeline } from "./Pipeline.ts"
import { addCounts, type ItemCounts, noItems, type StreamReport } from "./Report.ts"

/** How many streams of one program may be there at once, each some 50 KB. */
const mostLive = 10_000

/** How many streams that have ended are kept with their actors, for `inspect`. */
const mostEnded = 100

/** How many streams that have ended are kept as a line of the report. */
const mostReports = 10_000

/**
 * The streams that one program has started. A service may start a stream for each item and run for weeks, so of those
 * that have ended only the last are kept; the counts are of all.
 *
 * **Bounds** 10,000 streams that have not ended, up to 200 ended ones, and 10,000 lines of the report.
 */
export class StartedStreams {
  readonly #live = new Set<Pipeline>()
  #ended: Array<Pipeline> = []
  #reports: Array<StreamReport> = []
  #forgotten: ItemCounts = noItems

  /** **Fails** by throwing `BoundExceeded` where 10,000 of the program's streams go on already. */
  checkRoom({ capability }: StreamValue): void {
    if (this.#live.size < mostLive) return
    throw new BoundExceeded(
      capability.id,
      `would be one stream more than the ${mostLive} of this program that have not ended`,
      "Let streams end before others begin; a function that calls itself for each item of a stream of its own never does."
    )
  }

  add(stream: Pipeline): void {
    this.#live.add(stream)
    const end = () => {
      this.#live.delete(stream)
      this.#ended.push(stream)
      // By halves, so that forgetting costs little for each stream.
      if (this.#ended.length >= 2 * mostEnded) this.#forget(this.#ended.splice(0, mostEnded))
    }
    stream.result.then(end, end)
  }

  /** Those that have not ended, and the last of those that have. */
  get all(): ReadonlyArray<Pipeline> {
    return [...this.#ended, ...this.#live]
  }

  /** Those that have not ended: running, paused, or only created. */
  get open(): ReadonlyArray<Pipeline> {
    return [...this.#live].filter((stream) => !stream.isOver)
  }

  reports(): ReadonlyArray<StreamReport> {
    return [...this.#reports, ...this.all.filter((stream) => stream.isStarted).map((stream) => stream.report())]
  }

  counts(): ItemCounts {
    return this.all.map((stream) => stream.counts()).reduce(addCounts, this.#forgotten)
  }

  #forget(streams: ReadonlyArray<Pipeline>): void {
    this.#forgotten = streams.map((stream) => stream.counts()).reduce(addCounts, this.#forgotten)
    for (const stream of streams) if (stream.isStarted) this.#reports.push(stream.report())
    if (this.#reports.length >= 2 * mostReports) this.#reports = this.#reports.slice(-mostReports)
  }
}
