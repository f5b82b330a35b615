import { describe, expect, it } from "vitest"
import { failItems, type Graph, type GraphNode, makePlan, type NodeTraits } from "../../src/scheduler/index.ts"

const node = (id: string, inputs: ReadonlyArray<string> = []): GraphNode => ({ id, capability: `test.${id}`, options: {}, inputs, onFailure: failItems })
const chain = (...ids: ReadonlyArray<string>): Graph => ({
  nodes: ids.map((id, index) => node(id, index === 0 ? [] : [ids[index - 1]!])),
  outputs: { out: ids.at(-1)! }
})
const plan = (graph: Graph, traits: Readonly<Record<string, Partial<NodeTraits>>> = {}, mailboxBytes = 8 * 1024 * 1024) =>
  makePlan(
    "p",
    graph,
    ({ id }) => ({ role: id === "source" ? "source" : id === "sink" ? "sink" : "operator", state: { verdict: "keeps nothing" }, ...traits[id] }),
    { mailboxBytes }
  )

describe("makePlan", () => {
  it("fuses a chain into one actor", () => {
    const { actors, edges, mailboxBytes } = plan(chain("source", "map", "filter", "sink"))
    expect(actors.map(({ address, kind, nodes }) => ({ address, kind, nodes }))).toEqual([
      { address: "/pipelines/p/source", kind: "source", nodes: ["source", "map", "filter", "sink"] }
    ])
    expect(edges).toEqual([])
    expect(mailboxBytes).toBe(0)
  })

  it("puts a mailbox on both sides of a node that needs an actor of its own, and says why", () => {
    const { actors, edges } = plan(chain("source", "map", "sink"), { map: { boundary: "runs in the worker pool" } })
    expect(actors.map(({ kind, nodes }) => [kind, nodes])).toEqual([
      ["source", ["source"]],
      ["processor", ["map"]],
      ["sink", ["sink"]]
    ])
    expect(edges.map(({ from, reason, to }) => [from, to, reason])).toEqual([
      ["/pipelines/p/source", "/pipelines/p/map", "map runs in the worker pool"],
      ["/pipelines/p/map", "/pipelines/p/sink", "map runs in the worker pool"]
    ])
  })

  it("gives each input of a node with several an edge of its own", () => {
    const graph: Graph = { nodes: [node("a"), node("b"), node("join", ["a", "b"])], outputs: { out: "join" } }
    const { edges } = plan(graph, { a: { role: "source" }, b: { role: "source" } })
    expect(edges.map(({ edge, from, reason }) => [from, edge, reason])).toEqual([
      ["/pipelines/p/a", 0, "join takes from several streams"],
      ["/pipelines/p/b", 1, "join takes from several streams"]
    ])
  })

  it("lets what keeps time not wait with what is above it", () => {
    const traits = { map: { mayWait: true }, batch: { keepsTime: true } }
    expect(plan(chain("source", "map", "filter", "batch", "sink"), traits).edges.map(({ reason }) => reason)).toEqual(["batch keeps time while map may wait"])
    expect(plan(chain("source", "batch", "map", "sink"), traits).edges).toEqual([])
  })

  it("shares the memory among the mailboxes, never below two frames each", () => {
    const cut = { map: { boundary: "x" }, filter: { boundary: "y" } }
    const graph = chain("source", "map", "filter", "sink")
    const roomy = plan(graph, cut, 3 * 64 * 1024 * 5)
    expect(roomy.edges.map(({ bounds }) => bounds.maxFrames)).toEqual([5, 5, 5])
    expect(roomy.mailboxBytes).toBe(3 * 5 * 64 * 1024)
    expect(plan(graph, cut, 1).edges.map(({ bounds }) => bounds.maxFrames)).toEqual([2, 2, 2])
  })

  it("keeps the bounds and the overflow strategy that a buffer was given", () => {
    const { edges } = plan(chain("source", "sink"), { sink: { boundary: "was given a buffer", buffer: { items: 100, overflow: "drop-oldest" } } })
    expect(edges[0]).toMatchObject({ overflow: "drop-oldest", bounds: { maxItems: 100 } })
  })

  it("lets no more wait behind a source than it says, unless a buffer was asked for", () => {
    const source = { role: "source", boundary: "reads", ahead: 7 } as const
    const itemsOf = (graph: Graph, traits: Readonly<Record<string, Partial<NodeTraits>>>) => plan(graph, traits).edges.map(({ bounds }) => bounds.maxItems)
    expect(itemsOf(chain("source", "sink"), { source })[0]).toBe(7)
    expect(itemsOf(chain("source", "sink"), { source, sink: { buffer: { items: 100, overflow: "backpressure" } } })).toEqual([100])
    const merged: Graph = { nodes: [node("a"), node("b"), node("join", ["a", "b"])], outputs: { out: "join" } }
    expect(itemsOf(merged, { a: source, b: { ...source, ahead: 9 } })).toEqual([7, 7])
  })
})
