import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as fc from "fast-check"
import { afterAll, beforeAll, expect, it } from "vitest"
import { FlightRecorder, position } from "../src/scheduler/FlightRecorder.ts"
import { makeOrderedWindow, makeWorkerPool, type OffloadResult, type OffloadTask } from "../src/scheduler/index.ts"
import { portableFunction } from "../src/scheduler/PortableFunction.ts"
import { type FrameAnswer, FrameWorker } from "../src/scheduler/workerTask.ts"
import { decodeFrame, decodeValue, type Frame, FrameEncoder, frameFromBytes, frameToBytes } from "../src/serialization/index.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)

/** What an item does to its worker. */
type Order =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "fail" | "hang" | "function" | "later" }
  /** Ends its worker the first `times` times. */
  | { readonly kind: "die"; readonly times: number }

const orders = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: 99 }).map((value): Order => ({ kind: "number", value })) },
  { weight: 3, arbitrary: fc.constantFrom<Order>({ kind: "fail" }, { kind: "function" }, { kind: "later" }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }).map((times): Order => ({ kind: "die", times })) },
  { weight: 1, arbitrary: fc.constant<Order>({ kind: "hang" }) }
)

const submissions = fc.array(
  fc.record({
    orders: fc.array(orders, { maxLength: 8 }),
    operation: fc.constantFrom("map" as const, "filter" as const),
    /** Given up at once, or after so many other results have arrived. */
    giveUpAfter: fc.option(fc.nat(4), { freq: 5 })
  }),
  { minLength: 1, maxLength: 8 }
)

/** What a sequential run would say of each item, in order. */
const expected = (list: ReadonlyArray<Order>, operation: OffloadTask["operation"], attempts: number): ReadonlyArray<unknown> =>
  list.map((order, index) => {
    switch (order.kind) {
      case "number":
        return operation === "map" ? [index, order.value * 3] : [index, order.value]
      case "later":
        return operation === "map" ? [index, "late"] : [index, "later"]
      // A filter only asks whether the result is truthy, and a function is.
      case "function":
        return operation === "map" ? [index, "UnencodableValue", 1] : [index, "function"]
      case "fail":
        return [index, "Error", 1]
      case "hang":
        return [index, "ItemTimeout", 1]
      case "die":
        return order.times < attempts ? [index, operation === "map" ? "survived" : "kept"] : [index, "WorkerDied", attempts]
    }
  })

const observed = (result: OffloadResult, operation: OffloadTask["operation"]): ReadonlyArray<unknown> => {
  const values = decodeFrame(result.frame).map((value, at) => {
    const isDying = operation === "filter" && typeof value === "object" && value !== null
    return [result.positions?.[at] ?? at, isDying ? "kept" : value] as const
  })
  const errors = result.errors.map(({ attempts: times, error, index }) => [index, (error as Error).name, times] as const)
  return [...values, ...errors].toSorted(([one], [other]) => one - other)
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pool-"))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const pools = fc.record({
  workers: fc.integer({ min: 1, max: 2 }),
  inFlight: fc.integer({ min: 1, max: 4 }),
  attempts: fc.integer({ min: 1, max: 3 })
})

const dieSometimes = (operation: OffloadTask["operation"]): OffloadTask => ({
  origin: {
    kind: "module",
    specifier: new URL("../tests/scheduler/workers/functions.ts", import.meta.url).href,
    exportName: "dieSometimes"
  },
  operation
})

let files = 0
const toFrame = (list: ReadonlyArray<Order>): Frame => {
  const items = list.map((order) =>
    order.kind === "number" ? order.value : order.kind === "die" ? { file: join(folder, `${files++}`), times: order.times } : order.kind
  )
  return new FrameEncoder({ stream: "test" }).encode(items, 0, items.length, 0)
}

/** Fails instead of waiting for ever: a frame or a credit got lost. */
const within = async <Value>(ms: number, promise: Promise<Value>): Promise<Value> => {
  const late = Promise.withResolvers<never>()
  const timeout = setTimeout(() => late.reject(new Error(`still waiting after ${ms} ms`)), ms)
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timeout))
}

