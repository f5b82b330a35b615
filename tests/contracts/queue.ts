import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { describe, expect, it } from "vitest"
import type { Delivery, NewMessage, QueueBackend, QueueSubscription } from "../../src/state/index.ts"

export interface QueueUnderTest {
  readonly name: string
  /** Why it can't be tested here. */
  readonly unavailable?: string | undefined
  readonly open: Effect.Effect<QueueBackend, unknown, Scope.Scope>
  /** A queue that nobody has used. */
  readonly freshQueue: () => string
  /** Whether a message that is published again under its key is dropped. */
  readonly dedupes: boolean
  /** Whether leases run out, and whether what nobody began to work on does not count as received. */
  readonly leases: boolean
  readonly uncounts: boolean
  /** Whether messages come as they were published; they do where this is left out. */
  readonly ordered?: boolean
  /** How many messages are out at once where all others wait for those. */
  readonly mostOut?: number
  /** Ends the connections, and lets no new ones come up for a moment. */
  readonly cutOff?: () => Promise<void>
  /** Holds back for so long (ms) what the server sends. */
  readonly stall?: (ms: number) => Promise<void>
}

const message = (key: string, body: string | Uint8Array = key): NewMessage => ({
  key,
  body: typeof body === "string" ? Buffer.from(body) : body,
  contentType: "text/plain",
  headers: { trace: `trace of ${key}` },
  time: 1_700_000_000_123
})

const textOf = ({ body }: Delivery) => Buffer.from(body).toString()

/** Receives until there are so many, or none has come for a while. */
export const receiveAll = (from: QueueSubscription, count: number, patienceMs = 5000): Effect.Effect<ReadonlyArray<Delivery>, unknown> =>
  Effect.gen(function* () {
    const received: Array<Delivery> = []
    const deadline = Date.now() + patienceMs
    while (received.length < count && Date.now() < deadline) {
      const some = yield* Effect.timeoutOption(from.receive(count - received.length), Math.max(1, deadline - Date.now()))
      if (Option.isSome(some)) received.push(...some.value)
    }
    return received
  })

const leaseMs = 30_000
const delayMs = 600

