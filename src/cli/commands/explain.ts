import { type Explanation, refuseUnbounded } from "../../host/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { explanationText } from "../explanationText.ts"
import { formatAmong } from "../formatAmong.ts"
import { diagramOf } from "../pictures/Diagram.ts"
import { readProgram } from "../readProgram.ts"
import { withHost } from "../withHost.ts"

type Format = "text" | "json" | "mermaid" | "dot" | "svg"

/** Prints what a program would do: its plan, its effects and their permissions, and what bounds its memory. With --bounded it fails where nothing does. */
export const explain = async ({ errors, flags, operand, output }: Invocation): Promise<number> => {
  const format = formatAmong(["text", "json", "mermaid", "dot", "svg"], flags.json === true ? "json" : flags.format, "explain") ?? "text"
  const { file, source } = await readProgram(operand!)
  errors.source = source
  const explanation = await withHost(flags, output, (host) => host.explain(source, { file }))
  await output.line(await printed(explanation, format))
  if (flags.bounded === true) refuseUnbounded(explanation.unbounded)
  return exitStatus.done
}

const printed = async (explanation: Explanation, format: Format): Promise<string> => {
  const diagrams = explanation.pipelines.map(diagramOf)
  switch (format) {
    case "json":
      return JSON.stringify(explanation)
    case "mermaid":
      return (await import("../pictures/mermaid.ts")).mermaid(diagrams)
    case "dot":
      return (await import("../pictures/dot.ts")).dot(diagrams)
    case "svg":
      return (await import("../pictures/svg.ts")).svg(diagrams)
    case "text":
      return explanationText(explanation)
  }
}
