import { assert, describe, it } from "vitest"
import { initialTransition, transition } from "xstate"
import { handleLifecycle, Lifecycle, type LifecycleEvent, lifecycleEvents, Mode, type ModeName } from "../../src/actors/index.ts"
import { actorLifecycle } from "../../src/actors/lifecycle.machine.ts"
import { TransitionTable } from "../../src/actors/TransitionTable.ts"

type Event = LifecycleEvent["type"]

const modeAfter = (...events: ReadonlyArray<Event>): ModeName => {
  const lifecycle = new Lifecycle()
  for (const event of events) lifecycle.send(event)
  return lifecycle.modeName
}

describe("Lifecycle", () => {
  it("walks the documented way through the modes", () => {
    const lifecycle = new Lifecycle()
    const modes = (["started", "pause", "resume", "crashed", "backoffElapsed", "started", "drain", "completed"] as const).map((event) => {
      assert.isTrue(lifecycle.send(event), event)
      return lifecycle.modeName
    })
    assert.deepStrictEqual(modes, ["running", "paused", "running", "restarting", "starting", "running", "draining", "stopped"])
    assert.strictEqual(lifecycle.mode, Mode.stopped)
  })

  it("comes back paused, or draining, from a crash", () => {
    assert.strictEqual(modeAfter("started", "pause", "crashed", "backoffElapsed", "started"), "paused")
    assert.strictEqual(modeAfter("started", "drain", "crashed", "backoffElapsed", "started"), "draining")
    assert.strictEqual(modeAfter("started", "pause", "crashed", "resume", "backoffElapsed", "started"), "running")
  })

  it("an order given before the start is followed after it", () => {
    assert.strictEqual(modeAfter("pause", "started"), "paused")
    assert.strictEqual(modeAfter("drain", "started"), "draining")
  })

  it("fails when the restarts are spent, and restarts only when told from above", () => {
    assert.strictEqual(modeAfter("started", "crashed", "intensityExceeded"), "failed")
    assert.strictEqual(modeAfter("started", "crashed", "abandoned", "backoffElapsed"), "failed")
    assert.strictEqual(modeAfter("started", "crashed", "intensityExceeded", "restart", "backoffElapsed"), "starting")
  })

  it("can be stopped from every mode, and stays stopped", () => {
    for (const way of waysToEveryState()) {
      const lifecycle = new Lifecycle()
      for (const event of way) lifecycle.send(event)
      assert.isTrue(lifecycle.send("stop"))
      for (const event of lifecycleEvents) {
        lifecycle.send(event)
        assert.strictEqual(lifecycle.modeName, "stopped", event)
      }
    }
  })

  it("reports an event that has no place in the mode, and changes nothing", () => {
    const misplaced: Array<string> = []
    const lifecycle = new Lifecycle({ onMisplaced: (event, mode) => misplaced.push(`${event} while ${mode}`) })
    assert.isFalse(lifecycle.send("backoffElapsed"))
    assert.isFalse(lifecycle.send("unheard of" as Event))
    lifecycle.send("crashed")
    assert.isFalse(lifecycle.send("crashed"))
    lifecycle.send("stop")
    assert.isFalse(lifecycle.send("crashed"))
    assert.deepStrictEqual(misplaced, [
      "backoffElapsed while starting",
      "unheard of while starting",
      "crashed while restarting",
      "crashed while stopped"
    ])
    assert.strictEqual(lifecycle.modeName, "stopped")
  })

  it("repeating an order is no mistake and no change", () => {
    const lifecycle = new Lifecycle()
    const heard: Array<string> = []
    const forget = lifecycle.onChange((after, before, event) => heard.push(`${before} ─${event}→ ${after}`))
    for (const event of ["started", "resume", "pause", "pause", "drain", "drain"] as const) assert.isTrue(lifecycle.send(event), event)
    assert.deepStrictEqual(heard, ["starting ─started→ running", "running ─pause→ paused", "paused ─drain→ draining"])
    forget()
    lifecycle.send("stop")
    assert.strictEqual(heard.length, 3)
  })

  it("answers as the machine does, for every state and every event", () => {
    const ways = waysToEveryState()
    assert.strictEqual(ways.length, 13)
    for (const way of ways) {
      for (const event of lifecycleEvents) {
        const lifecycle = new Lifecycle()
        for (const step of way) lifecycle.send(step)
        const [after] = transition(actorLifecycle, lifecycle.snapshot, { type: event })
        const isTaken = lifecycle.snapshot.can({ type: event })
        assert.strictEqual(lifecycle.send(event), isTaken, `${way.join(" ")} | ${event}`)
        assert.deepStrictEqual(lifecycle.snapshot.value, after.value, `${way.join(" ")} | ${event}`)
      }
    }
  })

  it("an inspected lifecycle is followed by an XState actor", () => {
    const lifecycle = new Lifecycle()
    lifecycle.send("started")
    const observed = lifecycle.inspect()
    assert.strictEqual(lifecycle.inspect(), observed)
    for (const event of ["pause", "crashed", "started", "backoffElapsed", "started", "stop"] as const) {
      lifecycle.send(event)
      assert.deepStrictEqual(observed.getSnapshot().value, lifecycle.snapshot.value)
    }
  })
})

