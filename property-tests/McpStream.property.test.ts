import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { McpStream } from "../src/capabilities/mcp/McpStream.ts"
import { isEnd, type McpEvent, type McpStatus, nextStatus } from "../src/capabilities/mcp/mcpStream.machine.ts"
import { SnapshotKeeper } from "../src/capabilities/mcp/SnapshotKeeper.ts"
import type { ChunkReceiver, StreamTransport } from "../src/capabilities/mcp/StreamTransport.ts"
import { keyword } from "../src/serialization/index.ts"
import { openStateStore } from "../src/state/index.ts"

const runs = (ordinary: number) => ({ numRuns: Number(process.env["FC_RUNS"] ?? ordinary) })

/** Waits are over at once: what is tested is the order of things, not how long they take. */
const perform = <A>(effect: Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(
    Effect.flatMap(Clock.Clock, (clock) =>
      Effect.provideService(
        effect,
        Clock.Clock,
        Object.assign(Object.create(clock) as Clock.Clock, {
          sleep: () => Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
        })
      )
    )
  )

/** Chunks 1 to `count`, over as many connections as the breaks leave it; each begins behind the cursor. */
class Scripted implements StreamTransport {
  readonly idleMs = undefined
  readonly #count: number
  readonly #breaks: Array<number>
  /** The longest queue that a chunk was put into. */
  longest = 0
  queueLength: () => number = () => 0

  constructor(count: number, breaks: ReadonlyArray<number>) {
    this.#count = count
    this.#breaks = [...breaks]
  }

  resolved() {
    return {}
  }

  isRepeatable() {
    return true
  }

  async run(receiver: ChunkReceiver, signal: AbortSignal): Promise<void> {
    const breakAfter = this.#breaks.shift() ?? Infinity
    receiver.connected()
    let given = 0
    for (let n = Number(receiver.cursor() ?? 0) + 1; n <= this.#count; n++) {
      await receiver.room()
      if (signal.aborted) return
      if (given++ === breakAfter) throw Object.assign(new Error("cut"), { isTemporary: true })
      receiver.offer({ value: n, metadata: {}, bytes: 1, cursor: String(n) })
      this.longest = Math.max(this.longest, this.queueLength())
    }
  }
}

interface Scenario {
  readonly count: number
  readonly capacity: number
  readonly breaks: ReadonlyArray<number>
  /** Chunks after which the processor asks for a pause. */
  readonly pauses: ReadonlyArray<number>
  /** Chunks at which it fails once. */
  readonly failures: ReadonlyArray<number>
  /** Chunks after which the process ends, and another one goes on. */
  readonly kill: number
}

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  count: fc.integer({ min: 0, max: 30 }),
  capacity: fc.integer({ min: 1, max: 5 }),
  // Fewer than three in a row without a chunk, which would be the end.
  breaks: fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 2 }),
  pauses: fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 5 }),
  failures: fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 3 }),
  kill: fc.integer({ min: 1, max: 40 })
})

/** Runs a stream until it has ended, as its actor and its supervisor do; who looks on resumes it when it is paused. */
const outcome = async ({
  breaks,
  capacity,
  count,
  failures,
  kill,
  pauses
}: Scenario): Promise<{ readonly state: unknown; readonly outputs: ReadonlyArray<unknown>; readonly longest: number }> => {
  const scope = Scope.makeUnsafe()
  const store = await perform(Scope.provide(openStateStore("memory:"), scope))
  const failing = new Set(failures)
  const outputs: Array<unknown> = []
  let longest = 0
  const life = async (from: ConstructorParameters<typeof McpStream>[0]["from"], killAfter: number) => {
    const transport = new Scripted(count, breaks)
    const stream: McpStream = new McpStream({
      id: "s",
      endpoint: "s",
      processorName: null,
      initialState: [],
      capacity,
      outputSchema: undefined,
      timeoutMs: 1,
      autoConnect: true,
      isNamed: true,
      transport,
      perform,
      now: () => 0,
      from,
      keeper: await SnapshotKeeper.open(store, "s", { stream: null, isNamed: true }, perform, () => {}),
      processor: async (state: ReadonlyArray<number>, chunk: number) => {
        if (failing.delete(chunk)) throw new Error("once")
        return { state: [...state, chunk], output: chunk, action: keyword(pauses.includes(chunk) ? "pause" : "continue") }
      }
    })
    transport.queueLength = () => stream.queue.length
    stream.open()
    for (;;) {
      const watching = setInterval(() => {
        if (stream.status === "paused") void stream.send("resume")
      }, 0)
      const next = await stream.next().then(
        (value) => ({ value }),
        () => "failed" as const
      )
      clearInterval(watching)
      if (next === "failed") {
        stream.open()
        continue
      }
      stream.taken()
      if (next.value === null) break
      outputs.push(next.value.value)
      if (stream.processed >= killAfter) break
    }
    longest = Math.max(longest, transport.longest)
    const snapshot = stream.snapshot()
    await stream.close()
    return { stream, snapshot }
  }
  const first = await life(undefined, kill)
  const last = isEnd(first.snapshot.status) ? first : await life({ ...first.snapshot, status: "active" }, Infinity)
  await perform(Scope.close(scope, Exit.void))
  return { state: last.stream.state, outputs, longest }
}

describe("an MCP stream", () => {
  it("works off every chunk once and in order, over pauses, full queues, breaks, failures and processes", () =>
    fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const expected = Array.from({ length: scenario.count }, (_, index) => index + 1)
        const { longest, outputs, state } = await outcome(scenario)
        expect(state).toEqual(expected)
        expect(outputs).toEqual(expected)
        expect(longest).toBeLessThanOrEqual(scenario.capacity)
      }),
      runs(100)
    ))

  it("keeps its end, and pauses and resumes only while it has none", () => {
    const events = fc.array(fc.constantFrom<McpEvent>("pause", "resume", "complete", "stop", "cancel", "fail", "restart"), {
      maxLength: 12
    })
    const ends: Readonly<Partial<Record<McpEvent, McpStatus>>> = { complete: "completed", stop: "stopped", cancel: "cancelled" }
    // Written anew, in the simplest way: what the last event that counts has made of it.
    const model = (status: McpStatus, event: McpEvent): McpStatus => {
      if (isEnd(status)) return status
      if (status === "error") return event === "restart" ? "active" : event === "complete" ? "error" : (ends[event] ?? "error")
      if (event === "fail") return "error"
      return ends[event] ?? (event === "pause" ? "paused" : event === "resume" ? "active" : status)
    }
    fc.assert(
      fc.property(events, (sequence) => {
        let [status, modelled]: [McpStatus, McpStatus] = ["active", "active"]
        for (const event of sequence) {
          status = nextStatus(status, event)
          modelled = model(modelled, event)
          expect(status).toBe(modelled)
        }
      }),
      runs(300)
    )
  })
})
