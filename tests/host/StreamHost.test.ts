import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { Flow, type HostOptions, keyword, StreamHost } from "rtfs-streams"

const hosts: Array<StreamHost> = []
const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-host-"))
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 1000 })))
})
afterAll(() => rmSync(folder, { recursive: true }))

const start = async (options: HostOptions = {}): Promise<StreamHost> => {
  const host = await StreamHost.start(options)
  hosts.push(host)
  return host
}

/** A host with a binding `note` that keeps what it is given. */
const noting = async (options: HostOptions = {}) => {
  const notes: Array<unknown> = []
  const host = await start({ ...options, bindings: { ...options.bindings, note: (value: unknown) => void notes.push(value) } })
  return { host, notes }
}

const countTo = (end: number) => `(call :stream.generate {:generator (fn [n] (if (< n ${end}) [n (inc n)] :done)) :initial-state 0})`

describe("StreamHost.eval", () => {
  it("gives the value of the last expression as plain JavaScript", async () => {
    const host = await start()
    expect(await host.eval("[1 {:a \"b\"} :k nil 2.5]")).toEqual([1, { a: "b" }, keyword("k"), null, 2.5])
  })

  it("gives a handle whose stream goes on", async () => {
    const { host, notes } = await noting()
    const handle = (await host.eval("(call :stream.map [1 2 3] {:transform inc :on-chunk (fn [x] (note x))})")) as { result: Promise<unknown>; status: string }
    await handle.result
    expect(notes).toEqual([2, 3, 4])
    expect(handle.status).toBe("completed")
  })

  it("lets a program catch a call that is not granted", async () => {
    const host = await start()
    expect(await host.eval('(try (call :stream.file.read "/etc/passwd" {}) (catch e (:type e)))')).toEqual(keyword("capability-denied"))
  })
})

