import { describe, expect, it } from "vitest"
import { check, createEvaluator, expand, pureBuilder } from "../../src/rtfs/index.ts"
import { HostObject } from "../../src/serialization/index.ts"
import { specificationBlocks } from "./specificationBlocks.ts"

class Opaque extends HostObject {
  get label(): string {
    return "stream test"
  }

  toJSON(): unknown {
    return { stream: "test" }
  }
}

const values = (
  "lazy-data-sequence input-stream json-stream data-stream stream1 stream2 stream3 processing-pipeline slow-data-generator controllable-stream "
  + "stream saved-stream-id last-good-checkpoint v2-schema db-conn processed-data items-to-send"
).split(" ")
const functions = (
  "process-json-chunk finalize-processing handle-file-error accumulate-data process-complete-data handle-realtime-data handle-connection-error "
  + "cleanup-resources process-batch process-generated current-timestamp log-heartbeat send-to-output validate-and-store process-valid-chunk "
  + "store-unique-item process-grouped-data analyze-time-window compute-moving-average valid? validate-chunk aggregate-results store-result "
  + "send-to-analytics store-for-later process-merged-item log-error retry-or-skip handle-final-result slow-processor slow-down-production "
  + "signal-slow-down process-rate-limited update-state process-with-state cleanup-state analyze-user-session save-state-to-persistent-store "
  + "continue-processing process-typed-item handle-validation-error migrate-v1-to-v2 process-with-new-schema process-partition "
  + "combine-partition-results log-memory-pressure expensive-computation use-cached-result compute-and-cache send-to-monitoring-system "
  + "debug-log-stream-event process-database-row log-progress process-message-batch acknowledge-processed update-progress handle-success "
  + "handle-batch-error is-recoverable? log-unrecoverable-error log-circuit-open log-circuit-closed"
).split(" ")

const globals = new Map<string, unknown>([
  ...values.map((name) => [name, new Opaque()] as const),
  ...functions.map((name) => [name, (...args: ReadonlyArray<unknown>) => args[0] ?? null] as const),
  ...["stream.map", "stream.filter", "stream.batch", "stream.reduce"].map(
    (name) => [name, pureBuilder(name, () => new Opaque(), { minimum: 2, maximum: 2 })] as const
  )
])

/** Calls every function found in the options of a call, as a capability would, with a plausible item. */
const exercise = (value: unknown, run: (f: (...args: ReadonlyArray<unknown>) => unknown) => void): void => {
  if (typeof value === "function") run(value as (...args: ReadonlyArray<unknown>) => unknown)
  else if (Array.isArray(value)) value.forEach((item) => exercise(item, run))
  else if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype)
    Object.values(value).forEach((item) => exercise(item, run))
}

describe("the code blocks of the specification", () => {
  it("are 27", () => {
    expect(specificationBlocks).toHaveLength(27)
  })

  it.each(specificationBlocks.map((block, index) => [index + 1, block] as const))(
    "block %i reads, checks without a finding, expands and evaluates",
    async (_, block) => {
      expect(check(block, { globals })).toEqual([])
      const expanded = expand(block)
      expect(check(expanded, { globals })).toEqual([])
      expect(expand(expanded)).toBe(expanded)
      const ids: Array<string> = []
      let called = 0
      const evaluator = createEvaluator({
        call: (id, args) => {
          ids.push(id)
          for (const arg of args) {
            exercise(arg, (f) => {
              called++
              for (const item of [{ id: 1, category: "a", "user-id": 2 }, '{"id": 1}', 5, []]) {
                try {
                  f(item, item)
                } catch (error) {
                  // An item of the wrong type for this function; which one is right depends on the block.
                  expect(error).toMatchObject({ kind: "runtime" })
                }
              }
            })
          }
          return new Opaque()
        },
        globals
      })
      await evaluator.evaluate(block)
      const expected = [...block.matchAll(/\(call :([a-z0-9.-]+)/g)].map((match) => match[1])
      expect(ids.filter((id) => id.startsWith("stream."))).toEqual(expected)
      expect(called).toBe([...block.matchAll(/\(fn |:(compute-fn|processor) [a-z]/g)].length)
    }
  )
})
