import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { explanationText } from "../explanationText.ts"
import { readProgram } from "../readProgram.ts"
import { withHost } from "../withHost.ts"

/** Prints what a program would do: its plan, its effects and their permissions, and what bounds its memory. */
export const explain = async ({ errors, flags, operand, output }: Invocation): Promise<number> => {
  const { file, source } = await readProgram(operand!)
  errors.source = source
  const explanation = await withHost(flags, output, (host) => host.explain(source, { file }))
  await output.line(flags.json === true ? JSON.stringify(explanation) : explanationText(explanation))
  return exitStatus.done
}