describe("handleLifecycle", () => {
  const events = ["start", "pause", "resume", "drain", "completed", "stopped", "cancelled", "failed"] as const
  const walk = (...way: ReadonlyArray<(typeof events)[number]>): unknown => {
    let [snapshot] = initialTransition(handleLifecycle)
    for (const type of way) [snapshot] = transition(handleLifecycle, snapshot, { type })
    return typeof snapshot.value === "string" ? snapshot.value : snapshot.value.open
  }

  it("goes from created over running, paused and draining to its end", () => {
    assert.strictEqual(walk(), "created")
    assert.strictEqual(walk("start"), "running")
    assert.strictEqual(walk("start", "pause"), "paused")
    assert.strictEqual(walk("start", "pause", "resume"), "running")
    assert.strictEqual(walk("start", "drain"), "draining")
    assert.strictEqual(walk("start", "drain", "completed"), "completed")
  })

  it("a stream that was paused before its start begins when it is resumed", () => {
    assert.strictEqual(walk("pause", "start"), "paused")
    assert.strictEqual(walk("pause", "start", "resume"), "running")
  })

  it("of two ends the first one counts", () => {
    for (const end of ["completed", "stopped", "cancelled", "failed"] as const) {
      for (const before of [[], ["start"], ["start", "pause"], ["start", "drain"]] as const) {
        for (const later of events) assert.strictEqual(walk(...before, end, later), end)
      }
    }
  })

  it("is the same as a table", () => {
    const table = new TransitionTable(handleLifecycle, events)
    const [initial] = initialTransition(handleLifecycle)
    let known = [initial]
    for (let depth = 0; depth < 4; depth++) {
      known = known.flatMap((snapshot) => events.map((type) => transition(handleLifecycle, snapshot, { type })[0]))
      const distinct = new Map(known.map((snapshot) => [JSON.stringify(snapshot.value), snapshot]))
      known = [...distinct.values()]
    }
    // Walked by numbers, the table reaches exactly what the machine reaches.
    const reached = new Set([0])
    for (const state of reached) for (const event of events) reached.add(Math.max(0, table.next(state, event)))
    const values = [...reached].map((state) => JSON.stringify(table.snapshot(state).value))
    assert.deepStrictEqual(values.sort(), known.map((snapshot) => JSON.stringify(snapshot.value)).sort())
  })
})

/** For every state that XState can reach, the events that lead there. */
function waysToEveryState(): ReadonlyArray<ReadonlyArray<Event>> {
  const [initial] = initialTransition(actorLifecycle)
  const ways = new Map<string, { readonly snapshot: typeof initial; readonly way: ReadonlyArray<Event> }>()
  ways.set(JSON.stringify(initial.value), { snapshot: initial, way: [] })
  for (const { snapshot, way } of ways.values()) {
    for (const event of lifecycleEvents) {
      const [after] = transition(actorLifecycle, snapshot, { type: event })
      const name = JSON.stringify(after.value)
      if (!ways.has(name)) ways.set(name, { snapshot: after, way: [...way, event] })
    }
  }
  return [...ways.values()].map(({ way }) => way)
}
