import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type Actor, ByBytes, ByPriority, type FanInSpec, InOrder, RoundRobin, type Selection } from "../src/actors/index.ts"
import { actor, begin, kill, mailbox, quiet, received, Sender } from "../tests/actors/actorSetup.ts"

// What lies in the inputs while the actor waits is known, so what it gives before it waits again is, too.

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 100) }

const inputs = 3

/** Frames for the inputs, and what happens before the actor works: nothing, its life ends, or a checkpoint is taken and another process goes on. */
const phase = fc.record({
  frames: fc.array(fc.record({ input: fc.nat(inputs - 1), items: fc.integer({ min: 1, max: 9 }) }), { maxLength: 8 }),
  before: fc.constantFrom("nothing", "nothing", "crash", "checkpoint")
})
const phases = fc.array(phase, { minLength: 1, maxLength: 6 })
type Phases = typeof phases extends fc.Arbitrary<infer Value> ? Value : never

type Item = readonly [input: number, number: number]

/** Who is next among the inputs that have something, said as plainly as can be. */
type Model = (queues: ReadonlyArray<ReadonlyArray<Item>>) => number

const spec = (select: () => Selection, more: Partial<FanInSpec> = {}): FanInSpec => ({
  kind: "fan-in",
  capability: "test.fan-in",
  select,
  isolates: false,
  endsWithFirst: false,
  isTagged: false,
  awaitsAll: false,
  ...more
})

/** Runs the phases, and gives for each what came out of it beside what the model says. */
const run = async (
  select: () => Selection,
  phases: Phases,
  model: Model,
  check: (given: ReadonlyArray<Item>, expected: ReadonlyArray<Item>) => void
) => {
  const target = mailbox({ address: "/test/target", maxFrames: 10_000 })
  const numbers = Array.from({ length: inputs }, () => 0)
  let snapshot: unknown
  const make = () => {
    const input = mailbox({ edges: inputs, maxFrames: 1000 })
    const checkpointing = {
      durable: "test",
      onBarrier: (_: unknown, taken: unknown) => void (snapshot = structuredClone(taken)),
      onSealed: () => Effect.void
    }
    const made = actor({
      input: { mailbox: input, edges: inputs, fanIn: spec(select) },
      outputs: [{ mailbox: target, edge: 0 }],
      checkpointing
    })
    return { made, senders: Array.from({ length: inputs }, (_, edge) => new Sender(input, edge)) }
  }
  let { made, senders } = make()
  let life: Fiber.Fiber<void, unknown> = begin(made)
  await quiet()
  for (const { before, frames } of phases) {
    if (before === "crash") {
      await kill(life as never)
      life = begin(made)
      await quiet()
    } else if (before === "checkpoint") {
      for (const sender of senders) sender.signal("barrier", 1)
      await quiet()
      assert.deepEqual(received(target), [["barrier", 1]])
      await kill(life as never)
      ;({ made, senders } = make())
      made.restore(snapshot)
      life = begin(made)
      await quiet()
    }
    const queues: Array<Array<Item>> = Array.from({ length: inputs }, () => [])
    for (const { input, items } of frames) {
      const frame = Array.from({ length: items }, (): Item => [input, numbers[input]!++])
      queues[input]!.push(...frame)
      senders[input]!.items(...frame)
    }
    const expected: Array<Item> = []
    while (queues.some((queue) => queue.length > 0)) expected.push(queues[model(queues)]!.shift()!)
    await quiet()
    check(received(target) as ReadonlyArray<Item>, expected)
  }
  for (const sender of senders) sender.end()
  await quiet()
  assert.deepEqual(received(target), ["end"])
  await Effect.runPromise(Fiber.await(life))
}

const roundRobin = (): Model => {
  let last = inputs - 1
  return (queues) => {
    do last = (last + 1) % inputs
    while (queues[last]!.length === 0)
    return last
  }
}

const byPriority = (levels: ReadonlyArray<number>, patience: number): Model => {
  const skipped = levels.map(() => 0)
  return (queues) => {
    const ready = levels.map((_, input) => input).filter((input) => queues[input]!.length > 0)
    const aged = ready
      .filter((input) => skipped[input]! >= patience)
      .toSorted((a, b) => skipped[b]! - skipped[a]! || levels[a]! - levels[b]!)
    const chosen = aged[0] ?? ready.toSorted((a, b) => levels[a]! - levels[b]!)[0]!
    for (const input of ready) if (levels[input]! > levels[chosen]!) skipped[input]!++
    skipped[chosen] = 0
    return chosen
  }
}

const ofInput = (items: ReadonlyArray<Item>, input: number) => items.filter(([from]) => from === input)

