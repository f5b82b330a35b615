import { type Diagram, stateLine } from "./Diagram.ts"

/** A flowchart of Mermaid: islands as subgraphs, mailboxes as labels of edges. */
export const mermaid = (diagrams: ReadonlyArray<Diagram>): string => {
  const lines = ["flowchart TD"]
  diagrams.forEach(({ islands, mailboxes, title }, pipeline) => {
    const idOf = new Map(islands.flatMap(({ nodes }) => nodes).map(({ id }, index) => [id, `p${pipeline}n${index}`]))
    lines.push(`  subgraph p${pipeline}[${quoted(title)}]`)
    islands.forEach(({ kind, name, nodes }, island) => {
      lines.push(`    subgraph p${pipeline}i${island}[${quoted(`${name} (${kind})`)}]`)
      for (const node of nodes) {
        const label = [node.id, `:${node.capability}`, stateLine(node)].filter((line) => line !== undefined)
        lines.push(`      ${idOf.get(node.id)}[${quoted(...label)}]${node.stateKind === "unbounded" ? ":::unbounded" : ""}`)
      }
      nodes.slice(1).forEach((node, index) => lines.push(`      ${idOf.get(nodes[index]!.id)} --> ${idOf.get(node.id)}`))
      lines.push("    end")
    })
    for (const { bounds, fromNode, reason, toNode } of mailboxes) {
      lines.push(`    ${idOf.get(fromNode)} ==>|${quoted(bounds, reason)}| ${idOf.get(toNode)}`)
    }
    lines.push("  end")
  })
  return [...lines, "  classDef unbounded stroke:#c0392b,stroke-width:3px"].join("\n")
}

const entities: Readonly<Record<string, string>> = {
  "#": "#35;",
  "&": "#amp;",
  '"': "#quot;",
  "<": "#lt;",
  ">": "#gt;",
  "`": "#96;",
  "\\": "#92;"
}

/** Lines of text in which nothing is markup. */
const quoted = (...lines: ReadonlyArray<string>): string =>
  `"${lines.map((line) => line.replaceAll(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, " ").replaceAll(/[#&"<>`\\]/g, (char) => entities[char]!)).join("<br/>")}"`
