import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { frameLimits, type GraphNode, makePlan, type NodeTraits } from "../src/scheduler/index.ts"

// A line of nodes, some with a boundary, some with states of known size, and one that bounds the memory before it.

const megabyte = 1024 * 1024
const nodes = fc.array(fc.record({ boundary: fc.boolean(), stateBytes: fc.option(fc.nat(megabyte), { nil: undefined }) }), {
  maxLength: 12
})

describe("the memory of what stands before a node", () => {
  it("SP-2: stays within what was asked for, states included, or says that it can't", () =>
    fc.assert(
      fc.property(
        nodes,
        fc.nat(12),
        fc.integer({ min: 4 * megabyte, max: 64 * megabyte }),
        fc.boolean(),
        fc.integer({ min: megabyte, max: 128 * megabyte }),
        (line, at, bytes, spills, mailboxBytes) => {
          const place = Math.min(at, line.length)
          const traits: Array<NodeTraits> = [
            { role: "source", state: { verdict: "" } },
            ...line.map(({ boundary, stateBytes }): NodeTraits => ({
              role: "operator",
              ...(boundary ? { boundary: "asked for one" } : {}),
              state: { verdict: "", ...(stateBytes === undefined ? {} : { bytes: stateBytes }) }
            }))
          ]
          traits.splice(place + 1, 0, { role: "operator", boundary: "bounds", memory: { bytes, spills }, state: { verdict: "" } })
          const graph = traits.map((_, index): GraphNode => ({
            id: `n${index}`,
            capability: "any",
            options: {},
            inputs: index === 0 ? [] : [`n${index - 1}`],
            onFailure: undefined as never
          }))
          const traitsOf = ({ id }: GraphNode) => traits[Number(id.slice(1))]!
          const plan = makePlan("p", { nodes: graph, outputs: { out: `n${graph.length - 1}` } }, traitsOf, { mailboxBytes })
          const actorOf = (index: number) => plan.actors.findIndex((actor) => actor.nodes.includes(`n${index}`))
          const own = actorOf(place + 1)
          const before = plan.edges.filter(({ to }) => plan.actors.findIndex(({ address }) => address === to) <= own)
          const mailboxes = before.reduce((sum, edge) => sum + edge.bounds.maxBytes, 0)
          const states = traits.reduce((sum, { state }, index) => sum + (actorOf(index) < own ? (state.bytes ?? 0) : 0), 0)
          const [bound] = plan.memory
          expect(bound?.planned).toBe(mailboxes + states)
          // Only the smallest mailboxes that there are may be too much.
          if (mailboxes + states > bytes) {
            for (const { bounds, overflow } of before)
              expect(bounds.maxBytes).toBeLessThanOrEqual(overflow === "spill" ? megabyte : 2 * frameLimits.bytes)
          }
          for (const { bounds } of before) {
            expect(bounds.lowWaterMark).toBeLessThan(bounds.highWaterMark)
            expect(bounds.highWaterMark).toBeLessThanOrEqual(bounds.maxFrames)
          }
          expect(before.at(-1)!.overflow).toBe(spills ? "spill" : "backpressure")
        }
      ),
      { numRuns: 300 }
    ))
})
