import { afterEach, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { buildGraph, builtins, specsOf, type StreamCapability, type StreamValue } from "../../src/capabilities/index.ts"
import { partInput } from "../../src/capabilities/composition/PartInput.ts"
import { flowValue } from "../../src/host/flowValue.ts"
import { reviveStream } from "../../src/host/reviveStream.ts"
import { type StoredStream, storedStream } from "../../src/host/storedStream.ts"
import { describe as describeFunction, graphToData, hashGraph, type StreamFunction } from "../../src/scheduler/index.ts"
import { decodeValue, encodeValue } from "../../src/serialization/index.ts"
import { Contract } from "./contractHost.ts"
import { rows } from "./rows.ts"

let contract: Contract | undefined
afterEach(() => {
  contract?.remove()
  contract = undefined
})

const streams = builtins.filter((capability): capability is StreamCapability => capability.kind !== "control")

describe.each(streams.map((capability) => [capability.id, capability] as const))(":%s", (id, capability) => {
  it("names the nearest option for each one that is misspelled", async () => {
    await using host = await StreamHost.start({ policy: { all: true }, log: () => {} })
    const subject = capability.subject.is === "none" ? "" : capability.subject.is === "value" ? '"x"' : "[]"
    for (const name of Object.keys(specsOf(capability))) {
      if (name.length < 4 || (capability.subject.is === "value" && capability.subject.name === name)) continue
      const misspelled = `${name.slice(0, -2)}${name.at(-1)}${name.at(-2)}${name.at(-2) === name.at(-1) ? "x" : ""}`
      await expect(host.eval(`(call :${id} ${subject} {:${misspelled} 1})`)).rejects.toThrow(`did you mean :${name}`)
    }
  })
})

/** The stream value of a row's call, as a program makes it. */
const valueOf = async (call: string): Promise<StreamValue> => {
  let captured: unknown
  const capture = (stream: unknown) => void (captured = stream)
  await using host = await StreamHost.start({
    policy: { all: true, fsRoot: contract!.root },
    bindings: { ...contract!.bindings, capture },
    log: () => {}
  })
  await host.eval(`(capture ${call})`)
  return flowValue(Flow.of(captured))!
}

describe.each(Object.entries(rows))(":%s", (id, row) => {
  const call = () => {
    contract = new Contract(row, [1, 2, 3])
    return row.call("(call :stream.map items {:transform seen})", "")
  }

  it("has a verdict on its state, and its options as plain data, in what explain says", async () => {
    const program = call()
    await using host = await StreamHost.start({
      policy: { all: true, fsRoot: contract!.root },
      bindings: contract!.bindings,
      log: () => {}
    })
    const { pipelines, stoppedAt } = await host.explain(program)
    if (row.differs?.explains !== undefined) return expect(stoppedAt).toContain("calls")
    expect(stoppedAt).toBeUndefined()
    const nodes = pipelines.flatMap(({ actors }) => actors).flatMap((actor) => actor.nodes)
    const own = nodes.filter(({ capability }) => capability === id)
    expect(own.length).toBeGreaterThan(0)
    for (const { state, stateKind } of own) {
      expect(state).toMatch(/^(keeps nothing|bounded: |bounded by time: |unbounded: )\S*/)
      expect(["none", "bounded", "time", "unbounded"]).toContain(stateKind)
    }
    expect(structuredClone(pipelines)).toEqual(pipelines)
  })

  it("is the same graph after a way through bytes", async () => {
    if (row.role === "sink") return
    const value = await valueOf(call())
    const { graph } = buildGraph(value)
    const data = graphToData(graph)
    expect(decodeValue(encodeValue(data))).toEqual(data)
    const stored = decodeValue(encodeValue(storedStream(value))) as StoredStream
    const revive = () =>
      reviveStream("contract", stored, {
        capability: (name) => [...streams, partInput].find((each) => each.id === name)!,
        compile: (source) => Object.assign(() => source, { source }) as unknown as StreamFunction,
        binding: (name) => functions.get(name),
        defined: undefined
      })
    const functions = functionsOf(value)
    if (row.differs?.revives !== undefined) return expect(revive).toThrow(/of the process that made it/)
    const revived = buildGraph(revive()).graph
    const shape = (made: typeof graph) => made.nodes.map(({ capability, id, inputs }) => ({ id, capability, inputs }))
    expect(shape(revived)).toEqual(shape(graph))
    if (!stored.functions.some(({ kind }) => kind === "rtfs")) expect(hashGraph(revived)).toBe(hashGraph(graph))
  })
})

/** The functions of the host in a stream, by the names under which it binds them. */
const functionsOf = (value: StreamValue, found = new Map<string, StreamFunction>()): ReadonlyMap<string, StreamFunction> => {
  for (const option of Object.values(value.options)) {
    if (typeof option !== "function") continue
    const { origin } = describeFunction(option as StreamFunction)
    if (origin.kind === "binding") found.set(origin.name, option as StreamFunction)
    if (origin.kind !== "rtfs") continue
    for (const [name, captured] of Object.entries(origin.captured))
      if (typeof captured === "function") found.set(name, captured as StreamFunction)
  }
  for (const input of [...value.inputs, ...value.subStreams.map(({ stream }) => stream)]) functionsOf(input, found)
  return found
}
