import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Diagram } from "../src/cli/pictures/Diagram.ts"
import { dot } from "../src/cli/pictures/dot.ts"
import { layeredLayout } from "../src/cli/pictures/layeredLayout.ts"
import { mermaid } from "../src/cli/pictures/mermaid.ts"
import { drawings, svg } from "../src/cli/pictures/svg.ts"
import { displayWidth } from "../src/cli/pictures/textWidth.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)

const name = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom("map", "<a href='x'>", "]]>&amp;", "\u0000", "漢字".repeat(30))
)

/** Up to 30 islands, each taking from some of those before it. */
const diagram: fc.Arbitrary<Diagram> = fc
  .array(fc.record({ name, state: name, rows: fc.integer({ min: 1, max: 4 }), inputs: fc.array(fc.nat(29), { maxLength: 3 }) }), {
    minLength: 1,
    maxLength: 30
  })
  .chain((islands) => fc.record({ title: name, reason: name }).map(({ reason, title }) => ({ islands, reason, title })))
  .map(({ islands, reason, title }) => ({
    title,
    totals: [reason],
    islands: islands.map((island, index) => ({
      address: `/${index}`,
      name: island.name,
      kind: index % 2 === 0 ? ("source" as const) : ("sink" as const),
      nodes: Array.from({ length: island.rows }, (_, row) => ({
        id: `${index}-${row}${island.name}`,
        capability: "stream.map",
        inputs: [],
        state: island.state,
        stateKind: row === 0 ? ("unbounded" as const) : ("bounded" as const),
        onFailure: "fail" as never,
        notes: []
      }))
    })),
    mailboxes: islands.flatMap(({ inputs }, index) =>
      [...new Set(inputs)]
        .filter((input) => input < index)
        .map((input) => ({
          from: `/${input}`,
          fromNode: `${input}-0${islands[input]!.name}`,
          to: `/${index}`,
          toNode: `${index}-0${islands[index]!.name}`,
          bounds: "8 frames",
          reason
        }))
    )
  }))

/** Well-formed by the rules of XML for what a picture has: elements, attributes in double quotes, text. */
const checkXml = (xml: string): void => {
  // oxlint-disable-next-line no-control-regex
  expect(xml).not.toMatch(
    /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/
  )
  const open: Array<string> = []
  const rest = xml.replaceAll(
    /<(\/?)([A-Za-z]+)((?:\s+[A-Za-z:-]+="[^"<&]*(?:&(?:amp|lt|gt|quot|#39);[^"<&]*)*")*)\s*(\/?)>/g,
    (_, closing: string, element: string, __, empty: string) => {
      if (closing === "/") expect(open.pop()).toBe(element)
      else if (empty !== "/") open.push(element)
      return ""
    }
  )
  expect(open).toEqual([])
  expect(rest.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, "")).not.toMatch(/[<&]/)
}

describe("Pictures", () => {
  it("never overlap boxes, and no arrow touches a box that it does not lead from or to", () =>
    fc.assert(
      fc.property(diagram, (drawn) => {
        const { arrows, boxes } = drawings(drawn)
        const layout = layeredLayout(boxes, arrows)
        const placed = boxes.map(({ height, id, width }) => ({ id, ...layout.boxes.get(id)!, width, height }))
        // No more room than it takes.
        expect(Math.min(...placed.map(({ x }) => x), ...layout.routes.flat().map(({ x }) => x - 1))).toBeCloseTo(0)
        expect(Math.max(...placed.map(({ width, x }) => x + width), ...layout.routes.flat().map(({ x }) => x + 1))).toBeCloseTo(layout.width)
        for (const [index, a] of placed.entries()) {
          expect(a.x).toBeGreaterThanOrEqual(-1e-6)
          expect(a.x + a.width).toBeLessThanOrEqual(layout.width + 1e-6)
          expect(a.y + a.height).toBeLessThanOrEqual(layout.height + 1e-6)
          for (const b of placed.slice(index + 1)) {
            const isApart =
              a.x + a.width < b.x + 1e-6 || b.x + b.width < a.x + 1e-6 || a.y + a.height < b.y + 1e-6 || b.y + b.height < a.y + 1e-6
            if (!isApart) throw new Error(`${a.id} and ${b.id} overlap`)
          }
        }
        layout.routes.forEach((points, index) => {
          const { from, to } = arrows[index]!
          for (let bend = 1; bend < points.length; bend++) {
            for (let step = 0; step <= 10; step++) {
              const x = points[bend - 1]!.x + ((points[bend]!.x - points[bend - 1]!.x) * step) / 10
              const y = points[bend - 1]!.y + ((points[bend]!.y - points[bend - 1]!.y) * step) / 10
              const touched = placed.find((box) => x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height)
              if (touched !== undefined) throw new Error(`The arrow from ${from} to ${to} runs through ${touched.id}`)
            }
          }
          expect(points.at(-1)!.y).toBeGreaterThan(points[0]!.y - 1e-6)
        })
      }),
      { numRuns }
    ))

  it("are well-formed XML whatever the names are, and no line leaves its box", () =>
    fc.assert(
      fc.property(fc.array(diagram, { maxLength: 2 }), (diagrams) => {
        const picture = svg(diagrams)
        checkXml(picture)
        const width = Number(/width="([\d.]+)"/.exec(picture)![1])
        for (const [, line] of picture.matchAll(/<text[^>]*>([^<]*)<\/text>/g)) {
          expect(displayWidth(line!.replaceAll(/&[^;]+;/g, "x")) * 7.3).toBeLessThanOrEqual(width)
        }
        for (const text of [mermaid(diagrams), dot(diagrams)]) expect(text).not.toMatch(/\p{Cs}|[^\n\P{Cc}]/u)
      }),
      { numRuns }
    ))
})
