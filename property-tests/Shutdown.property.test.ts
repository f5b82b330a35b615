import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import { type Handle, type ItemCounts, StreamHost } from "rtfs-streams"

// Streams of stages that give each item on, drop some, or put them into vectors, stopped at any moment in any way. Every item
// has one fate.

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-shutdown-"))
afterAll(() => rmSync(folder, { recursive: true }))

const stages = {
  map: (s: string) => `(call :stream.map ${s} {:transform work})`,
  buffered: (s: string) => `(call :stream.map ${s} {:transform work :buffer-size 3})`,
  concurrent: (s: string) => `(call :stream.map ${s} {:transform work :parallelism 3})`,
  filter: (s: string) => `(call :stream.filter ${s} {:predicate keep :buffer-size 5})`,
  batch: (s: string) => `(call :stream.batch ${s} {:size 4 :timeout 60000})`,
  "buffered batch": (s: string) => `(call :stream.batch ${s} {:size 3 :timeout 60000 :buffer-size 6})`
} as const

const scenes = fc.record({
  source: fc.constantFrom(
    "numbers",
    "stream-of-numbers",
    "(call :stream.generate {:generator (fn [n] (if (< n 400) [n (inc n)] :done)) :initial-state 0})"
  ),
  // A filter looks at items, not at vectors, so it comes first.
  stages: fc.tuple(
    fc.constantFrom("map", "buffered", "concurrent", "filter"),
    fc.array(fc.constantFrom("map", "buffered", "concurrent", "batch", "buffered batch"), { maxLength: 3 })
  ),
  strategy: fc.constantFrom(undefined, "drain-all", "finish-current-batch", "immediate"),
  /** After how many calls of functions it is stopped. */
  stopAt: fc.nat(300),
  /** From which call on nothing comes back; then the deadline ends it. */
  hangFrom: fc.option(fc.nat(300), { nil: undefined }),
  how: fc.constantFrom("drain", "cancel")
})

const count = 400

describe("a stream that is stopped", () => {
  it(
    "SD-1, SD-2: leaves each item with exactly one fate, whatever it is made of and wherever it stands",
    () =>
      fc.assert(
        fc.asyncProperty(scenes, async ({ hangFrom = Infinity, how, source, stages: [first, others], stopAt, strategy }) => {
          const dataDir = mkdtempSync(join(folder, "data-"))
          let calls = 0
          let reached = () => {}
          const isReached = new Promise<void>((resolve) => (reached = resolve))
          const called = <Value>(value: Value): Value | Promise<Value> => {
            if (++calls >= Math.min(stopAt, hangFrom)) reached()
            if (calls >= hangFrom) return new Promise(() => {})
            return calls % 7 === 0 ? new Promise((resolve) => setImmediate(() => resolve(value))) : value
          }
          const dropped: Array<number> = []
          const seen: Array<unknown> = []
          const numbers = Array.from({ length: count }, (_, index) => index)
          const host = await StreamHost.start({
            dataDir,
            bindings: {
              numbers,
              "stream-of-numbers": (async function* () {
                yield* numbers
              })(),
              work: called,
              // At once: whether a call that was given up had its effect is something that nobody can count.
              keep: (item: number) => {
                if (++calls >= stopAt) reached()
                if (item % 3 !== 0) return true
                dropped.push(item)
                return false
              },
              sink: (item: unknown) => {
                if (++calls >= stopAt) reached()
                seen.push(item)
              }
            }
          })
          try {
            const stream = [first, ...others].reduce<string>((text, stage) => stages[stage as keyof typeof stages](text), source)
            const decorated = strategy === undefined ? stream : `(call :stream.graceful-shutdown ${stream} {:drain-strategy :${strategy}})`
            const handle = (await host.eval(`(call :stream.for-each ${decorated} {:callback sink :buffer-size 2})`)) as Handle & {
              report: () => ItemCounts
            }
            await Promise.race([isReached, handle.result.catch(() => {})])
            await (how === "drain" ? handle.drain({ timeoutMs: hangFrom === Infinity ? 20_000 : 30 }) : handle.cancel())
            const report = handle.report()
            const file = join(dataDir, "undrained.jsonl")
            const left = existsSync(file)
              ? readFileSync(file, "utf8")
                  .trim()
                  .split("\n")
                  .map((line) => (JSON.parse(line) as { value: unknown }).value)
              : []
            const flat = (values: ReadonlyArray<unknown>) => values.flat(9) as Array<number>
            const fates = [...flat(seen), ...flat(left), ...dropped]
            expect(new Set(fates).size).toBe(fates.length)
            expect(fates.toSorted((a, b) => a - b)).toEqual(numbers.slice(0, report.accepted))
            expect(report.accepted).toBe(report.processed + report.undrained)
            // Behind batches of different sizes the number is an estimate once the stream was killed; what is in the file is exact.
            const isEstimate = hangFrom !== Infinity && [first, ...others].some((stage) => stage.includes("batch"))
            if (!isEstimate) expect({ ...report, undrained: flat(left).length }).toEqual(report)
          } finally {
            await host.stop({ timeout: 0 })
            rmSync(dataDir, { recursive: true })
          }
        }),
        { numRuns: 100, interruptAfterTimeLimit: 45_000, markInterruptAsFailure: true }
      ),
    60_000
  )
})
