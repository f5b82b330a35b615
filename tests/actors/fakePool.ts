import { aboutFunction, type OffloadPool, type OffloadResult, type StreamFunction } from "../../src/scheduler/index.ts"
import { decodeFrame, FrameEncoder } from "../../src/serialization/index.ts"

/** A function that may leave the thread, as one of a program may. */
export const portable = (fn: (value: any) => unknown): StreamFunction =>
  Object.assign((value: any) => fn(value), {
    [aboutFunction]: {
      name: "fn",
      minimum: 1,
      maximum: 1,
      synchronous: true,
      origin: { kind: "module", specifier: "file:///test.js", exportName: functions.push(fn).toString() }
    } as const
  })

const functions: Array<(value: any) => unknown> = []

/** A pool that runs functions here, but later, and in whatever order `delayOf` makes of it. */
export const fakePool = (options: { readonly delayOf?: (task: number) => number; readonly rejects?: (task: number) => boolean } = {}) => {
  const sizes: Array<number> = []
  const encoder = new FrameEncoder({ stream: "/pool" })
  const pool: OffloadPool = {
    workers: 2,
    inFlight: 6,
    dispatchCostMs: 0.03,
    submit: async (task, frame) => {
      const number = sizes.push(frame.count) - 1
      await new Promise((resolve) => setTimeout(resolve, options.delayOf?.(number) ?? 0))
      if (options.rejects?.(number) === true) throw new Error("the pool is broken")
      if (task.origin.kind !== "module") throw new Error("not a function of the test")
      const fn = functions[Number(task.origin.exportName) - 1]!
      const results: Array<unknown> = []
      const positions: Array<number> = []
      const errors: Array<OffloadResult["errors"][number]> = []
      decodeFrame(frame).forEach((item, index) => {
        try {
          const result = fn(item)
          if (task.operation === "filter" && (result === false || result === null)) return
          results.push(task.operation === "filter" ? item : result)
          positions.push(index)
        } catch (error) {
          errors.push({ index, error, attempts: 1 })
        }
      })
      return {
        frame: encoder.encode(results, 0, results.length, 0),
        positions: Uint32Array.from(positions),
        errors,
        workMs: frame.count * 0.2
      }
    },
    stats: () => {
      throw new Error("not in this test")
    },
    close: () => Promise.resolve({ leftRunning: 0 })
  }
  return { pool, sizes }
}
