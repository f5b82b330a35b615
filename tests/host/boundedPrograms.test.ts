import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { builtins, type StreamCapability } from "../../src/capabilities/index.ts"
import { rtfsStreams } from "../cli/command.ts"

const root = mkdtempSync(join(tmpdir(), "rtfs-streams-bounded-"))
mkdirSync(join(root, "data"))
writeFileSync(join(root, "data/orders.ndjson"), "{}\n")
afterAll(() => rmSync(root, { recursive: true }))

const all = "(call :stream.pipeline {:pipeline (call :stream.map (range 10) {:transform inc}) :on-result (fn [x] x)})"
const sum = "(call :stream.pipeline {:pipeline (call :stream.reduce (range 10) {:initial 0 :reducer +}) :on-result (fn [x] x)})"

describe("the verdict on the state of a node", () => {
  it.each(
    builtins
      .filter((capability): capability is StreamCapability => capability.kind !== "control")
      .map((capability) => [capability.id, capability] as const)
  )("is there for :%s", async (id, { example }) => {
    await using host = await StreamHost.start({ policy: { all: true, fsRoot: root } })
    const { pipelines, stoppedAt } = await host.explain(example)
    const nodes = pipelines.flatMap(({ actors }) => actors.flatMap((actor) => actor.nodes))
    // One that only comes to be of what a binding gives.
    if (id !== "stream.from-iterable") expect(nodes.some(({ capability }) => capability === id) || stoppedAt !== undefined).toBe(true)
    for (const { stateKind, state } of nodes) {
      expect(state).not.toContain("does not say")
      expect(["none", "bounded", "time", "unbounded"]).toContain(stateKind)
    }
  })

  it("adds up what is known in bytes, for each pipeline and for all, and names what is not", async () => {
    await using host = await StreamHost.start()
    const explanation = await host.explain(`
      (call :stream.to-collection {:source (call :stream.distinct [1 2]) :max-bytes 1000})
      (call :stream.to-collection {:source (call :stream.map [1 2] {:transform inc :buffer-size 3}) :max-bytes 500})`)
    expect(explanation.stateBytes).toBe(1500)
    expect(explanation.mailboxBytes).toBe(explanation.pipelines[1]!.mailboxBytes)
    expect(explanation.pipelines.map(({ stateBytes, unknownState }) => [stateBytes, unknownState])).toEqual([
      [1000, ["distinct"]],
      [500, []]
    ])
    expect(explanation.unbounded).toEqual([])
  })

  it("says of an unbounded node why, and what to do", async () => {
    await using host = await StreamHost.start()
    expect((await host.explain(all)).unbounded).toEqual([
      {
        pipeline: "program-1",
        node: "pipeline",
        capability: "stream.pipeline",
        why: expect.stringContaining("its result is all items"),
        remedy: expect.stringContaining(":stream.to-collection")
      }
    ])
  })
})

describe("a host that runs bounded programs only", () => {
  it("refuses others before anything of them runs, and names node and remedy", async () => {
    const lines: Array<string> = []
    await using host = await StreamHost.start({ bounded: true, print: (line) => void lines.push(line) })
    for (const run of [
      host.run(`(println "before") ${all}`),
      host.eval(`(println "before") ${all}`),
      host.spawn(`(println "before") ${all}`, { name: "all" })
    ]) {
      await expect(run).rejects.toMatchObject({ _tag: "UnboundedProgram" })
      await expect(run).rejects.toThrow(/The node pipeline .* is unbounded: .* End it in a reduction/)
    }
    expect(lines).toEqual([])
    expect((await host.run(`(println "before") ${sum}`)).processed).toBe(10)
    expect(lines).toEqual(["before"])
  })

  it("refuses what a dry run does not reach when it is started", async () => {
    await using host = await StreamHost.start({ bounded: true, bindings: { one: () => 1 } })
    await expect(host.run(`(let [n (one)] ${all})`)).rejects.toThrow("is unbounded")
    await expect(host.runFlow(new Flow("stream.pipeline", [[1, 2]]))).rejects.toThrow("is unbounded")
  })

  it("is asked for by --bounded on the command line", async () => {
    const file = join(root, "all.rtfs")
    writeFileSync(file, `(println "before") ${all}`)
    const [run, explained] = await Promise.all([rtfsStreams(["run", file, "--bounded"]), rtfsStreams(["explain", file, "--bounded"])])
    expect(run).toMatchObject({ status: 65, stdout: "", stderr: expect.stringContaining("End it in a reduction") })
    expect(explained).toMatchObject({
      status: 65,
      stdout: expect.stringContaining("UNBOUNDED: pipeline of program-1"),
      stderr: expect.stringContaining("is unbounded")
    })
    expect(await rtfsStreams(["explain", file, "--format", "svg"])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^<svg [^]*<\/svg>\n$/)
    })
    expect(await rtfsStreams(["explain", file, "--format", "ndjson"])).toMatchObject({
      status: 64,
      stderr: expect.stringContaining("it takes text, json, mermaid, dot, svg")
    })
  })
})
