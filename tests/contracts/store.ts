import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "fast-check"
import * as Scope from "effect/Scope"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { openStateStore, type OwnedStream, type StateStore } from "../../src/state/index.ts"

export interface StoreUnderTest {
  readonly name: string
  /** A place that nobody used before; every call gives another. */
  readonly freshUrl: () => string
  /** Whether several processes, or several opened stores, may work with it at once. */
  readonly isShared: boolean
  /** Removes what the tests left. */
  readonly cleanUp?: () => Promise<void>
  /** Why it can't be tested here. */
  readonly unavailable?: string | undefined
}

export const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)

const text = (value: string) => new TextEncoder().encode(value)

/** Names that SQL, Redis keys, globs, C strings, UTF-8 and our own escapes could trip over. */
const oddNames = [
  "",
  "a:b",
  "a",
  "a*",
  "é/ü",
  "e\u0301/u\u0308",
  "a'; DROP TABLE facts; --",
  "\0",
  "x\0y",
  "\\u0000",
  "\\",
  "\ud800",
  "\ud801",
  "\udc00",
  "😀",
  "ﬀ",
  "new\nline",
  "__proto__",
  "owner:x",
  "x".repeat(5000)
]

const isOut = <A, E>(exit: Exit.Exit<A, E>, tag: string) => Exit.isFailure(exit) && JSON.stringify(exit.cause).includes(tag)

