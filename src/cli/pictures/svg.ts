import type { ExplainedNode } from "../../host/index.ts"
import { type Diagram, type Island, type MailboxEdge, stateLine } from "./Diagram.ts"
import { type Arrow, type Box, type Layout, layeredLayout, type Point } from "./layeredLayout.ts"
import { displayWidth, wrapped } from "./textWidth.ts"

/** Every measure in pixels. Widths are those of a monospaced font, so that text needs no measuring. */
const font = { size: 12, char: 7.3, line: 17 } as const
const pad = { box: 12, node: 8, page: 28 } as const
const mostChars = { node: 46, mailbox: 40, totals: 100 } as const

/** One picture of all pipelines, below each other: islands as boxes, mailboxes as rounded ones on the way between them. */
export const svg = (diagrams: ReadonlyArray<Diagram>): string => {
  const parts: Array<string> = []
  let width = 0
  let y: number = pad.page
  for (const diagram of diagrams) {
    const drawn = pipeline(diagram)
    parts.push(`<g transform="translate(${pad.page} ${round(y)})">${drawn.text}</g>`)
    width = Math.max(width, drawn.width)
    y += drawn.height + pad.page
  }
  if (diagrams.length === 0) {
    parts.push(text(["no stream is started"], pad.page, y, "name"))
    width = displayWidth("no stream is started") * font.char
    y += font.line + pad.page
  }
  const size = `${round(width + 2 * pad.page)} ${round(y)}`
  const [w, h] = size.split(" ")
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" width="${w}" height="${h}" role="img" aria-label="${escaped(diagrams.map(({ title }) => title).join(", "))}">
<style>${style}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>
<rect class="page" width="100%" height="100%"/>
${parts.join("\n")}
</svg>`
}

/** What is drawn in one box, and how large it is. */
export interface Drawing extends Box {
  readonly draw: (at: Point) => string
}

/** The boxes and arrows of one pipeline, before they are placed. */
export const drawings = ({
  islands,
  mailboxes
}: Diagram): { readonly boxes: ReadonlyArray<Drawing>; readonly arrows: ReadonlyArray<Arrow> } => {
  const ofMailboxes = mailboxes.map((mailbox, index) => mailboxBox(mailbox, index))
  return {
    boxes: [...islands.map(islandBox), ...ofMailboxes],
    arrows: mailboxes.flatMap(({ from, to }, index) => [
      { from, to: ofMailboxes[index]!.id },
      { from: ofMailboxes[index]!.id, to }
    ])
  }
}

const pipeline = (diagram: Diagram): { readonly text: string; readonly width: number; readonly height: number } => {
  const { arrows, boxes } = drawings(diagram)
  const layout: Layout = layeredLayout(boxes, arrows)
  const head = wrapped(diagram.title, mostChars.totals)
  const foot = diagram.totals.flatMap((line) => wrapped(line, mostChars.totals))
  const top = head.length * font.line + pad.box
  const bottom = top + layout.height + pad.box
  return {
    width: Math.max(layout.width, ...[...head, ...foot].map((line) => displayWidth(line) * font.char)),
    height: bottom + foot.length * font.line,
    text: [
      text(head, 0, 0, "title"),
      `<g transform="translate(0 ${round(top)})">`,
      ...layout.routes.map(
        (points) =>
          `<path class="way" d="${points.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("")}" marker-end="url(#tip)"/>`
      ),
      ...boxes.map((box) => box.draw(layout.boxes.get(box.id)!)),
      "</g>",
      text(foot, 0, bottom, "muted")
    ].join("")
  }
}

const islandBox = ({ address, kind, name, nodes }: Island): Drawing => {
  const title = wrapped(`${name} (${kind})`, mostChars.node)
  const rows = nodes.map(nodeRow)
  const width = Math.max(...title.map((line) => displayWidth(line) * font.char), ...rows.map((row) => row.width)) + 2 * pad.box
  const height = title.length * font.line + pad.box + rows.reduce((sum, row) => sum + row.height + pad.node, 0) + pad.box / 2
  return {
    id: address,
    width,
    height,
    draw: ({ x, y }) => {
      let below = y + pad.box / 2 + title.length * font.line + pad.node / 2
      const drawn = rows.map((row) => {
        const at = below
        below += row.height + pad.node
        return row.draw({ x: x + pad.box, y: at }, width - 2 * pad.box)
      })
      return `<g><title>${escaped(address)}</title>${rect(x, y, width, height, `island ${kind}`, 8)}${text(title, x + pad.box, y + pad.box / 2, "name")}${drawn.join("")}</g>`
    }
  }
}

const nodeRow = (node: ExplainedNode) => {
  const state = stateLine(node)
  const lines = [
    ...wrapped(node.id, mostChars.node).map((line) => [line, "name"] as const),
    ...wrapped(`:${node.capability}`, mostChars.node).map((line) => [line, "muted"] as const),
    ...(state === undefined
      ? []
      : wrapped(state, mostChars.node).map((line) => [line, node.stateKind === "unbounded" ? "warning" : "state"] as const))
  ]
  return {
    width: Math.max(...lines.map(([line]) => displayWidth(line) * font.char)) + 2 * pad.node,
    height: lines.length * font.line + pad.node,
    draw: ({ x, y }: Point, width: number): string =>
      rect(x, y, width, lines.length * font.line + pad.node, `node${node.stateKind === "unbounded" ? " unbounded" : ""}`, 4)
      + lines.map(([line, style], index) => text([line], x + pad.node, y + pad.node / 2 + index * font.line, style)).join("")
  }
}

const mailboxBox = ({ bounds, reason }: MailboxEdge, index: number): Drawing => {
  const lines = [
    ...wrapped(bounds, mostChars.mailbox).map((line) => [line, "state"] as const),
    ...wrapped(reason, mostChars.mailbox).map((line) => [line, "muted"] as const)
  ]
  const width = Math.max(...lines.map(([line]) => displayWidth(line) * font.char)) + 2 * pad.box
  const height = lines.length * font.line + pad.node
  return {
    id: `mailbox ${index}`,
    width,
    height,
    draw: ({ x, y }) =>
      rect(x, y, width, height, "mailbox", 14)
      + lines.map(([line, style], row) => text([line], x + pad.box, y + pad.node / 2 + row * font.line, style)).join("")
  }
}

const rect = (x: number, y: number, width: number, height: number, style: string, radius: number): string =>
  `<rect class="${style}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${radius}"/>`

/** Lines from a left upper corner on. */
const text = (lines: ReadonlyArray<string>, x: number, y: number, style: string): string =>
  lines
    .map((line, index) => `<text class="${style}" x="${round(x)}" y="${round(y + (index + 1) * font.line - 4)}">${escaped(line)}</text>`)
    .join("")

const round = (value: number): number => Math.round(value * 10) / 10

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }

/** Text as XML: nothing in it is markup, and what XML can't hold is replaced. */
export const escaped = (line: string): string =>
  line.replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, "\uFFFD").replaceAll(/[&<>"']/g, (char) => entities[char]!)

/** Light and dark by what the reader's system prefers. The spaces within texts are kept. */
const style = `
svg{--page:#fff;--ink:#1b2330;--muted:#566074;--line:#7b8599;--island:#f4f6fa;--node:#fff;--mailbox:#fff7e0;--mailboxline:#b7882a;--source:#2e7d4f;--processor:#2f63b5;--sink:#7a3fa8;--warning:#b3261e}
@media (prefers-color-scheme:dark){svg{--page:#12161d;--ink:#e8ecf3;--muted:#a5b0c2;--line:#8490a5;--island:#1b222c;--node:#232c39;--mailbox:#322a14;--mailboxline:#d0a445;--source:#5cc088;--processor:#7aa7f0;--sink:#c58df0;--warning:#ff8a80}}
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink);white-space:pre}
.page{fill:var(--page)}.title{font-weight:700;font-size:13px}.name{font-weight:700}.muted{fill:var(--muted)}.warning{fill:var(--warning);font-weight:700}
.island{fill:var(--island);stroke-width:1.5}.source{stroke:var(--source)}.processor{stroke:var(--processor)}.sink{stroke:var(--sink)}
.node{fill:var(--node);stroke:var(--line);stroke-width:.8}.unbounded{stroke:var(--warning);stroke-width:2}
.mailbox{fill:var(--mailbox);stroke:var(--mailboxline)}.way{fill:none;stroke:var(--line);stroke-width:1.5}.tip{fill:var(--line)}
`