describe("StreamHost.run", () => {
  it("ends when every stream that the program started has ended", async () => {
    const { host, notes } = await noting()
    const report = await host.run(`(call :stream.map ${countTo(1000)} {:transform inc :on-chunk note}) :started`)
    expect(report.value).toEqual(keyword("started"))
    expect(notes).toHaveLength(1000)
    expect(report).toMatchObject({ accepted: 1000, processed: 1000, undrained: 0, deadLettered: 0, skipped: 0 })
  })

  it("consumes a stream that is the last value", async () => {
    const host = await start()
    expect((await host.run("(call :stream.map [1 2 3] {:transform inc})")).value).toEqual([2, 3, 4])
    const items: Array<unknown> = []
    await host.run("(call :stream.map [1 2 3] {:transform inc})", { onItem: (item) => items.push(item) })
    expect(items).toEqual([2, 3, 4])
  })

  it("ends at once with the error of an item, which it names", async () => {
    const { host, notes } = await noting()
    const run = host.run('(call :stream.map [1 2 3] {:transform (fn [x] (if (= x 2) (throw "two") x)) :on-chunk note})')
    await expect(run).rejects.toThrow("stream.map failed on item 2")
    expect(notes).toEqual([1])
  })

  it("leaves a failure to the program that awaits the stream", async () => {
    const host = await start()
    const { value } = await host.run('(try (call :stream.await (call :stream.reduce [1 0] {:initial 1 :reducer / :on-result inc})) (catch e (:type e)))')
    expect(value).toEqual(keyword("division-by-zero"))
  })

  it("skips failing items where the program says so, and counts them", async () => {
    const { host, notes } = await noting()
    const report = await host.run('(call :stream.map [4 0 2] {:transform (fn [x] (/ 8 x)) :on-failure :skip :on-chunk note})')
    expect(notes).toEqual([2, 4])
    expect(report).toMatchObject({ accepted: 3, processed: 3, skipped: 1 })
  })

  it("gives a function that takes anything the item and nothing else", async () => {
    const seen: Array<ReadonlyArray<unknown>> = []
    const host = await start({ bindings: { gather: (...values: ReadonlyArray<unknown>) => void seen.push(values) } })
    await host.run("(call :stream.for-each [1 2] {:callback gather})")
    await host.runFlow(Flow.from([3]).forEach((...values: ReadonlyArray<unknown>) => seen.push(values)))
    expect(seen).toEqual([[1], [2], [3]])
  })

  it("tells which item has no form outside of its actor", async () => {
    const host = await start({ policy: { write: [folder] } })
    const run = host.run(`(call :stream.file.write "${folder}/functions" {:data-source [1 (fn [] 1)] :format :ndjson})`)
    await expect(run).rejects.toThrow("stream.from-collection failed on item 2")
    expect(existsSync(join(folder, "functions"))).toBe(false)
  })

  it("refuses a program before it did anything that it may not do", async () => {
    const { host, notes } = await noting({ policy: { read: [folder] } })
    const run = host.run(`(note 1) (call :stream.file.write "${folder}/x" {:data-source ["a"]})`)
    await expect(run).rejects.toMatchObject({ _tag: "PermissionDenied" })
    expect(notes).toEqual([])
  })

  it("cancels a program that takes too long", async () => {
    const host = await start()
    await expect(host.run(`(call :stream.for-each (call :stream.generate {:generator (fn [n] [n n]) :initial-state 0}) {:callback inc})`, { timeoutMs: 50 }))
      .rejects.toMatchObject({ _tag: "ProgramTimeout" })
  })

  it("awaits asynchronous bindings, which paces the stream", async () => {
    let now = 0
    let most = 0
    const host = await start({
      bindings: {
        slow: async (x: number) => {
          most = Math.max(most, ++now)
          await new Promise((resolve) => setImmediate(resolve))
          now--
          return x
        }
      }
    })
    expect((await host.run("(call :stream.map [1 2 3 4 5 6] {:transform slow})")).value).toEqual([1, 2, 3, 4, 5, 6])
    expect(most).toBe(1)
    expect((await host.run("(call :stream.map [1 2 3 4 5 6] {:transform slow :parallelism 3})")).value).toEqual([1, 2, 3, 4, 5, 6])
    expect(most).toBe(3)
  })

  it("calls :on-complete once, after the last item, and :on-error not", async () => {
    const { host, notes } = await noting()
    await host.run("(call :stream.to-collection {:source [1 2] :on-complete (fn [all] (note all)) :on-error note})")
    expect(notes).toEqual([[1, 2]])
  })

  it("calls :on-error once, and :on-complete not", async () => {
    const { host, notes } = await noting({ policy: { read: [folder] } })
    const run = host.run(`(call :stream.file.read "${folder}/missing" {:on-chunk note :on-complete (fn [] (note :done)) :on-error (fn [e] (note (:type e)))})`)
    await expect(run).rejects.toMatchObject({ _tag: "FileFailure" })
    expect(notes).toEqual([keyword("file-failure")])
  })
})

describe("a handle", () => {
  it("of a created stream runs nothing until it has its consumer, and stays paused until it is resumed", async () => {
    const { host, notes } = await noting()
    const report = await host.run(`
      (let [h (call :stream.create [1 2 3])]
        (call :stream.pause h)
        (call :stream.map h {:transform inc :on-chunk note})
        (note (:state (call :stream.status h)))
        (call :stream.resume h)
        (call :stream.await h))`)
    expect(notes).toEqual([keyword("paused"), 2, 3, 4])
    expect(report.accepted).toBe(3)
  })

  it("has one consumer", async () => {
    const host = await start()
    const source = "(let [h (call :stream.create [1])] (call :stream.map h {:transform inc :on-chunk inc}) (call :stream.map h {:transform inc :on-chunk inc}))"
    await expect(host.run(source)).rejects.toThrow("it has its consumer")
  })

  it("is final once it is cancelled", async () => {
    const host = await start()
    const handle = (await host.eval(`(call :stream.for-each (call :stream.generate {:generator (fn [n] [n n]) :initial-state 0}) {:callback inc})`)) as {
      status: string
      cancel: () => Promise<void>
      resume: () => Promise<void>
      result: Promise<unknown>
    }
    await handle.cancel()
    await handle.cancel()
    await handle.resume()
    expect(handle.status).toBe("cancelled")
    await expect(handle.result).rejects.toMatchObject({ _tag: "StreamCancelled" })
  })

  it("drains: the source closes, what it gave is worked off and flushed", async () => {
    const { host, notes } = await noting()
    const handle = (await host.eval(`(call :stream.batch (call :stream.generate {:generator (fn [n] [n (inc n)]) :initial-state 0}) {:size 7 :on-batch note})`)) as {
      status: string
      drain: () => Promise<void>
      inspect: () => { accepted: number }
    }
    while (notes.length < 3) await new Promise((resolve) => setImmediate(resolve))
    await handle.drain()
    expect(handle.status).toBe("stopped")
    expect(notes.flat()).toEqual(Array.from({ length: handle.inspect().accepted }, (_, n) => n))
  })
})