describe("an actor that chooses among its inputs", () => {
  it("ME-1 ME-2: in turn gives all items, each input's in order, and one of each that has one", () =>
    fc.assert(
      fc.asyncProperty(phases, (phases) =>
        run(
          () => new RoundRobin(inputs),
          phases,
          roundRobin(),
          (given, expected) => {
            assert.deepEqual(given, expected)
            // As long as two inputs both have something, they have given equally often, but for one.
            for (let i = 0; i < given.length; i++) {
              const rest = given.slice(i)
              const counts = Array.from({ length: inputs }, (_, input) => ofInput(given.slice(0, i), input).length)
              const ready = Array.from({ length: inputs }, (_, input) => input).filter((input) => ofInput(rest, input).length > 0)
              for (const a of ready) for (const b of ready) assert.isAtMost(Math.abs(counts[a]! - counts[b]!), 1)
            }
          }
        )
      ),
      runs
    ))

  it("ME-4: by priority gives nothing less urgent while there is something more urgent, but for its turn after so many", () =>
    fc.assert(
      fc.asyncProperty(
        phases,
        fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
        fc.constantFrom(1, 2, 5, Infinity),
        (phases, levels, patience) =>
          run(
            () => new ByPriority(levels, patience),
            phases,
            byPriority(levels, patience),
            (given, expected) => assert.deepEqual(given, expected)
          )
      ),
      runs
    ))

  it("ME-1 ME-5: whatever the strategy, gives every item once and in order, and waits for no silent input", () =>
    fc.assert(
      fc.asyncProperty(
        phases,
        fc.nat(inputs - 1),
        fc.constantFrom<() => Selection>(
          () => new RoundRobin(inputs),
          () => new ByPriority([1, 0, 1], 3),
          () => new ByBytes([1, 5, 0.1], 20),
          () => new ByBytes([1, 1, 1], 64 * 1024)
        ),
        (phases, silent, select) => {
          const without = phases.map(({ before, frames }) => ({ before, frames: frames.filter(({ input }) => input !== silent) }))
          return run(select, without, roundRobin(), (given, expected) => {
            assert.lengthOf(given, expected.length)
            for (let input = 0; input < inputs; input++) assert.deepEqual(ofInput(given, input), ofInput(expected, input))
          })
        }
      ),
      runs
    ))
})

describe("choosing by bytes", () => {
  it("ME-3: gives inputs that always have something their shares, and lets none wait for more than a quantum and an item of each other", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            weight: fc.constantFrom(0.5, 1, 2, 3),
            sizes: fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 5 })
          }),
          {
            minLength: 2,
            maxLength: 4
          }
        ),
        fc.integer({ min: 1, max: 1000 }),
        (given, quantum) => {
          const selection = new ByBytes(
            given.map(({ weight }) => weight),
            quantum
          )
          const next = given.map(() => 0)
          const sizeOf = (input: number) => given[input]!.sizes[next[input]! % given[input]!.sizes.length]!
          const largest = given.map(({ sizes }) => Math.max(...sizes))
          const bytes = given.map(() => 0)
          /** Bytes of each other input since an input last gave something. */
          const waited = given.map(() => given.map(() => 0))
          for (let step = 0; step < 150; step++) {
            const input = selection.next({ isReady: () => true, bytesOf: sizeOf, waitingSince: () => 0 })!
            const size = sizeOf(input)
            selection.took(input, null, size)
            next[input]!++
            bytes[input]! += size
            for (const [other, counts] of waited.entries()) {
              if (other === input) counts.fill(0)
              else counts[input]! += size
            }
            // Where an item is larger than a quantum the input pays it back over several turns of the others.
            for (const [other, counts] of waited.entries()) {
              const turns = Math.ceil(largest[other]! / (quantum * given[other]!.weight)) + 1
              for (const [from, count] of counts.entries()) {
                const most = turns * quantum * given[from]!.weight + largest[from]!
                if (count > most) assert.fail(`input ${other} waited for ${count} bytes of input ${from}, and not ${most}`)
              }
            }
            for (const [a, left] of given.entries()) {
              for (const [b, right] of given.entries()) {
                const difference = Math.abs(bytes[a]! / left.weight - bytes[b]! / right.weight)
                const most = quantum + Math.max(largest[a]! / left.weight, largest[b]! / right.weight) + 1e-6
                if (difference > most) assert.fail(`inputs ${a} and ${b} are ${difference} bytes apart, and not ${most}`)
              }
            }
          }
        }
      ),
      runs
    ))

  it("ME-3: an input that was silent has saved nothing up", () => {
    const selection = new ByBytes([1, 1], 100)
    const take = (ready: ReadonlyArray<boolean>) => {
      const input = selection.next({ isReady: (at) => ready[at]!, bytesOf: () => 10, waitingSince: () => 0 })!
      selection.took(input, null, 10)
      return input
    }
    for (let i = 0; i < 1000; i++) assert.equal(take([true, false]), 0)
    const both = Array.from({ length: 40 }, () => take([true, true]))
    assert.equal(both.filter((input) => input === 0).length, 20)
  })
})

describe("a given order", () => {
  it("PA-3: is kept, however the inputs are ahead of each other and of the order", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(1), { maxLength: 40 }),
        fc.array(fc.record({ edge: fc.nat(2), items: fc.integer({ min: 1, max: 6 }), crash: fc.boolean() }), { maxLength: 30 }),
        async (order, offers) => {
          const input = mailbox({ edges: 3, maxFrames: 1000 })
          const target = mailbox({ address: "/test/target", maxFrames: 1000 })
          const made: Actor = actor({
            input: { mailbox: input, edges: 3, fanIn: spec(() => new InOrder(3)) },
            outputs: [{ mailbox: target, edge: 0 }]
          })
          const senders = [0, 1, 2].map((edge) => new Sender(input, edge))
          const waiting: ReadonlyArray<Array<unknown>> = [
            order.flatMap((to, index) => (to === 0 ? [index] : [])),
            order.flatMap((to, index) => (to === 1 ? [index] : [])),
            [...order]
          ]
          let life = begin(made)
          for (const { crash, edge, items } of [...offers, ...[2, 1, 0].map((edge) => ({ edge, items: 1000, crash: false }))]) {
            const frame = waiting[edge]!.splice(0, items)
            if (frame.length > 0) senders[edge]!.items(...frame)
            await new Promise((resolve) => setImmediate(resolve))
            if (!crash) continue
            await kill(life)
            life = begin(made)
          }
          for (const sender of senders) sender.end()
          await Effect.runPromise(Fiber.await(life))
          assert.deepEqual(received(target), [...order.keys(), "end"])
        }
      ),
      runs
    ))
})