// Real threads, which take some 100 ms to start: a tenth of the runs, each with several deaths.
it(
  "PA-2, PA-3 results in order are those of a sequential run, whichever workers die or hang and whoever gives up",
  { timeout: 600_000 },
  () =>
    fc.assert(
      fc.asyncProperty(submissions, fc.integer({ min: 1, max: 6 }), pools, async (list, running, options) => {
        await using pool = makeWorkerPool({
          ...options,
          workerFile: new URL("../tests/scheduler/workers/testWorker.ts", import.meta.url),
          itemTimeoutMs: 400
        })
        const window = makeOrderedWindow<number, OffloadResult>({ running, held: running * 2 })
        const controllers = list.map(() => new AbortController())
        let settled = 0
        const giveUp = () =>
          list.forEach(({ giveUpAfter }, i) => giveUpAfter !== null && giveUpAfter <= settled && controllers[i]!.abort("given up"))
        let next = 0
        const seen: Array<unknown> = []
        while (seen.length < list.length) {
          for (; next < list.length && window.hasRoom; next++) {
            window.start(next, async (i) => {
              const submission = pool.submit(dieSometimes(list[i]!.operation), toFrame(list[i]!.orders), controllers[i]!.signal)
              giveUp()
              return submission.finally(() => {
                settled++
                giveUp()
              })
            })
          }
          await within(20_000, new Promise<void>((resolve) => window.wait("outcome", resolve)))
          const { entry, ...outcome } = window.take()!
          expect(entry).toBe(seen.length)
          seen.push(outcome.ok ? observed(outcome.value, list[entry]!.operation) : outcome.error)
          expect(pool.stats().inFlight).toBeLessThanOrEqual(options.inFlight)
        }
        const wanted = list.map(({ giveUpAfter, operation, orders: own }, i) =>
          // What is given up may still have been answered before.
          giveUpAfter !== null && seen[i] === "given up" ? "given up" : expected(own, operation, options.attempts)
        )
        expect(seen).toEqual(wanted)
        expect(pool.stats().mostInFlight).toBeLessThanOrEqual(options.inFlight)
        // What was given up under way ends in its time, and its credit is back.
        await expect.poll(() => pool.stats().inFlight + pool.stats().waiting, { timeout: 10_000 }).toBe(0)
      }),
      { numRuns: Math.ceil(numRuns / 25), interruptAfterTimeLimit: 300_000 }
    )
)

/** Each item tells its index and what the function does with it. */
const fates = fc.array(fc.constantFrom("keep", "drop", "throw", "promise", "unencodable"), { maxLength: 40 })

it("PA-2 an answer accounts for each item of the frame exactly once, in order", () =>
  fc.assert(
    fc.asyncProperty(
      fates,
      fc.uniqueArray(fc.nat(45)),
      fc.constantFrom("map" as const, "filter" as const),
      async (list, skip, operation) => {
        const recorder = FlightRecorder.ofSize(1)
        const visited: Array<number> = []
        const act = ([index, fate]: readonly [number, string]): unknown => {
          visited.push(index)
          expect(recorder.positionOf(0)).toBe(index)
          if (fate === "throw") throw new Error("thrown")
          if (fate === "drop") return operation === "filter" ? false : index
          if (fate === "unencodable") return () => index
          return fate === "promise" ? Promise.resolve(index + 0.5) : index + 0.5
        }
        const worker = new FrameWorker(recorder, { compileRtfs: () => expect.unreachable(), importModule: async () => ({ act }) })
        const task: OffloadTask = { origin: { kind: "module", specifier: "test", exportName: "act" }, operation }
        const frame = new FrameEncoder({ stream: "test" }).encode([...list.entries()], 0, list.length, 0)
        const answer = (await worker.work({
          record: 0,
          operation,
          function: portableFunction(task),
          frame: frameToBytes(frame),
          skip
        })) as FrameAnswer & {
          readonly kind: "done"
        }
        const given = list.map((fate, index) => ({ fate, index })).filter(({ index }) => !skip.includes(index))
        const isError = (fate: string) => fate === "throw" || (fate === "unencodable" && operation === "map")
        expect(visited).toEqual(given.map(({ index }) => index))
        const kept = given.filter(({ fate }) => !isError(fate) && !(fate === "drop" && operation === "filter"))
        const values = decodeFrame(frameFromBytes(answer.frame))
        expect(values).toEqual(
          kept.map(({ fate, index }) => (operation === "filter" ? [index, fate] : fate === "drop" ? index : index + 0.5))
        )
        expect([...(answer.positions ?? list.keys())]).toEqual(kept.map(({ index }) => index))
        const errors = answer.errors === undefined ? [] : (decodeValue(answer.errors) as Array<[number, Uint8Array]>)
        expect(errors.map(([index]) => index)).toEqual(given.filter(({ fate }) => isError(fate)).map(({ index }) => index))
        expect(recorder.positionOf(0)).toBe(position.answering)
      }
    ),
    { numRuns }
  ))