describe("StreamHost.stream", () => {
  it("gives the items of a flow at the pace of the loop", async () => {
    const host = await start()
    let made = 0
    const endless = Flow.generate(0, (n) => [made++, n + 1] as const)
    const seen: Array<number> = []
    for await (const item of host.stream(endless)) {
      seen.push(item)
      if (seen.length === 5) break
    }
    expect(seen).toEqual([0, 1, 2, 3, 4])
    // What the mailboxes hold, and no more.
    expect(made).toBeLessThan(20_000)
  })

  it("fails as the flow does", async () => {
    const host = await start()
    const failing = Flow.from([1, 2]).map((x) => {
      if (x === 2) throw new Error("two")
      return x
    })
    const seen: Array<number> = []
    await expect((async () => {
      for await (const item of host.stream(failing)) seen.push(item)
    })()).rejects.toThrow("item 2")
    expect(seen).toEqual([1])
  })

  it("reads any asynchronous iterable, and closes it", async () => {
    const host = await start()
    let closed = false
    async function* numbers() {
      try {
        for (let n = 0;; n++) yield n
      } finally {
        closed = true
      }
    }
    for await (const item of host.stream(Flow.from(numbers()))) if (item === 3) break
    expect(closed).toBe(true)
  })
})

describe("StreamHost.spawn", () => {
  it("restarts a permanent service until it is drained", async () => {
    const { host, notes } = await noting()
    const handle = await host.spawn("(note :life) (call :stream.for-each [1] {:callback note})", { name: "loop" })
    while (notes.length < 4) await new Promise((resolve) => setTimeout(resolve, 5))
    await handle.drain()
    expect(handle.status).toBe("stopped")
    expect(notes.slice(0, 4)).toEqual([keyword("life"), 1, keyword("life"), 1])
  })

  it("ends a transient service that is done", async () => {
    const { host, notes } = await noting()
    const handle = await host.spawn("(call :stream.for-each [1 2] {:callback note}) 7", { name: "once", restart: "transient" })
    expect(await handle.result).toBe(7)
    expect(handle.status).toBe("completed")
    expect(notes).toEqual([1, 2])
  })

  it("refuses a second service of one name", async () => {
    const host = await start()
    const endless = "(call :stream.for-each (call :stream.generate {:generator (fn [n] [n n]) :initial-state 0}) {:callback inc})"
    await host.spawn(endless, { name: "a" })
    await expect(host.spawn(endless, { name: "a" })).rejects.toMatchObject({ _tag: "HostUnavailable" })
  })
})

describe("StreamHost", () => {
  it("names the nearest of a wrong option", async () => {
    await expect(StreamHost.start({ memry: 1 } as never)).rejects.toThrow("did you mean memory?")
    await expect(StreamHost.start({ policy: { reed: [] } as never })).rejects.toThrow("did you mean policy.read?")
    await expect(StreamHost.start({ memory: "lots" })).rejects.toThrow("256MB")
  })

  it("stops idempotently, and starts nothing afterwards", async () => {
    const host = await StreamHost.start()
    await Promise.all([host.stop(), host.stop()])
    await expect(host.eval("1")).rejects.toMatchObject({ _tag: "HostUnavailable" })
  })

  it("writes files whole or not at all", async () => {
    const host = await start({ policy: { write: [folder] } })
    const path = join(folder, "whole.ndjson")
    writeFileSync(path, "before")
    const failing = Flow.from([1, 2, 3]).map((x) => (x === 3 ? (() => { throw new Error("three") })() : x))
    await expect(host.runFlow(failing.toFile(path, { format: "ndjson" }))).rejects.toThrow("item 3")
    expect(readFileSync(path, "utf8")).toBe("before")
    const { value } = await host.runFlow(Flow.from([1, 2]).toFile(path, { format: "ndjson" }))
    expect(value).toMatchObject({ items: 2 })
    expect(readFileSync(path, "utf8")).toBe("1\n2\n")
    expect(existsSync(folder)).toBe(true)
  })
})
