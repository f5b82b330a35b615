import { execFile, execFileSync } from "node:child_process"
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import {
  aboutFunction,
  type FunctionOrigin,
  isOffloadable,
  makeWorkerPool,
  type OffloadResult,
  type OffloadTask,
  portableTask,
  type StreamFunction,
  type WorkerPoolOptions
} from "../../src/scheduler/index.ts"
import { decodeFrame, ErrorValue, type Frame, FrameEncoder, keyword } from "../../src/serialization/index.ts"

const workerFile = new URL("./workers/testWorker.ts", import.meta.url)
const functions = new URL("./workers/functions.ts", import.meta.url).href

const pools: Array<ReturnType<typeof makeWorkerPool>> = []
const makePool = (options: Partial<WorkerPoolOptions> = {}) => {
  const pool = makeWorkerPool({ workerFile, workers: 1, workerMemoryMb: 32, ...options })
  pools.push(pool)
  return pool
}
/** For tests that neither end workers nor count: starting one takes longer than all they do. */
const plainPool = makeWorkerPool({ workerFile, workers: 1 })
afterAll(() => plainPool.close())
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())))

const task = (exportName: string, operation: OffloadTask["operation"] = "map"): OffloadTask => ({
  origin: { kind: "module", specifier: functions, exportName },
  operation,
  name: exportName
})
const rtfs = (source: string, captured: Record<string, unknown> = {}): OffloadTask => ({
  origin: { kind: "rtfs", source, captured },
  operation: "map"
})
const frameOf = (...items: ReadonlyArray<unknown>): Frame =>
  new FrameEncoder({ stream: "test", sequence: 5 }).encode(items, 0, items.length, 9)
const itemsOf = (result: OffloadResult): Array<unknown> => decodeFrame(result.frame)
const errorsOf = (result: OffloadResult) =>
  result.errors.map(({ attempts, error, index }) => [index, (error as ErrorValue | Error).name ?? String(error), attempts])

