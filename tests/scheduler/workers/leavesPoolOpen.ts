// A program of a user: works in a worker once and ends without closing the pool.
import { makeWorkerPool } from "../../../src/scheduler/index.ts"
import { FrameEncoder } from "../../../src/serialization/index.ts"

const pool = makeWorkerPool({ workerFile: new URL("./testWorker.ts", import.meta.url), workers: 1 })
const specifier = new URL("./functions.ts", import.meta.url).href
const frame = new FrameEncoder({ stream: "s" }).encode([21], 0, 1, 0)
const result = await pool.submit({ origin: { kind: "module", specifier, exportName: "double" }, operation: "map" }, frame)
process.stdout.write(`${result.frame.count}`)
