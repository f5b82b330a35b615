import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { StreamHost } from "../../src/host/index.ts"
import type { Session } from "../../src/host/index.ts"
import { completionOf } from "../../src/host/completion.ts"

let host: StreamHost
let session: Session
const failures: Array<string> = []
const printed: Array<string> = []
/** Calls of `later` that nobody has answered yet. */
let answers: Array<(value: unknown) => void>

beforeEach(async () => {
  failures.length = printed.length = 0
  answers = []
  host = await StreamHost.start({
    print: (line) => void printed.push(line),
    bindings: { later: () => new Promise((resolve) => answers.push(resolve)) }
  })
  session = host.session({ onStreamFailure: (stream, error) => failures.push(`${stream}: ${(error as Error).message}`) })
})
afterEach(() => host.stop({ timeout: 0 }))

/** Microtasks and immediates, until something is so. */
const until = async (isSo: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 10_000 && !isSo(); turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(isSo()).toBe(true)
}

const endless = "(call :stream.generate {:initial-state 0 :generator (fn [n] [n (inc n)])})"
const value = async (source: string) => (await session.eval(source)).value
const candidates = async (text: string) => (await session.complete(text)).candidates

describe("Session", () => {
  it("keeps definitions and macros from input to input, also those of an input that failed later", async () => {
    await value("(def x 40)")
    await value("(defmacro twice [form] `(do ~form ~form))")
    await expect(session.eval("(def y 2) (/ 1 0)")).rejects.toThrow("Division by zero")
    expect(await value("(twice (+ x y))")).toBe(42)
  })

  it("refuses a second input while one is being evaluated", async () => {
    const first = session.eval("(later)")
    await expect(session.eval("1")).rejects.toThrow(/still being evaluated/)
    await until(() => answers.length === 1)
    answers[0]!(7)
    expect(await first).toEqual({ value: 7 })
  })

  it("hands the items of a stream out one by one, and cancels it at the bound", async () => {
    const items: Array<unknown> = []
    const { stream } = await session.eval(endless, { onItem: (item) => items.push(item), maxItems: 3 })
    expect({ items, stream }).toEqual({ items: [0, 1, 2], stream: { items: 3, isCut: true } })
    expect(session.streams).toEqual([])
    const whole = await session.eval("(call :stream.from-collection [1 2])", { onItem: () => {}, maxItems: 3 })
    expect(whole.stream).toEqual({ items: 2, isCut: false })
  })

  it("fails with the failure of a stream that it consumes", async () => {
    const source = "(call :stream.map [1 0] {:transform (fn [x] (/ 1 x))})"
    await expect(session.eval(source, { onItem: () => {} })).rejects.toThrow("Division by zero")
    expect(failures).toEqual([])
  })

  it("tells when a stream fails that nobody waits for", async () => {
    await value("(call :stream.map [0] {:transform (fn [x] (/ 1 x)) :on-chunk (fn [x] x)})")
    await until(() => failures.length > 0)
    expect(failures.join()).toMatch(/Division by zero/)
  })

  it("cancels an evaluation that waits; no catch takes that, and what it calls next is not done", async () => {
    const cancelled = session.eval('(try (later) (catch e (println "caught"))) (println "went on")')
    await until(() => answers.length === 1)
    expect(session.cancel()).toBe(true)
    await expect(cancelled).rejects.toMatchObject({ _tag: "EvaluationCancelled" })
    answers[0]!(1)
    await until(() => session.streams.length === 0)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(printed).toEqual([])
    expect(session.cancel()).toBe(false)
    expect(await value('(println "next")')).toBe(null)
    expect(printed).toEqual(["next"])
  })

  it("cancels an evaluation that waits for a stream, and the stream that it started goes on until it is cancelled itself", async () => {
    const waiting = session.eval(`
      (def handle (call :stream.map ${endless} {:transform inc :on-chunk (fn [n] (call :ccos.io.println "item"))}))
      (try (call :stream.await handle) (catch e (later)))`)
    await until(() => printed.length > 0)
    session.cancel()
    await expect(waiting).rejects.toMatchObject({ _tag: "EvaluationCancelled" })
    const before = printed.length
    await until(() => printed.length > before)
    expect(session.streams.map(({ status }) => status)).toEqual(["running"])
    await session.cancelStreams()
    expect(session.streams).toEqual([])
    expect(failures).toEqual([])
    expect(answers).toEqual([])
  })

  it("cancels a stream that it consumes with the evaluation", async () => {
    let seen = 0
    const consumed = session.eval(endless, { onItem: () => void seen++ })
    await until(() => seen > 10)
    session.cancel()
    await expect(consumed).rejects.toMatchObject({ _tag: "EvaluationCancelled" })
    expect(session.streams).toEqual([])
  })

  it("ends its streams when it is closed", async () => {
    await value(`(call :stream.map ${endless} {:transform inc :on-chunk (fn [n] n)})`)
    expect(session.streams).toHaveLength(1)
    await session.close()
    expect(session.streams).toEqual([])
  })

  it("completes symbols, its own definitions, ids of capabilities and their options", async () => {
    await value("(def my-table 1) (defmacro my-macro [x] x)")
    await value("(defmacro define-it [name] `(def ~name 1))")
    await value("(define-it my-thing)")
    expect(await candidates("(my-")).toEqual(["my-macro", "my-table", "my-thing"])
    expect(await candidates("(when-")).toEqual(["when-let", "when-not"])
    expect(await candidates("(string-u")).toEqual(["string-upper"])
    expect(await candidates("(late")).toEqual(["later"])
    expect(await candidates("(call :stream.file.")).toEqual([":stream.file.read", ":stream.file.write"])
    expect(await candidates("(call :stream.map s {:trans")).toEqual([":transform"])
    expect(await candidates("(stream.map s {:transform inc :para")).toEqual([":parallelism"])
    expect(await session.complete("(+ 1\n  (fact")).toEqual({ start: 8, candidates: ["factorial"] })
  })
})

describe("completionOf", () => {
  const vocabulary = { names: ["alpha", "beta"], capabilities: ["a.b"], optionsOf: (id: string) => (id === "a.b" ? ["one", "two"] : []) }
  const at = (text: string) => completionOf(text, vocabulary).candidates

  it.each([
    ["(call ", [":a.b"]],
    ["(call :a.b {", [":one", ":two"]],
    ["(call :a/b x {:one 1 :", [":two"]],
    ['(call :a.b {:one (f {:x "}"}) ', [":two"]],
    ["(call :a.b {:one ", []],
    ["(call :a.b [{:", []],
    ["(f :", []],
    ["'(al", ["alpha"]],
    ["#(al", ["alpha"]],
    ["alpha", []],
    ['"al', []],
    ["; al", []],
    ["#| al", []],
    ["#| ( |# al", ["alpha"]],
    [") ] al", ["alpha"]],
    ["", []]
  ])("%s", (text, expected) => expect(at(text)).toEqual(expected))
})