/** What every store promises. */
export const storeContract = ({ cleanUp, freshUrl, isShared, name, unavailable }: StoreUnderTest): void => {
  if (unavailable !== undefined) console.warn(`Not tested: the store ${name}, because ${unavailable}.`)

  describe.skipIf(unavailable !== undefined)(`the store ${name}`, () => {
    const scopes: Array<Scope.Closeable> = []
    afterEach(async () => {
      for (const scope of scopes.splice(0).reverse()) await Effect.runPromise(Scope.close(scope, Exit.void))
    })
    if (cleanUp !== undefined) afterAll(cleanUp)

    const inScope = async <A, E>(
      effect: Effect.Effect<A, E, Scope.Scope>
    ): Promise<{ readonly value: A; readonly close: () => Promise<void> }> => {
      const scope = Scope.makeUnsafe()
      scopes.push(scope)
      const value = await Effect.runPromise(Scope.provide(effect, scope))
      return { value, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
    }
    const run = Effect.runPromise
    const opened = async (url = freshUrl()): Promise<StateStore> => (await inScope(openStateStore(url))).value
    const owned = async (store: StateStore, stream = "orders"): Promise<OwnedStream> => (await inScope(store.own(stream))).value
    const commit = (stream: OwnedStream, id: number, content = bytes(id)) => run(stream.commit({ id, time: 1000 + id, bytes: content }))
    const idsOf = async (store: StateStore, stream = "orders") => (await run(store.checkpoints(stream))).map(({ id }) => id)

    it("begins empty, and says where it is and what outlives what", async () => {
      const store = await opened()
      expect(await run(store.streams)).toEqual([])
      expect(await run(store.checkpoints("orders"))).toEqual([])
      expect(await run(store.deadLetters.queues)).toEqual([])
      expect(await run(store.deadLetters.list({ limit: 10 }))).toEqual([])
      expect(store.kind).toBe(name)
      expect(["process", "synced", "delayed"]).toContain(store.durability.level)
    })

    it("CP-5: keeps the last three checkpoints, newest first, with all that was committed", async () => {
      const store = await opened()
      const stream = await owned(store)
      for (const id of [1, 2, 3, 4, 7]) await commit(stream, id)
      expect(await run(store.checkpoints("orders"))).toEqual(
        [7, 4, 3].map((id) => ({ id, epoch: stream.epoch, time: 1000 + id, content: { bytes: expect.anything() } }))
      )
      const contents = (await run(store.checkpoints("orders"))).map(({ content }) => "bytes" in content && [...content.bytes])
      expect(contents).toEqual([[7], [4], [3]])
      expect(await run(store.streams)).toEqual(["orders"])
    })

    it("CP-5: refuses a checkpoint whose id does not rise, and keeps what it has", async () => {
      const store = await opened()
      const stream = await owned(store)
      await commit(stream, 5)
      const again = await Effect.runPromiseExit(stream.commit({ id: 4, time: 1, bytes: bytes(9) }))
      expect(isOut(again, "StoreFailure")).toBe(true)
      expect(await idsOf(store)).toEqual([5])
    })

    it("keeps no hold of the caller's buffer", async () => {
      const store = await opened()
      const stream = await owned(store)
      const buffer = bytes(1, 2, 3)
      await commit(stream, 1, buffer)
      await run(stream.facts.set("f", buffer))
      await run(store.deadLetters.add([{ queue: "q", stream: "s", key: "k", time: 1, bytes: buffer }]))
      buffer.fill(0)
      expect((await run(store.checkpoints("orders")))[0]!.content).toMatchObject({ bytes: { 0: 1, 1: 2, 2: 3 } })
      expect([...(await run(stream.facts.all)).get("f")!]).toEqual([1, 2, 3])
      expect([...(await run(store.deadLetters.list({ limit: 1 })))[0]!.bytes]).toEqual([1, 2, 3])
    })

    it("refuses a second owner at once, and lets the next one in with a higher epoch once it is released", async () => {
      const store = await opened()
      const first = await inScope(store.own("orders"))
      expect(isOut(await Effect.runPromiseExit(Effect.scoped(store.own("orders"))), "StreamInUse")).toBe(true)
      // Another stream is another matter.
      const other = await owned(store, "payments")
      await first.close()
      const second = await owned(store)
      expect(second.epoch).toBeGreaterThan(first.value.epoch)
      expect(other.epoch).not.toBe(second.epoch)
    })

    it("gives a stream to exactly one of many that come at once", async () => {
      const store = await opened()
      const exits = await Promise.allSettled(Array.from({ length: 8 }, () => owned(store)))
      expect(exits.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
      expect(exits.flatMap((exit) => (exit.status === "rejected" ? [exit.reason._tag] : []))).toEqual(Array(7).fill("StreamInUse"))
    })

    it("CP-8: lets an owner that was replaced or released write nothing", async () => {
      const store = await opened()
      const old = await inScope(store.own("orders"))
      await commit(old.value, 1)
      await run(old.value.facts.set("a", bytes(1)))
      await old.close()
      const writes = [
        old.value.commit({ id: 2, time: 1, bytes: bytes(2) }),
        old.value.clear,
        old.value.facts.set("a", null),
        old.value.facts.set("b", bytes(2))
      ]
      const expectFenced = async () => {
        for (const write of writes)
          expect(await run(Effect.flip(write as Effect.Effect<void, Error>))).toMatchObject({ _tag: "StreamFenced" })
        expect(await idsOf(store)).toEqual([1])
      }
      await expectFenced()
      const next = await owned(store)
      await expectFenced()
      expect([...(await run(next.facts.all)).keys()]).toEqual(["a"])
      await commit(next, 2)
      expect(await idsOf(store)).toEqual([2, 1])
    })

    it("keeps facts, replaces and forgets them, and clears everything of one stream only", async () => {
      const store = await opened()
      const [orders, payments] = [await owned(store), await owned(store, "payments")]
      await run(orders.facts.set("a", bytes(1)))
      await run(orders.facts.set("a", bytes(2)))
      await run(orders.facts.set("b", bytes()))
      await run(orders.facts.set("gone", bytes(3)))
      await run(orders.facts.set("gone", null))
      await run(orders.facts.set("never", null))
      await run(payments.facts.set("a", bytes(9)))
      await commit(orders, 1)
      expect(Array.from(await run(orders.facts.all), ([fact, value]) => [fact, ...value]).sort()).toEqual([["a", 2], ["b"]])
      expect(await run(store.streams)).toEqual(["orders", "payments"])
      await run(orders.clear)
      expect((await run(orders.facts.all)).size).toBe(0)
      expect(await idsOf(store)).toEqual([])
      expect(await run(store.streams)).toEqual(["payments"])
      await commit(orders, 1)
      expect(await idsOf(store)).toEqual([1])
      await run(payments.facts.set("a", null))
      expect(await run(store.streams)).toEqual(["orders"])
    })

    it("keeps what belongs to odd names apart", async () => {
      const store = await opened()
      for (const [index, odd] of oddNames.entries()) {
        const stream = await owned(store, odd)
        await commit(stream, index + 1)
        for (const [other, fact] of oddNames.entries()) if (other % 5 === index % 5) await run(stream.facts.set(fact, bytes(index, other)))
        expect((await run(stream.facts.all)).get(oddNames[index]!)).toEqual(expect.objectContaining({ 0: index, 1: index }))
        const key = { stream: odd, key: odd, time: 1 }
        await run(
          store.deadLetters.add([
            { ...key, queue: odd, bytes: text(odd) },
            { ...key, queue: "all", bytes: text(odd) }
          ])
        )
      }
      expect(await run(store.streams)).toEqual(oddNames.toSorted())
      for (const [index, odd] of oddNames.entries()) {
        expect(await idsOf(store, odd)).toEqual([index + 1])
        expect(await run(store.deadLetters.list({ queue: odd, limit: 9 }))).toMatchObject([{ queue: odd, stream: odd, key: odd }])
      }
      const queues = await run(store.deadLetters.queues)
      expect(queues).toEqual(
        [...oddNames.map((queue) => ({ queue, letters: 1 })), { queue: "all", letters: oddNames.length }].sort((a, b) =>
          a.queue < b.queue ? -1 : 1
        )
      )
    })

    it("adds dead letters once for each key of a queue, with ids that rise", async () => {
      const { deadLetters } = await opened()
      const letter = (queue: string, key: string, value: number) => ({ queue, stream: "orders", key, time: 5, bytes: bytes(value) })
      const [a, b] = await run(deadLetters.add([letter("q", "a", 1), letter("q", "b", 2)]))
      expect(b!).toBeGreaterThan(a!)
      const ids = await run(deadLetters.add([letter("q", "b", 99), letter("r", "b", 3), letter("q", "c", 4), letter("q", "c", 98)]))
      expect(ids[0]).toBe(b)
      expect(ids[3]).toBe(ids[2])
      expect(Math.min(ids[1]!, ids[2]!)).toBeGreaterThan(b!)
      expect((await run(deadLetters.list({ limit: 100 }))).map(({ key, queue, bytes }) => [queue, key, bytes[0]])).toEqual([
        ["q", "a", 1],
        ["q", "b", 2],
        ["r", "b", 3],
        ["q", "c", 4]
      ])
      expect(await run(deadLetters.queues)).toEqual([
        { queue: "q", letters: 3 },
        { queue: "r", letters: 1 }
      ])
      expect(await run(deadLetters.add([]))).toEqual([])
    })

    it("adds all dead letters of one call or none", async () => {
      const { deadLetters } = await opened()
      const good = { queue: "q", stream: "s", key: "good", time: 0, bytes: bytes(1) }
      expect(Exit.isFailure(await Effect.runPromiseExit(deadLetters.add([good, { ...good, key: "bad", bytes: undefined as never }])))).toBe(
        true
      )
      expect(await run(deadLetters.list({ limit: 9 }))).toEqual([])
      expect(await run(deadLetters.add([good]))).toHaveLength(1)
    })

    it("lists dead letters page by page, gets and removes them, and never uses an id twice", async () => {
      const { deadLetters } = await opened()
      const letters = Array.from({ length: 25 }, (_, index) => ({
        queue: index % 2 === 0 ? "even" : "odd",
        stream: "s",
        key: `${index}`,
        time: index,
        bytes: bytes(index)
      }))
      const ids = await run(deadLetters.add(letters))
      expect(await run(deadLetters.get(ids[3]!))).toEqual({ ...letters[3], id: ids[3], bytes: expect.objectContaining({ 0: 3 }) })
      expect(await run(deadLetters.get(ids[24]! + 1))).toBeUndefined()
      const pages: Array<string> = []
      for (let after = 0; ;) {
        const page = await run(deadLetters.list({ queue: "even", after, limit: 5 }))
        if (page.length === 0) break
        expect(page.length).toBeLessThanOrEqual(5)
        pages.push(...page.map(({ key }) => key))
        after = page.at(-1)!.id
      }
      expect(pages).toEqual(letters.filter(({ queue }) => queue === "even").map(({ key }) => key))
      expect(await run(deadLetters.list({ limit: 0 }))).toEqual([])
      expect(await run(deadLetters.remove([ids[24]!, ids[0]!, ids[0]!, ids[24]! + 100]))).toBe(2)
      expect(await run(deadLetters.get(ids[24]!))).toBeUndefined()
      // A key is known as long as its letter is there.
      const [again] = await run(deadLetters.add([letters[24]!]))
      expect(again).toBeGreaterThan(ids[24]!)
      await run(deadLetters.remove(ids))
      await run(deadLetters.remove([again!]))
      expect(await run(deadLetters.queues)).toEqual([])
    })

    it("holds large values", async () => {
      const store = await opened()
      const stream = await owned(store)
      const large = new Uint8Array(8_000_000).map((_, index) => index * 31)
      await commit(stream, 1, large)
      await commit(stream, 2, bytes())
      const [empty, back] = await run(store.checkpoints("orders"))
      expect("bytes" in empty!.content && empty!.content.bytes.length).toBe(0)
      expect("bytes" in back!.content && Buffer.compare(back!.content.bytes, large)).toBe(0)
    })

    it("takes work from many streams at once", async () => {
      const store = await opened()
      const streams = await Promise.all(Array.from({ length: 10 }, (_, index) => owned(store, `s${index}`)))
      expect(new Set(streams.map(({ epoch }) => epoch)).size).toBe(10)
      await Promise.all(
        streams.map(async (stream, index) => {
          for (const id of [1, 2, 3, 4, 5]) {
            await Promise.all([commit(stream, id), run(stream.facts.set(`f${id}`, bytes(index)))])
            await run(store.deadLetters.add([{ queue: "q", stream: stream.stream, key: `${index} ${id}`, time: 0, bytes: bytes() }]))
          }
        })
      )
      for (const [index, stream] of streams.entries()) {
        expect(await idsOf(store, `s${index}`)).toEqual([5, 4, 3])
        expect((await run(stream.facts.all)).size).toBe(5)
      }
      expect((await run(store.deadLetters.list({ limit: 100 }))).length).toBe(50)
    })

    it("answers as a plain model does, whatever the order of operations", async () => {
      const operation = fc.oneof(
        fc.record({ type: fc.constant("commit" as const), value: fc.uint8Array({ maxLength: 40 }) }),
        fc.record({
          type: fc.constant("fact" as const),
          name: fc.constantFrom("a", "b", "c"),
          value: fc.option(fc.uint8Array({ maxLength: 8 }))
        }),
        fc.record({ type: fc.constant("clear" as const) }),
        fc.record({ type: fc.constant("reown" as const) })
      )
      const store = await opened()
      let round = 0
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 15 }), async (operations) => {
          const name = `stream ${++round}`
          let owner = await inScope(store.own(name))
          let checkpoints: Array<{ id: number; epoch: number; bytes: ReadonlyArray<number> }> = []
          const facts = new Map<string, ReadonlyArray<number>>()
          let id = 0
          for (const operation of operations) {
            if (operation.type === "commit") {
              await commit(owner.value, ++id, operation.value)
              checkpoints = [{ id, epoch: owner.value.epoch, bytes: [...operation.value] }, ...checkpoints].slice(0, 3)
            } else if (operation.type === "fact") {
              await run(owner.value.facts.set(operation.name, operation.value))
              if (operation.value === null) facts.delete(operation.name)
              else facts.set(operation.name, [...operation.value])
            } else if (operation.type === "clear") {
              await run(owner.value.clear)
              checkpoints = []
              facts.clear()
            } else {
              await owner.close()
              owner = await inScope(store.own(name))
            }
          }
          const held = (await run(store.checkpoints(name))).map(({ content, epoch, id }) => ({
            id,
            epoch,
            bytes: "bytes" in content ? [...content.bytes] : content.damage
          }))
          expect(held).toEqual(checkpoints)
          expect(new Map(Array.from(await run(owner.value.facts.all), ([fact, value]) => [fact, [...value]]))).toEqual(facts)
          await owner.close()
        }),
        { numRuns: 30 }
      )
    })

    it.runIf(isShared)("is one store for all that open it, and refuses the second owner among them", async () => {
      const url = freshUrl()
      const [here, there] = [await opened(url), await opened(url)]
      const stream = await inScope(here.own("orders"))
      await commit(stream.value, 1)
      await run(here.deadLetters.add([{ queue: "q", stream: "s", key: "k", time: 1, bytes: bytes(1) }]))
      expect(await idsOf(there)).toEqual([1])
      expect(await run(there.deadLetters.queues)).toEqual([{ queue: "q", letters: 1 }])
      expect(await run(Effect.flip(Effect.scoped(there.own("orders"))))).toMatchObject({ _tag: "StreamInUse" })
      await stream.close()
      expect((await owned(there)).epoch).toBeGreaterThan(stream.value.epoch)
    })
  })
}
