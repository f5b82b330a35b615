import { afterEach, describe, expect, it } from "vitest"
import { Flow, type HostOptions, StreamHost } from "rtfs-streams"

// What the host calls may never come back. Nothing of that may keep the host from stopping, or its callers waiting.

const never = () => new Promise<never>(() => {})
const soon = <A>(promise: Promise<A>): Promise<A | "still waiting"> =>
  Promise.race([promise, new Promise<"still waiting">((resolve) => setTimeout(() => resolve("still waiting"), 5000).unref())])
const settled = (promise: Promise<unknown>) =>
  promise.then(
    () => "resolved",
    (error: Error) => error.message
  )

const started: Array<StreamHost> = []
afterEach(() => started.splice(0).forEach((host) => void host.stop({ timeout: 0 })))
const start = async (options: HostOptions = {}) => {
  const host = await StreamHost.start({ ...options, bindings: { never, fails: () => Promise.reject(new Error("no")), ...options.bindings } })
  started.push(host)
  return host
}

/** An iterator that gives one item and then nothing, and whose `return` never comes back either. */
const stuck = (): AsyncIterable<number> => {
  let given = 0
  return { [Symbol.asyncIterator]: () => ({ next: () => (given++ === 0 ? Promise.resolve({ done: false, value: 1 }) : never()), return: never }) }
}

const endless = ":generator (fn [n] [n (inc n)]) :initial-state 0"
const programs: ReadonlyArray<readonly [what: string, source: string, items?: () => unknown]> = [
  ["a callback", `(call :stream.generate {${endless} :on-value (fn [x] (never))})`],
  ["a function of several calls at once", "(call :stream.map [1 2 3] {:transform (fn [x] (never)) :parallelism 2 :on-chunk identity})"],
  ["a reducer", "(call :stream.reduce [1 2] {:initial 0 :reducer (fn [a x] (never)) :on-result identity})"],
  ["a generator", "(call :stream.generate {:generator (fn [s] (never)) :on-value identity})"],
  [":on-complete", "(call :stream.from-collection [1] {:on-chunk identity :on-complete (fn [] (never))})"],
  [":on-error", "(call :stream.from-collection [1] {:on-chunk (fn [x] (fails)) :on-error (fn [e] (never))})"],
  ["an asynchronous generator", "(call :stream.map items {:transform inc :on-chunk identity})", async function*() {
    yield 1
    await never()
  }],
  ["an iterator that can't be closed", "(call :stream.map items {:transform inc :on-chunk identity})", stuck],
  ["a web stream", "(call :stream.map items {:transform inc :on-chunk identity})", () => new ReadableStream({ pull: never, cancel: never })],
  ["the program itself", "(never)"],
  ["a stream that the program awaits", `(call :stream.await (call :stream.generate {${endless} :on-value (fn [x] (never))}))`],
  ["a paused stream", `(let [h (call :stream.generate {${endless} :on-value (fn [x] (never))})] (call :stream.pause h))`]
]

describe.each(programs.map(([what, source, items = () => undefined]) => [what, source, items] as const))("%s that never comes back", (_, source, items) => {
  const given = () => ({ bindings: { items: items() } })
  const turns = () => new Promise((resolve) => setTimeout(resolve, 20))

  it.each(["run", "eval", "spawn"] as const)("does not keep a host from stopping, after host.%s", async (how) => {
    const host = await start(given())
    const outcome = settled(how === "spawn" ? host.spawn(source, { name: "service", restart: "permanent" }) : host[how](source))
    await turns()
    expect(await soon(host.stop({ timeout: 20 }))).toBeUndefined()
    expect(await soon(outcome)).not.toBe("still waiting")
  })

  it("ends at the timeout of its run", async () => {
    const host = await start(given())
    await expect(soon(host.run(source, { timeoutMs: 20 }))).rejects.toThrow("did not end within 20 ms")
  })
})

describe("a program that was cancelled while it was being evaluated", () => {
  it("fails for whoever waits for it", async () => {
    const host = await start()
    const evaluated = host.eval("(never)")
    const stopped = host.stop({ timeout: 0 })
    await expect(soon(evaluated)).rejects.toMatchObject({ _tag: "StreamCancelled" })
    await stopped
  })
})

describe("a service that is drained", () => {
  it("does not begin anew when its streams have ended, and is cancelled past its time", async () => {
    const host = await start()
    let lives = 0
    const other = await start({ bindings: { begin: () => void lives++ } })
    const service = await other.spawn(`(begin) (call :stream.generate {${endless} :on-value (fn [x] x)})`, { name: "a", restart: "permanent" })
    await service.drain()
    expect([service.status, lives]).toEqual(["stopped", 1])

    const stuckService = await host.spawn(`(call :stream.generate {${endless} :on-value (fn [x] (never))})`, { name: "b", restart: "permanent" })
    await soon(stuckService.drain({ timeoutMs: 20 }))
    expect(stuckService.status).toBe("cancelled")
    await expect(stuckService.result).rejects.toThrow("The service b was cancelled")
  })
})

describe("the loop over a flow", () => {
  const counting = () => Flow.generate(0, (n) => [n, n + 1] as const)

  it("gets nothing more once the host has stopped, but the failure, and then the end", async () => {
    const host = await start()
    const items = host.stream(counting())
    expect(await items.next()).toEqual({ done: false, value: 0 })
    await host.stop({ timeout: 20 })
    await expect(items.next()).rejects.toMatchObject({ _tag: "StreamCancelled" })
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })

  it("may ask for several items at once, and gets them in turn", async () => {
    const host = await start()
    const items = host.stream(Flow.from(["a", "b"]))
    const results = await soon(Promise.all([items.next(), items.next(), items.next(), items.next()]))
    expect(results).toEqual([{ done: false, value: "a" }, { done: false, value: "b" }, { done: true }, { done: true }])
  })

  it("starts nothing after it was left, and ends requests that wait", async () => {
    const host = await start()
    const left = host.stream(counting())
    await left.return!()
    expect(await left.next()).toEqual({ done: true, value: undefined })
    const waiting = host.stream(Flow.from([1]).map(never))
    const request = waiting.next()
    await waiting.return!()
    expect(await soon(request)).toEqual({ done: true, value: undefined })
    expect((host.inspect() as { streams: ReadonlyArray<unknown> }).streams).toEqual([])
  })
})