/** What every queue promises. */
export const queueContract = (queue: QueueUnderTest): void => {
  const { cutOff, dedupes, freshQueue, leases, mostOut, name, open, ordered = true, stall, unavailable, uncounts } = queue
  const run = <A>(body: (backend: QueueBackend, name: string) => Effect.Effect<A, unknown, Scope.Scope>) =>
    Effect.runPromise(Effect.scoped(Effect.flatMap(open, (backend) => body(backend, freshQueue()))))

  const title = unavailable === undefined ? name : `${name}: ${unavailable}`
  describe.skipIf(unavailable !== undefined)(`the queue ${title}`, () => {
    it("gives messages as they were published, in order", () =>
      run((backend, q) =>
        Effect.gen(function* () {
          const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 100 })
          yield* backend.publish(
            q,
            ["a", "b", "c"].map((key) => message(key))
          )
          yield* backend.publish(q, [
            message(
              "bytes",
              Uint8Array.from({ length: 70_000 }, (_, at) => at % 256)
            ),
            message("empty", "")
          ])
          const arrived = yield* receiveAll(from, 5)
          const published = ["a", "b", "c", "bytes", "empty"]
          const place = ({ headers }: Delivery) => published.indexOf(headers["message-key"]!)
          const received = ordered ? arrived : arrived.toSorted((one, other) => place(one) - place(other))
          expect(received.slice(0, 3).map(textOf)).toEqual(["a", "b", "c"])
          expect(Buffer.from(received[3]!.body).equals(Buffer.from(Uint8Array.from({ length: 70_000 }, (_, at) => at % 256)))).toBe(true)
          expect(received[4]!.body.byteLength).toBe(0)
          expect(received[0]).toMatchObject({
            attempts: 1,
            contentType: "text/plain",
            headers: { trace: "trace of a", "message-key": "a" }
          })
          expect(Math.abs(received[0]!.time! - (backend.kind === "nats" ? Date.now() : 1_700_000_000_123))).toBeLessThan(60_000)
          expect(new Set(received.map(({ id }) => id)).size).toBe(5)
        })
      ))

    it("gives at most as many as were asked for", () =>
      run((backend, q) =>
        Effect.gen(function* () {
          yield* backend.publish(
            q,
            Array.from({ length: 10 }, (_, n) => message(String(n)))
          )
          const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 4 })
          const received = yield* from.receive(3)
          expect(received.length).toBeLessThanOrEqual(3)
          expect(received.length).toBeGreaterThan(0)
        })
      ))

    it("forgets what is acknowledged, and only that", () =>
      run((backend, q) =>
        Effect.gen(function* () {
          yield* backend.publish(
            q,
            ["a", "b", "c"].map((key) => message(key))
          )
          yield* Effect.scoped(
            Effect.gen(function* () {
              const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 100 })
              const received = yield* receiveAll(from, 3)
              const gone = yield* from.acknowledge([received[1]!])
              expect(gone.map(({ id }) => id)).toEqual([received[1]!.id])
              yield* from.giveBack([received[0]!, received[2]!], { delayMs: 0, isUnstarted: false })
            })
          )
          const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 100 })
          const again = yield* receiveAll(from, 2)
          expect(again.map(textOf).sort()).toEqual(["a", "c"])
          expect((yield* from.acknowledge(again)).length).toBe(2)
          expect(yield* receiveAll(from, 1, 700)).toEqual([])
          expect((yield* backend.depth(q)).waiting).toBe(0)
        })
      ))

    it("counts how often a message was given", () =>
      run((backend, q) =>
        Effect.gen(function* () {
          const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 100 })
          yield* backend.publish(q, [message("a")])
          const ids = new Set<string>()
          for (let attempt = 1; attempt <= 3; attempt++) {
            const [given] = yield* receiveAll(from, 1)
            expect(given!.attempts).toBe(attempt)
            ids.add(given!.id)
            yield* from.giveBack([given!], { delayMs: 0, isUnstarted: false })
          }
          expect(ids.size).toBe(1)
        })
      ))

    it.skipIf(!uncounts)("does not count what nobody began to work on", () =>
      run((backend, q) =>
        Effect.gen(function* () {
          const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 100 })
          yield* backend.publish(q, [message("a")])
          for (let turn = 1; turn <= 2; turn++) {
            const given = yield* receiveAll(from, 1)
            expect(given.map(({ attempts }) => attempts)).toEqual([1])
            yield* from.giveBack(given, { delayMs: 0, isUnstarted: true })
          }
        })
      )
    )

    it("keeps what is given back with a delay for so long, and then gives it", () =>
      run((backend, q) =>
        Effect.gen(function* () {
          const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 100 })
          yield* backend.publish(q, [message("late"), message("soon")])
          const both = yield* receiveAll(from, 2)
          const [late, soon] = ["late", "soon"].map((text) => both.find((delivery) => textOf(delivery) === text))
          const givenBackAt = performance.now()
          const returning = yield* Effect.forkScoped(from.giveBack([late!], { delayMs, isUnstarted: false }))
          yield* from.giveBack([soon!], { delayMs: 0, isUnstarted: false })
          const [first] = yield* receiveAll(from, 1, 10_000)
          // Where messages wait for those before them, the first is given when its delay is over, and the second behind it.
          const isLateFirst = mostOut !== undefined
          expect(textOf(first!)).toBe(isLateFirst ? "late" : "soon")
          if (!isLateFirst) yield* from.acknowledge([first!])
          const again = isLateFirst ? first : (yield* receiveAll(from, 1, 10_000))[0]
          // Servers count in whole milliseconds, and Redis from when it was told.
          expect(performance.now() - givenBackAt).toBeGreaterThanOrEqual(delayMs - 5)
          expect(textOf(again!)).toBe("late")
          expect(again!.attempts).toBe(2)
          yield* Fiber.join(returning)
        })
      ))

    it("forgets each of many that are acknowledged around one that is not, although the consumer ends at once", () =>
      run((backend, q) =>
        Effect.gen(function* () {
          const keys = Array.from({ length: mostOut ?? 1000 }, (_, n) => String(n))
          yield* backend.publish(
            q,
            keys.map((key) => message(key))
          )
          const others = Effect.gen(function* () {
            const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 1000 })
            const received = yield* receiveAll(from, keys.length)
            const gone = yield* from.acknowledge(received.filter((delivery) => textOf(delivery) !== "0"))
            expect(gone.length).toBe(keys.length - 1)
          })
          yield* Effect.scoped(others)
          const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 1000 })
          const again = yield* receiveAll(from, 2, 1200)
          expect(again.map(textOf).filter((text) => text !== "0")).toEqual([])
        })
      ))

    it.skipIf(stall === undefined)(
      "gives what was held up on its way, and counts it as given once",
      () =>
        run((backend, q) =>
          Effect.gen(function* () {
            const keys = Array.from({ length: 200 }, (_, n) => String(n))
            const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 1000 })
            const taking = yield* Effect.forkScoped(receiveAll(from, keys.length, 8000))
            yield* Effect.sleep(50)
            const publishing = yield* Effect.forkScoped(
              backend.publish(
                q,
                keys.map((key) => message(key))
              )
            )
            yield* Effect.sleep(0)
            yield* Effect.promise(() => stall!(1700))
            yield* Fiber.join(publishing)
            const received = yield* Fiber.join(taking)
            expect(new Set(received.map(textOf))).toEqual(new Set(keys))
            expect(received.filter(({ attempts }) => attempts > 1)).toEqual([])
          })
        ),
      20_000
    )

    it.skipIf(!leases)(
      "gives a message to another when its lease has run out, and not while it is extended",
      () =>
        run((backend, q) =>
          Effect.gen(function* () {
            const slow = yield* backend.subscribe(q, { leaseMs: 1500, maxHeld: 100 })
            const other = yield* backend.subscribe(q, { leaseMs: 1500, maxHeld: 100 })
            yield* backend.publish(q, [message("left"), message("extended")])
            const both = yield* receiveAll(slow, 2)
            const [left, extended] = ["left", "extended"].map((text) => both.find((delivery) => textOf(delivery) === text))
            const extending = yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(300), slow.extend([extended!]))))
            const again = yield* receiveAll(other, 1, 8000)
            expect(again.map(textOf)).toEqual(["left"])
            expect(again[0]).toMatchObject({ id: left!.id, attempts: 2 })
            yield* other.acknowledge(again)
            expect((yield* receiveAll(other, 1, 1700)).map(textOf)).toEqual([])
            void extending
          })
        ),
      20_000
    )

    it.skipIf(!dedupes)("drops a message that is published again under its key", () =>
      run((backend, q) =>
        Effect.gen(function* () {
          const from = yield* backend.subscribe(q, { leaseMs, maxHeld: 100 })
          yield* backend.publish(q, [message("a", "first"), message("b")])
          yield* backend.publish(q, [message("a", "second"), message("b"), message("c")])
          const received = yield* receiveAll(from, 4, 1200)
          expect(received.map(textOf)).toEqual(["first", "b", "c"])
          yield* from.acknowledge(received)
          yield* backend.publish(q, [message("a", "third")])
          expect(yield* receiveAll(from, 1, 700)).toEqual([])
        })
      )
    )

    it("says how many wait", () =>
      run((backend, q) =>
        Effect.gen(function* () {
          yield* backend.publish(
            q,
            Array.from({ length: 7 }, (_, n) => message(String(n)))
          )
          expect((yield* backend.depth(q)).waiting).toBe(7)
        })
      ))

    it.skipIf(cutOff === undefined)(
      "goes on when the server has closed its connections",
      () =>
        run((backend, q) =>
          Effect.gen(function* () {
            const from = yield* backend.subscribe(q, { leaseMs: 1500, maxHeld: 100 })
            yield* backend.publish(q, [message("a")])
            const before = yield* receiveAll(from, 1)
            expect(before.map(textOf)).toEqual(["a"])
            yield* Effect.promise(() => cutOff!())
            const persistent = <A>(effect: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> =>
              Effect.catch(effect, () => Effect.andThen(Effect.sleep(100), persistent(effect)))
            yield* persistent(backend.publish(q, [message("b")]))
            const texts = new Set<string>()
            const deadline = Date.now() + 12_000
            while (!(texts.has("b") && texts.has("a")) && Date.now() < deadline) {
              for (const delivery of yield* persistent(from.receive(10))) {
                if (!texts.has(textOf(delivery))) yield* persistent(from.acknowledge([delivery]))
                texts.add(textOf(delivery))
              }
              // What it had before may have stayed its own.
              if (texts.has("b") && !texts.has("a")) if ((yield* persistent(from.acknowledge(before))).length > 0) texts.add("a")
            }
            expect([...texts].sort()).toEqual(["a", "b"])
            expect((yield* persistent(backend.depth(q))).waiting).toBe(0)
          })
        ),
      25_000
    )
  })
}
