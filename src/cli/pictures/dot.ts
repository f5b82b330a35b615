import { type Diagram, stateLine } from "./Diagram.ts"

/** A graph of Graphviz: islands as clusters, mailboxes as labels of edges. */
export const dot = (diagrams: ReadonlyArray<Diagram>): string => {
  const lines = [
    "digraph streams {",
    '  graph [rankdir=TB, fontname="Helvetica", labeljust=l]',
    '  node [shape=box, style=rounded, fontname="Helvetica"]',
    '  edge [fontname="Helvetica", fontsize=10]'
  ]
  diagrams.forEach(({ islands, mailboxes, title, totals }, pipeline) => {
    const idOf = (node: string) => quoted(`${pipeline}/${node}`)
    lines.push(`  subgraph cluster_${pipeline} {`, `    label=${quoted(title, ...totals)}`)
    islands.forEach(({ kind, name, nodes }, island) => {
      lines.push(`    subgraph cluster_${pipeline}_${island} {`, `      label=${quoted(`${name} (${kind})`)}`)
      for (const node of nodes) {
        const label = quoted(...[node.id, `:${node.capability}`, stateLine(node)].filter((line) => line !== undefined))
        lines.push(`      ${idOf(node.id)} [label=${label}${node.stateKind === "unbounded" ? ", color=red, penwidth=2" : ""}]`)
      }
      nodes.slice(1).forEach((node, index) => lines.push(`      ${idOf(nodes[index]!.id)} -> ${idOf(node.id)}`))
      lines.push("    }")
    })
    for (const { bounds, fromNode, reason, toNode } of mailboxes) {
      lines.push(`    ${idOf(fromNode)} -> ${idOf(toNode)} [style=bold, label=${quoted(bounds, reason)}]`)
    }
    lines.push("  }")
  })
  return [...lines, "}"].join("\n")
}

const quoted = (...lines: ReadonlyArray<string>): string =>
  `"${lines.map((line) => line.replaceAll(/[\p{Cc}\p{Cs}]/gu, " ").replaceAll(/["\\]/g, "\\$&")).join("\\n")}"`
