import { describe, expect, it } from "vitest"
import { Island } from "../../src/actors/Island.ts"
import { IslandCode, loopsCompiled } from "../../src/actors/IslandCode.ts"
import { broken, failed, spent, suspended, worked, writeFusedLoop } from "../../src/actors/IslandWriter.ts"
import type { StageSpec } from "../../src/actors/index.ts"
import { aboutFunction, type FunctionDescription, type StreamFunction } from "../../src/scheduler/index.ts"
import { batch, filter, map } from "./actorSetup.ts"

const forms = [
  ["steps", Number.MAX_SAFE_INTEGER],
  ["fused loop", 0]
] as const

const output = (island: Island) => island.out.slice(0, island.outCount)

const described = (fn: (...args: ReadonlyArray<any>) => unknown, about: Partial<FunctionDescription>): StreamFunction =>
  Object.assign(fn, {
    [aboutFunction]: {
      name: "fn",
      minimum: 0,
      maximum: Infinity,
      synchronous: true,
      origin: { kind: "closure" },
      ...about
    } as FunctionDescription
  })

const expand: StageSpec = { kind: "stage", capability: "test.expand", then: ({ emitEach, value }) => emitEach(value) }

describe.each(forms)("an island as %s", (_, fuseAfter) => {
  const make = (stages: ReadonlyArray<StageSpec>) => new Island(stages, IslandCode.fusedAfter(stages, fuseAfter))

  it("goes on at the stage that failed, with the value that entered it", () => {
    const seen: Array<number> = []
    let fails = true
    const island = make([
      map((x) => (seen.push(x), x * 10)),
      map((x) => {
        if (x === 20 && fails) throw new Error("once")
        return x + 1
      })
    ])
    expect(island.run([1, 2, 3], 3, 0, 100)).toBe(failed)
    expect([island.index, island.stage, island.value, (island.cause as Error).message]).toEqual([1, 1, 20, "once"])
    fails = false
    expect(island.run([1, 2, 3], 3, 0, 100)).toBe(worked)
    expect(output(island)).toEqual([11, 21, 31])
    expect(seen).toEqual([1, 2, 3])
  })

  it("keeps the values that a list still has to emit when one of them fails, is skipped or waits", () => {
    const island = make([
      expand,
      map((x) => {
        if (x === "bad") throw new Error("bad")
        return x === "late" ? Promise.resolve() : x
      })
    ])
    const items = [["a", "bad", "b", "late", "c"], ["d"]]
    expect(island.run(items, 2, 0, 100)).toBe(failed)
    island.skip()
    expect(island.run(items, 2, 0, 100)).toBe(suspended)
    island.resumeWith("LATE")
    expect(island.run(items, 2, 0, 100)).toBe(worked)
    expect(output(island)).toEqual(["a", "b", "LATE", "c", "d"])
    expect([...island.entered]).toEqual([2, 6, 5])
  })

  it("stops in the middle of a list when its budget is spent", () => {
    const island = make([expand, expand])
    const items = [
      [
        [1, 2],
        [3, 4, 5]
      ],
      [[6]]
    ]
    let calls = 1
    while (island.run(items, 2, 0, 2) === spent) {
      expect(island.outCount).toBeLessThanOrEqual(calls * 2)
      calls++
    }
    expect(calls).toBeGreaterThan(3)
    expect(output(island)).toEqual([1, 2, 3, 4, 5, 6])
  })

  it("fires a timer between two items without losing one", () => {
    const island = make([batch(10, 5)])
    const items = [1, 2, 3, 4]
    island.run(items, 2, 100, 100)
    expect(island.nextTimer()).toBe(105)
    expect(island.fireDue(104)).toBe(false)
    expect(island.fireDue(105)).toBe(true)
    expect(island.nextTimer()).toBe(Infinity)
    island.run(items, 4, 106, 100)
    expect(island.nextTimer()).toBe(111)
    while (island.startEnd(200) >= 0) island.settle(200, 100)
    expect(output(island)).toEqual([
      [1, 2],
      [3, 4]
    ])
  })

  it("says so when code of ours throws, and keeps the value all the same", () => {
    let throws = 1
    const strange = {
      get list() {
        if (throws-- > 0) throw new TypeError("ours")
        return ["x", "y"]
      }
    }
    const wrong = (emit: "emit" | "emitEach", property: string): StageSpec => ({
      kind: "stage",
      capability: "test.wrong",
      then: (names) => names[emit](`${names.value}.${property}`)
    })
    const island = make([expand, wrong("emitEach", "list")])
    expect(island.run([[{ list: ["a"] }, strange], [{ list: ["z"] }]], 2, 0, 100)).toBe(broken)
    expect(island.cause).toMatchObject({ message: "ours" })
    expect(island.run([[], [{ list: ["z"] }]], 2, 0, 100)).toBe(worked)
    expect(output(island)).toEqual(["a", "x", "y", "z"])
    const other = make([wrong("emitEach", "missing")])
    expect(other.run([{}], 1, 0, 100)).toBe(broken)
    expect(other.isUnderWay).toBe(true)
  })

  it("runs an end, and fires a timer, again where code of ours threw: what they hold is not lost", () => {
    let throws = 2
    const gathering = batch(10, 5)
    const strange: StageSpec = {
      ...gathering,
      constants: {
        ...gathering.constants,
        check: () => {
          if (throws-- > 0) throw new TypeError("ours")
        }
      },
      atEnd: (names) => `${names.constant("check")}(); ${gathering.atEnd!(names)}`,
      timer: { ...gathering.timer!, fire: (names) => `${names.constant("check")}(); ${gathering.timer!.fire(names)}` }
    }
    const island = make([strange, map((x) => x)])
    island.run([1, 2], 2, 100, 100)
    expect(() => island.fireDue(105)).toThrow("ours")
    expect(island.nextTimer()).toBe(105)
    expect(() => island.startEnd(105)).toThrow("ours")
    while (island.startEnd(105) >= 0) island.settle(105, 100)
    expect(output(island)).toEqual([[1, 2]])
  })

  it("passes as many arguments as the function takes", () => {
    const seen: Array<ReadonlyArray<unknown>> = []
    const three = (maximum: number): StageSpec => ({
      kind: "stage",
      capability: "test.args",
      constants: { k: "constant" },
      state: { s: () => "state" },
      apply: {
        fn: described((...args) => (seen.push(args), 1), { maximum }),
        args: ({ constant, state, value }) => [value, state("s"), constant("k")]
      }
    })
    make([three(0), three(2), three(Infinity)]).run(["a"], 1, 0, 100)
    expect(seen).toEqual([[], [1, "state"], [1, "state", "constant"]])
  })

  it("refills a meter before each item, and before each value of a list", () => {
    const meter = { fuel: 0, slices: 5, slice: 100 }
    const fuel: Array<number> = []
    const metered = described(
      (x) => {
        fuel.push(meter.fuel, meter.slices)
        meter.fuel -= 40
        return x
      },
      { meter }
    )
    make([map(metered), expand, map(metered)]).run([[1, 2]], 1, 0, 100)
    expect(fuel).toEqual([100, 0, 100, 0, 100, 0])
  })

  it("does not take a result for a promise where the function is known to give none", () => {
    const result = { then: () => undefined }
    const island = make([map(described(() => result, {}))])
    expect(island.run([1], 1, 0, 100)).toBe(worked)
    expect(output(island)).toEqual([result])
  })

  it("has a sink's result, and knows no end of stages behind a sink", () => {
    const island = make([
      map((x) => x),
      {
        kind: "stage",
        capability: "test.sum",
        state: { sum: () => 0 },
        then: ({ state, value }) => `${state("sum")} += ${value}`,
        result: ({ sum }) => sum
      }
    ])
    island.run([1, 2, 3], 3, 0, 100)
    expect(island.sinkResult()).toBe(6)
    expect([...island.entered]).toEqual([3, 3, 0])
  })
})

