import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { readProgram } from "../readProgram.ts"
import { withHost } from "../withHost.ts"

/** Prints a program after its macros have been lowered. */
export const expand = async ({ errors, flags, operand, output }: Invocation): Promise<number> => {
  const { source } = await readProgram(operand!)
  errors.source = source
  await output.line(await withHost(flags, output, (host) => host.expand(source)))
  return exitStatus.done
}
