import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { createHistogram, type RecordableHistogram } from "node:perf_hooks"
import type { Actor } from "../actors/index.ts"
import type { BuiltGraph } from "../capabilities/index.ts"
import type { Plan, StreamFunction } from "../scheduler/index.ts"
import type { ChildSpec } from "../supervisors/index.ts"
import { isSettledWithin } from "./isSettledWithin.ts"
import { type MetricsBefore, metricsPart, type MetricsPart, metricsReport } from "./MetricsReport.ts"
import { observe } from "./observe.ts"

const capability = "stream.with-metrics"

/** How long the end of a stream waits for whoever takes its last report. */
const lastReportMs = 750

/**
 * The reports of all `stream.with-metrics` of one pipeline: made beside it from the snapshots of its actors, so that no
 * item costs more for them. Only frames do: each one that leaves a mailbox is measured.
 *
 * **Bounds** for each of them the report in work, one that waits, and a histogram for each mailbox.
 */
export class StreamMetrics {
  readonly #collectors: ReadonlyArray<Collector>

  /** @returns `undefined` where nobody asks for metrics */
  static of(
    id: string,
    built: BuiltGraph,
    plan: Plan,
    host: { readonly clock: Clock.Clock; readonly log: (line: string) => unknown }
  ): StreamMetrics | undefined {
    const nodes = built.graph.nodes.filter((node) => node.capability === capability)
    if (nodes.length === 0) return undefined
    return new StreamMetrics(nodes.map((node) => new Collector(id, node.id, node.options, metricsPart(built, plan, node.id), host)))
  }

  private constructor(collectors: ReadonlyArray<Collector>) {
    this.#collectors = collectors
  }

  /** What is told of each frame that leaves the mailbox of an actor; `undefined` where nobody wants to know. */
  workedOff(address: string): ((frame: { readonly time: number; readonly count: number }) => void) | undefined {
    const observers = this.#collectors.flatMap((collector) => collector.workedOff(address) ?? [])
    return observers.length === 0 ? undefined : (frame) => observers.forEach((observer) => observer(frame))
  }

  adopt(actors: ReadonlyArray<Actor>): void {
    for (const collector of this.#collectors) collector.actors = actors
  }

  get children(): ReadonlyArray<ChildSpec> {
    return this.#collectors.map((collector) => ({
      id: `metrics of ${collector.node}`,
      restart: "transient",
      run: ({ ready }) => Effect.andThen(ready, collector.loop)
    }))
  }

  /** The last report of each. */
  get latest(): ReadonlyArray<unknown> {
    return this.#collectors.flatMap(({ latest }) => latest ?? [])
  }

  /** The stream has ended: makes the last report, and waits a moment until it is taken. */
  get finish(): Effect.Effect<void> {
    return Effect.forEach(this.#collectors, (collector) => isSettledWithin(collector.finish(), lastReportMs), {
      concurrency: "unbounded",
      discard: true
    })
  }
}

class Collector {
  readonly node: string
  actors: ReadonlyArray<Actor> = []
  latest: unknown
  readonly #stream: string
  readonly #options: Readonly<Record<string, unknown>>
  readonly #part: MetricsPart
  readonly #clock: Clock.Clock
  readonly #log: (line: string) => unknown
  readonly #latencies = new Map<string, RecordableHistogram>()
  #before: MetricsBefore
  #skipped = 0
  #failed = 0
  #isBusy = false
  #waiting: unknown
  #idle: Promise<void> = Promise.resolve()

  constructor(
    stream: string,
    node: string,
    options: Readonly<Record<string, unknown>>,
    part: MetricsPart,
    { clock, log }: { readonly clock: Clock.Clock; readonly log: (line: string) => unknown }
  ) {
    this.node = node
    this.#stream = stream
    this.#options = options
    this.#part = part
    this.#clock = clock
    this.#log = log
    this.#before = { time: clock.currentTimeMillisUnsafe(), taken: 0, given: 0 }
  }

  workedOff(address: string): ((frame: { readonly time: number; readonly count: number }) => void) | undefined {
    const isAbove = this.#part.actors.some(({ planned }) => planned.address === address)
    if (!isAbove || this.#collect["latency"] === false) return undefined
    const histogram = createHistogram()
    this.#latencies.set(address, histogram)
    // Signals are no items. In microseconds, from 1 on, because a histogram takes no zero.
    return ({ count, time }) => {
      if (count > 0) histogram.record(Math.max(1, Math.round((this.#clock.currentTimeMillisUnsafe() - time) * 1000)))
    }
  }

  readonly loop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(
      Effect.andThen(
        Effect.sleep(this.#options["interval"] as number),
        Effect.sync(() => this.#report(false))
      )
    )
  )

  finish(): Promise<void> {
    if (this.actors.length > 0) this.#report(true)
    return this.#idle
  }

  #report(isFinal: boolean): void {
    const time = this.#clock.currentTimeMillisUnsafe()
    const { before, report } = metricsReport(
      this.#part,
      this.actors.map((actor) => actor.inspect()),
      {
        collect: this.#collect,
        time,
        before: this.#before,
        latencyOf: (address) => this.#latencyOf(address)
      }
    )
    this.latest = {
      "metrics-name": this.#options["metrics-name"] ?? this.node,
      "stream-id": this.#stream,
      node: this.node,
      time,
      interval: time - this.#before.time,
      final: isFinal,
      "skipped-reports": this.#skipped + (this.#waiting === undefined ? 0 : 1),
      "failed-reports": this.#failed,
      ...report
    }
    this.#before = before
    for (const histogram of this.#latencies.values()) histogram.reset()
    this.#hand(this.latest)
  }

  get #collect(): Readonly<Record<string, boolean>> {
    return (this.#options["collect"] ?? {}) as Readonly<Record<string, boolean>>
  }

  #latencyOf(address: string): Readonly<Record<string, number>> | null {
    const histogram = this.#latencies.get(address)
    if (histogram === undefined || histogram.count === 0) return null
    // The clock shows no less than that, and the histogram's buckets are a little wide.
    const ms = (microseconds: number) => Math.round(microseconds / 1000)
    return {
      p50: ms(histogram.percentile(50)),
      p95: ms(histogram.percentile(95)),
      p99: ms(histogram.percentile(99)),
      max: ms(histogram.max),
      frames: histogram.count
    }
  }

  /** The latest wins: one in work, one that waits. */
  #hand(report: unknown): void {
    const observer = this.#options["on-metrics"] as StreamFunction | undefined
    if (observer === undefined) return
    if (this.#isBusy) {
      if (this.#waiting !== undefined) this.#skipped++
      this.#waiting = report
      return
    }
    this.#isBusy = true
    this.#idle = this.#tell(observer, report)
  }

  async #tell(observer: StreamFunction, report: unknown): Promise<void> {
    for (let next: unknown = report; next !== undefined; next = this.#waiting, this.#waiting = undefined) {
      try {
        await observe(observer, next)
      } catch (error) {
        if (this.#failed++ === 0) {
          const why = error instanceof Error ? error.message : String(error)
          this.#log(`The :on-metrics of ${this.node} in ${this.#stream} failed: ${why}. The stream goes on; this is said once only.`)
        }
      }
    }
    this.#isBusy = false
  }
}