describe("WorkerPool", () => {
  it("maps a frame in a worker and keeps its place in the stream", async () => {
    const result = await plainPool.submit(task("double"), frameOf(1, 2, 3))
    expect(itemsOf(result)).toEqual([2, 4, 6])
    expect(result.errors).toEqual([])
    expect(result.positions).toBeUndefined()
    expect(result.frame).toMatchObject({ stream: "test", sequence: 5, time: 9, count: 3 })
    expect(result.workMs).toBeGreaterThan(0)
  })

  it("filters by RTFS truth, and tells where each kept item stood", async () => {
    const kept = await plainPool.submit(task("obey", "filter"), frameOf("", null, [], false, "x"))
    expect(itemsOf(kept)).toEqual(["", [], "x"])
    expect([...kept.positions!]).toEqual([0, 2, 4])
    const odd = await plainPool.submit(task("isOdd", "filter"), frameOf(1, 2, 3))
    expect([itemsOf(odd), [...odd.positions!]]).toEqual([
      [1, 3],
      [0, 2]
    ])
  })

  it("reports what a function throws as the error of that item; its neighbours succeed", async () => {
    const result = await plainPool.submit(task("failOnSevens"), frameOf(6, 7, 8, 14))
    expect(itemsOf(result)).toEqual([6, 8])
    expect([...result.positions!]).toEqual([0, 2])
    expect(errorsOf(result)).toEqual([
      [1, "TypeError", 1],
      [3, "TypeError", 1]
    ])
    expect((result.errors[0]!.error as ErrorValue).message).toBe("no 7, please")
  })

  it("carries over thrown values that are no errors, and reports results that can't leave the worker", async () => {
    const result = await plainPool.submit(task("obey"), frameOf("function", "throw-text", "later", 1, "function", "throw-unshowable"))
    expect(itemsOf(result)).toEqual(["late", 3])
    expect([...result.positions!]).toEqual([2, 3])
    expect(result.errors.map(({ index }) => index)).toEqual([0, 1, 4, 5])
    expect(result.errors[0]!.error).toMatchObject({ name: "UnencodableValue" })
    expect(result.errors[1]!.error).toBe("just text")
    expect(result.errors[3]!.error).toBeInstanceOf(ErrorValue)
  })

  it("leaves the submitted frame as it was", async () => {
    const frame = frameOf("a", 1)
    await plainPool.submit(task("obey"), frame)
    expect(itemsOf(await plainPool.submit(task("obey"), frame))).toEqual(["a", 3])
  })

  describe("when workers end", () => {
    it.each(["exit", "throw-outside", "out-of-memory"])(
      "gives up only on the item that ends them (%s), after 3 workers",
      async (poison) => {
        const pool = makePool()
        const result = await pool.submit(task("obey"), frameOf(1, poison, 2))
        expect(itemsOf(result)).toEqual([3, 6])
        expect(errorsOf(result)).toEqual([[1, "WorkerDied", 3]])
        expect((result.errors[0]!.error as { type: unknown }).type).toBe(keyword("worker-died"))
        expect(pool.stats()).toMatchObject({ deaths: 3, retries: 3, inFlight: 0 })
      }
    )

    it("does not blame the frames that wait in the same worker", async () => {
      const pool = makePool({ inFlight: 4 })
      const frames = [frameOf(1), frameOf("exit"), frameOf(2), frameOf("exit", 3)]
      const results = await Promise.all(frames.map((frame) => pool.submit(task("obey"), frame)))
      expect(results.map(itemsOf)).toEqual([[3], [], [6], [9]])
      expect(results.map(errorsOf)).toEqual([[], [[0, "WorkerDied", 3]], [], [[0, "WorkerDied", 3]]])
    })

    it("answers a frame none of whose items can be worked", async () => {
      const result = await makePool({ attempts: 1 }).submit(task("obey"), frameOf("exit", "exit"))
      expect([itemsOf(result), [...result.positions!], errorsOf(result)]).toEqual([
        [],
        [],
        [
          [0, "WorkerDied", 1],
          [1, "WorkerDied", 1]
        ]
      ])
    })

    it("ends and replaces a worker in which an item hangs, and does not try that item again", async () => {
      const pool = makePool({ itemTimeoutMs: 200, inFlight: 2 })
      const [hung, behind] = await Promise.all([
        pool.submit(task("obey"), frameOf(1, "hang", 2, "never")),
        pool.submit(task("obey"), frameOf(5))
      ])
      expect(itemsOf(hung)).toEqual([3, 6])
      expect(errorsOf(hung)).toEqual([
        [1, "ItemTimeout", 1],
        [3, "ItemTimeout", 1]
      ])
      expect((hung.errors[0]!.error as { type: unknown }).type).toBe(keyword("timeout"))
      expect(itemsOf(behind)).toEqual([15])
      expect(pool.stats()).toMatchObject({ timeouts: 2, deaths: 0, restarts: 0 })
    })

    it("takes the time limit of the task before that of the pool", async () => {
      const result = await makePool().submit({ ...task("obey"), itemTimeoutMs: 120 }, frameOf("never", 1))
      expect(errorsOf(result)).toEqual([[0, "ItemTimeout", 1]])
      expect((result.errors[0]!.error as Error).message).toContain("more than 120 ms")
    })

    it.each([
      ["throws", "./workers/failsAtStart.ts", "this worker can't start"],
      ["ends", "./workers/diesAtStart.ts", ""],
      ["is missing", "./workers/missing.ts", "missing.ts"]
    ])("gives up on a frame when the worker file %s", async (_how, file, reason) => {
      const pool = makePool({ workerFile: new URL(file, import.meta.url) })
      await expect(pool.submit(task("double"), frameOf(1))).rejects.toMatchObject({
        _tag: "WorkerDied",
        attempts: 3,
        message: expect.stringMatching(new RegExp(`3 workers ended while double had not begun yet.*${reason}`))
      })
      expect(pool.stats().inFlight).toBe(0)
    })
  })

  describe("credits", () => {
    it("has no more frames under way than it has credits, and serves those who wait in their order", async () => {
      const pool = makePool({ inFlight: 2 })
      const order: Array<number> = []
      const submits = Array.from({ length: 10 }, (_, i) => pool.submit(task("double"), frameOf(i)).then(() => order.push(i)))
      expect(pool.stats()).toMatchObject({ inFlight: 2, waiting: 8 })
      await Promise.all(submits)
      expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      expect(pool.stats()).toMatchObject({ mostInFlight: 2, inFlight: 0, waiting: 0, frames: 10, items: 10 })
    })

    it("withdraws a frame whose result is given up while it waits", async () => {
      const pool = makePool({ inFlight: 1 })
      const giveUp = new AbortController()
      const first = pool.submit(task("double"), frameOf(1))
      const second = pool.submit(task("double"), frameOf(2), giveUp.signal)
      giveUp.abort(new Error("not needed any more"))
      await expect(second).rejects.toThrow("not needed any more")
      expect(pool.stats().waiting).toBe(0)
      expect(itemsOf(await first)).toEqual([2])
      expect(pool.stats().frames).toBe(1)
    })

    it("gets its credit back from a frame that was given up under way, hung or not", async () => {
      const pool = makePool({ inFlight: 2, itemTimeoutMs: 200 })
      const giveUp = new AbortController()
      const abandoned = [pool.submit(task("obey"), frameOf("hang", 1), giveUp.signal), pool.submit(task("obey"), frameOf(1), giveUp.signal)]
      const waits = pool.submit(task("double"), frameOf(4))
      giveUp.abort(new Error("given up"))
      for (const result of abandoned) await expect(result).rejects.toThrow("given up")
      expect(itemsOf(await waits)).toEqual([8])
      await expect.poll(() => pool.stats().inFlight).toBe(0)
    })

    it("takes one signal for very many frames without a warning or a listener left", async () => {
      const warnings: Array<Error> = []
      const onWarning = (warning: Error) => warnings.push(warning)
      process.on("warning", onWarning)
      const giveUp = new AbortController()
      await Promise.all(Array.from({ length: 50 }, (_, i) => plainPool.submit(task("double"), frameOf(i), giveUp.signal)))
      await new Promise((resolve) => setImmediate(resolve))
      process.off("warning", onWarning)
      expect(warnings).toEqual([])
    })
  })

  describe("closing", () => {
    it("ends a worker in an endless loop at once and rejects what is under way", async () => {
      const pool = makePool({ inFlight: 1 })
      const hung = pool.submit(task("obey"), frameOf("hang"))
      const waiting = pool.submit(task("double"), frameOf(1))
      await expect.poll(() => pool.stats().threads).toBe(1)
      const closed = pool.close()
      await expect(hung).rejects.toMatchObject({ _tag: "PoolClosed" })
      await expect(waiting).rejects.toMatchObject({ _tag: "PoolClosed" })
      expect(await closed).toEqual({ leftRunning: 0 })
      await expect(pool.submit(task("double"), frameOf(1))).rejects.toMatchObject({ _tag: "PoolClosed" })
      expect(await pool.close()).toEqual({ leftRunning: 0 })
    })

    it("closes a pool that was never used, or is just about to start", async () => {
      expect(await makePool().close()).toEqual({ leftRunning: 0 })
      const pool = makePool()
      const starting = pool.submit(task("double"), frameOf(1))
      const closed = pool.close()
      await expect(starting).rejects.toMatchObject({ _tag: "PoolClosed" })
      expect(await closed).toEqual({ leftRunning: 0 })
      expect(pool.stats().threads).toBe(0)
    })

    it("leaves a worker behind that hangs in the operating system: its frame goes on, and close says so in time", async () => {
      const folder = mkdtempSync(join(tmpdir(), "pool-"))
      const pipe = join(folder, "pipe")
      execFileSync("mkfifo", [pipe])
      try {
        const pool = makePool({ itemTimeoutMs: 150, closeTimeoutMs: 200 })
        const result = await pool.submit(task("openForReading"), frameOf(pipe, "/dev/null"))
        expect(itemsOf(result)).toEqual(["opened"])
        expect(errorsOf(result)).toEqual([[0, "ItemTimeout", 1]])
        expect(pool.stats()).toMatchObject({ restarts: 1 })
        const stuck = pool.submit(task("openForReading"), frameOf(pipe)).catch(() => undefined)
        await expect.poll(() => pool.stats().inFlight).toBe(1)
        await new Promise((resolve) => setTimeout(resolve, 40))
        const from = performance.now()
        expect(await pool.close()).toEqual({ leftRunning: 1 })
        expect(performance.now() - from).toBeLessThan(2000)
        await stuck
      } finally {
        // A writer, without waiting for a reader, lets the threads go.
        for (let i = 0; i < 2; i++) closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK))
        rmSync(folder, { recursive: true })
      }
    })

    it("lets a program end that leaves its pool open", async () => {
      const program = new URL("./workers/leavesPoolOpen.ts", import.meta.url)
      const { stdout } = await promisify(execFile)(process.execPath, [program.pathname], { timeout: 8000 })
      expect(stdout).toBe("1")
    })
  })

  describe("functions", () => {
    it("compiles RTFS text in the worker, with the values and functions it captured", async () => {
      const add = rtfsFunction("(x) => x + by", { by: 10 })
      const result = await plainPool.submit(rtfs("(x) => [add(x), tag]", { add, tag: keyword("done") }), frameOf(1, 2))
      expect(itemsOf(result)).toEqual([
        [11, keyword("done")],
        [12, keyword("done")]
      ])
    })

    it("makes functions again that captured each other", async () => {
      const captured: Record<string, unknown> = {}
      const isEven = rtfsFunction("(n) => n === 0 || isOdd(n - 1)", captured)
      captured["isOdd"] = rtfsFunction("(n) => n !== 0 && isEven(n - 1)", { isEven })
      const result = await plainPool.submit(portableTask(isEven, "map"), frameOf(0, 7, 10))
      expect(itemsOf(result)).toEqual([true, false, true])
    })

    it("takes a function whose origin is written down anew each time, though it captured itself by way of others", async () => {
      const captured: Record<string, unknown> = {}
      const isEven = rtfsFunction("(n) => n === 0 || isOdd(n - 1)", captured)
      const isOdd = rtfsFunction("(n) => n !== 0 && isEven(n - 1)", { isEven })
      captured["isOdd"] = isOdd
      for (const fn of [isEven, isOdd]) {
        const { origin, ...about } = fn[aboutFunction]!
        Object.assign(fn, { [aboutFunction]: Object.defineProperty(about, "origin", { get: () => ({ ...origin }) }) })
      }
      expect(itemsOf(await plainPool.submit(portableTask(isEven, "map"), frameOf(0, 7, 10)))).toEqual([true, false, true])
    })

    it("refuses an RTFS function that calls capabilities", () => {
      const { [aboutFunction]: about } = rtfsFunction("(n) => n", {})
      const calling = Object.assign(() => undefined, { [aboutFunction]: { ...about!, synchronous: false } })
      expect(() => portableTask(calling, "map")).toThrow(/may call capabilities/)
      expect([isOffloadable(calling), isOffloadable(rtfsFunction("(n) => n", {})), isOffloadable(() => 1)]).toEqual([false, true, false])
    })

    it("meters each item by itself, captured functions included", async () => {
      const spend = rtfsFunction("(n) => { for (let i = 0; i < n; i++) fuel(); return n }", {})
      const result = await makePool({ limits: { fuel: 100 } }).submit(rtfs("(n) => spend(n)", { spend }), frameOf(60, 60, 101, 60))
      expect(itemsOf(result)).toEqual([60, 60, 60])
      expect(result.errors.map(({ error, index }) => [index, (error as Error).message])).toEqual([[2, "out of fuel"]])
    })

    it("compiles equal functions once in a worker", async () => {
      const pool = makePool()
      expect(itemsOf(await pool.submit(rtfs("(x) => compiled.count"), frameOf(0)))).toEqual([1])
      expect(itemsOf(await pool.submit(rtfs("(x) => compiled.count"), frameOf(0)))).toEqual([1])
      expect(itemsOf(await pool.submit(rtfs("(x) =>  compiled.count"), frameOf(0)))).toEqual([2])
    })

    it.each<[string, FunctionOrigin, RegExp]>([
      ["a closure", { kind: "closure" }, /f can't leave this thread: it is a JavaScript closure.*Export it from a module/],
      ["a binding", { kind: "binding", name: "app/clean" }, /app\/clean is bound by the host/],
      ["a module by relative path", { kind: "module", specifier: "./f.js", exportName: "f" }, /another folder.*file: URL/],
      ["a captured closure", { kind: "rtfs", source: "g", captured: { g: (x: number) => x } }, /f → g can't leave/],
      ["a captured host object", { kind: "rtfs", source: "m", captured: { m: [new WeakMap()] } }, /it uses m, and/]
    ])("refuses %s, and says how to make it portable", async (_what, origin, message) => {
      const fn = Object.assign((x: unknown) => x, {
        [aboutFunction]: { name: "f", minimum: 1, maximum: 1, synchronous: true, origin }
      }) as StreamFunction
      const refusal = { _tag: "FunctionNotPortable", message: expect.stringMatching(message) }
      expect(() => portableTask(fn, "map")).toThrow(expect.objectContaining(refusal))
      await expect(plainPool.submit({ origin, operation: "map", name: "f" }, frameOf(1))).rejects.toMatchObject(refusal)
    })

    it.each([
      ["an export that is missing", task("nothing"), /exports no function under the name nothing/],
      [
        "a module that is missing",
        { ...task("f"), origin: { kind: "module", specifier: "file:///nowhere.js", exportName: "f" } } as OffloadTask,
        /nowhere/
      ],
      ["a text that does not compile", rtfs("(x =>"), /can't load fn.*what the function captured/]
    ])("says what a worker misses: %s", async (_what, missing, message) => {
      await expect(plainPool.submit(missing, frameOf(1))).rejects.toMatchObject({
        _tag: "FunctionNotLoadable",
        message: expect.stringMatching(message)
      })
      expect(plainPool.stats()).toMatchObject({ inFlight: 0, deaths: 0 })
    })
  })

  it("tells what it costs and did", async () => {
    const pool = makePool()
    for (let i = 0; i < 5; i++) await pool.submit(task("spin"), frameOf(20_000))
    expect(pool.stats()).toMatchObject({ frames: 5, items: 5, itemErrors: 0, threads: 1 })
    expect(pool.stats().workerCpuMs).toBeGreaterThan(60)
    expect(pool.dispatchCostMs).toBeGreaterThan(0.02)
    expect(pool.dispatchCostMs).toBeLessThan(2)
  })
})

const rtfsFunction = (source: string, captured: Record<string, unknown>): StreamFunction =>
  Object.assign((): unknown => expect.unreachable(), {
    [aboutFunction]: { name: "g", minimum: 1, maximum: 1, synchronous: true, origin: { kind: "rtfs", source, captured } as const }
  })