describe("island code", () => {
  it("compiles one loop for a chain, whatever the number of runs and restarts", () => {
    const stages = [map((x) => x + 1), filter((x) => x > 0)]
    const items = Array.from({ length: 100 }, (_, index) => index)
    const before = loopsCompiled()
    for (let run = 0; run < 10_000; run++) {
      const island = new Island(stages)
      island.run(items, 100, 0, 100)
      if (island.outCount !== 100) expect.unreachable()
    }
    expect(loopsCompiled()).toBe(before + 1)
  })

  it("changes from steps to the loop in the middle of a stream, state included", () => {
    const stages: ReadonlyArray<StageSpec> = [
      { kind: "stage", capability: "test.count", state: { n: () => 0 }, then: ({ emit, state }) => `${state("n")}++; ${emit(state("n"))}` }
    ]
    const island = new Island(stages, IslandCode.fusedAfter(stages, 5))
    const items = [0, 0, 0, 0, 0, 0, 0, 0]
    for (let to = 1; to <= 8; to++) island.run(items, to, 0, 100)
    expect(island.code.isFused).toBe(true)
    expect(output(island)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  it("evaluates inline functions in the island's own text, with their free values, and calls nothing else", () => {
    const fn = described(() => expect.unreachable(), { maximum: 1, inline: { source: "(x) => x + offset", free: { offset: 7 } } })
    const stages = [map(fn), map(described(() => 0, { maximum: 1, inline: { source: "(x) => x * offset", free: { offset: 2 } } }))]
    const island = new Island(stages, IslandCode.fusedAfter(stages, 0))
    island.run([1, 2], 2, 0, 100)
    expect(output(island)).toEqual([16, 18])
  })

  it("has unique text for each chain, and no value in it", () => {
    const stages: ReadonlyArray<StageSpec> = [
      {
        kind: "stage",
        capability: "evil*/ } throw 1",
        constants: { secret: "`${evil}`" },
        then: ({ constant, emit }) => emit(constant("secret"))
      }
    ]
    expect(writeFusedLoop(stages, 1)).not.toBe(writeFusedLoop(stages, 2))
    expect(writeFusedLoop(stages, 1)).not.toContain("evil")
  })

  it("refuses names that are no identifiers, and names that were not declared", () => {
    const state = (name: string): StageSpec => ({
      kind: "stage",
      capability: "test.x",
      state: { [name]: () => 0 },
      then: (names) => names.state(name)
    })
    expect(() => writeFusedLoop([state("a b")], 1)).toThrow('"a b" can\'t be a name in generated code')
    expect(() => writeFusedLoop([{ kind: "stage", capability: "test.y", then: (names) => names.constant("size") }], 1)).toThrow(
      'the constant "size", which it does not declare'
    )
    const free = map(described(() => 0, { inline: { source: "x => x", free: { "a=1;b": 0 } } }))
    expect(() => writeFusedLoop([free], 1)).toThrow("can't be a name")
  })
})
