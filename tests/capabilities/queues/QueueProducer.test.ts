import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import type { AsyncSinkSpec } from "../../../src/actors/index.ts"
import { type ProducerOptions, QueueProducer } from "../../../src/capabilities/queues/QueueProducer.ts"
import { skipItems } from "../../../src/scheduler/index.ts"
import { type NewMessage, type QueueBackend, QueueFailure } from "../../../src/state/index.ts"
import { actor, begin, checkpointing, failureOf, keeping, life, mailbox, quiet, Sender, services } from "../../actors/actorSetup.ts"

const range = (count: number) => Array.from({ length: count }, (_, n) => n)

/** A producer for a queue that confirms what `confirm` lets it confirm, and notes it then. */
const producing = (given: { readonly confirm?: (call: number) => Effect.Effect<void, QueueFailure>; readonly options?: object } = {}) => {
  const calls: Array<ReadonlyArray<NewMessage>> = []
  const confirmed: Array<NewMessage> = []
  const sent: Array<number> = []
  const backend = {
    publish: (_: string, messages: ReadonlyArray<NewMessage>) =>
      Effect.suspend(() => {
        calls.push(messages)
        return Effect.map(given.confirm?.(calls.length) ?? Effect.void, () => void confirmed.push(...messages))
      })
  } as unknown as QueueBackend
  const options: ProducerOptions = { queue: "q", batchSize: 50, format: "json", onSent: undefined, ...given.options }
  const onSent = (count: number) => {
    sent.push(count)
    // Never before the confirmation.
    expect(sent.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(confirmed.length)
  }
  const spec: AsyncSinkSpec = {
    kind: "async-sink",
    capability: "test.produce",
    open: (context) =>
      Effect.sync(() => new QueueProducer(backend, { ...options, onSent: onSent as never }, { ...context, services }, "run"))
  }
  return { backend, calls, confirmed, sent, spec }
}

const bodies = (messages: ReadonlyArray<NewMessage>) => messages.map(({ body }) => JSON.parse(String(Buffer.from(body))) as unknown)
const placesOf = (messages: ReadonlyArray<NewMessage>) => messages.map(({ key }) => Number(key.split("/").at(-2)))

const refusing = (call: number) => (asked: number) =>
  asked === call ? Effect.fail(new QueueFailure("q", "refuses", { fix: "None.", isPassing: false })) : Effect.void

/** Every item in a frame of its own, as an asynchronous stage gives them. */
const singles = (sender: Sender, count: number) => {
  for (const n of range(count)) sender.items(n)
  return sender
}

describe("a producer of messages", () => {
  it("publishes whole batches of items that came one by one, in order", async () => {
    const input = mailbox({ maxFrames: 200 })
    const { calls, confirmed, sent, spec } = producing()
    singles(new Sender(input), 120).end()
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: spec })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(calls.map(({ length }) => length)).toEqual([50, 50, 20])
    expect(bodies(confirmed)).toEqual(range(120))
    expect(placesOf(confirmed)).toEqual(range(120))
    expect(sent).toEqual([50, 50, 20])
    expect(made.result()).toEqual({ queue: "q", sent: 120 })
  })

  it("publishes a lone item at once, and together what came meanwhile", async () => {
    const input = mailbox({ maxFrames: 200 })
    const isConfirmed = Deferred.makeUnsafe<void>()
    const { calls, sent, spec } = producing({ confirm: (call) => (call === 1 ? Deferred.await(isConfirmed) : Effect.void) })
    const sender = new Sender(input).items("lone")
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: spec })
    const fiber = begin(made)
    await quiet()
    expect(calls.map(bodies)).toEqual([["lone"]])
    singles(sender, 20)
    await quiet()
    expect([calls.length, sent.length]).toEqual([1, 0])
    Deferred.doneUnsafe(isConfirmed, Effect.void)
    await quiet()
    expect(calls.slice(1).map(bodies)).toEqual([range(20)])
    expect(sent).toEqual([1, 20])
    sender.end()
    expect(Exit.isSuccess(await Effect.runPromise(Fiber.await(fiber)))).toBe(true)
  })

  it("loses nothing when publishing fails: the next life publishes it under the same keys", async () => {
    const input = mailbox({ maxFrames: 200 })
    const { calls, confirmed, sent, spec } = producing({ confirm: refusing(2) })
    singles(new Sender(input), 120).end()
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: spec, failures: "restart" })
    expect(failureOf(await life(made))).toMatchObject({ reason: "node", isFinal: false })
    expect(sent).toEqual([50])
    await life(made)
    expect(calls[2]!.map(({ key }) => key)).toEqual(calls[1]!.map(({ key }) => key))
    expect(bodies(confirmed)).toEqual(range(120))
    expect(sent).toEqual([50, 50, 20])
    expect(made.result()).toEqual({ queue: "q", sent: 120 })
  })

  it("says what it holds when it ends for good", async () => {
    const input = mailbox({ maxFrames: 200 })
    const { spec } = producing({ confirm: refusing(1) })
    singles(new Sender(input), 3)
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: spec })
    await life(made)
    const left: Array<unknown> = []
    await Effect.runPromise(made.leftovers({ values: true }, ({ values }) => void left.push(...values())))
    expect(left).toEqual([0, 1, 2])
  })

  it("publishes what came before a barrier before it lets that pass, and goes on behind it from there", async () => {
    const input = mailbox({ maxFrames: 200 })
    const { confirmed, spec } = producing()
    const cut: Array<{ readonly confirmed: number; readonly snapshot: unknown }> = []
    const onBarrier = (_: unknown, snapshot: unknown) => void cut.push({ confirmed: confirmed.length, snapshot })
    singles(new Sender(input), 7).signal("barrier", 1).items("behind").end()
    await life(actor({ input: { mailbox: input, edges: 1 }, sink: spec, checkpointing: checkpointing(onBarrier) }))
    expect(cut[0]).toMatchObject({ confirmed: 7, snapshot: { position: { taken: 7, sent: 7, held: [], count: 0 } } })
    // Another process, another run: the keys are those of the first.
    const again = mailbox({ maxFrames: 200 })
    const resumed = actor({ input: { mailbox: again, edges: 1 }, sink: spec, checkpointing: checkpointing(() => {}) })
    resumed.restore(cut[0]!.snapshot)
    new Sender(again).items("behind").end()
    await life(resumed)
    expect(confirmed).toHaveLength(9)
    expect(confirmed[8]!.key).toBe(confirmed[7]!.key)
    expect(resumed.result()).toEqual({ queue: "q", sent: 8 })
  })

  it("leaves out an item that is no message, which keeps its place, and counts what was confirmed", async () => {
    const input = mailbox({ maxFrames: 200 })
    const { calls, confirmed, spec } = producing({ options: { format: "text" } })
    new Sender(input).items("a").items("b", 3, "c").items("d").end()
    const policies = [skipItems]
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: spec, policies, failures: "restart", items: keeping([]) })
    while (!Exit.isSuccess(await life(made)));
    expect(confirmed.map(({ body }) => String(Buffer.from(body)))).toEqual(["a", "b", "c", "d"])
    expect(calls).toHaveLength(1)
    expect(placesOf(confirmed)).toEqual([0, 1, 3, 4])
    expect(made.result()).toEqual({ queue: "q", sent: 4 })
  })

  it("leaves the oldest out or puts another in its place, under a key of its own", async () => {
    const { backend, confirmed } = producing()
    const options: ProducerOptions = { queue: "q", batchSize: 50, format: "json", onSent: undefined }
    const producer = new QueueProducer(backend, options, { address: "/test", services, position: undefined }, "run")
    await Effect.runPromise(producer.write(["a", "b", "c"]))
    producer.leaveOut()
    const key = producer.position().held[0]!.message.key
    producer.replace("B")
    expect(producer.values()).toEqual(["B", "c"])
    await Effect.runPromise(producer.sync)
    expect(bodies(confirmed)).toEqual(["B", "c"])
    expect(placesOf(confirmed)).toEqual([1, 2])
    expect(confirmed[0]!.key).not.toBe(key)
    expect(producer.position()).toEqual({ run: "run", taken: 3, sent: 2, held: [], count: 0 })
  })
})
