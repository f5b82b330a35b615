import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { readProgram } from "../readProgram.ts"
import { withHost } from "../withHost.ts"

/** Lists all errors of a program, as `file:line:column: error: message`, without running it. */
export const check = async ({ errors, flags, operand, output }: Invocation): Promise<number> => {
  const { file, source } = await readProgram(operand!)
  errors.source = source
  const diagnostics = await withHost(flags, output, (host) => host.check(source, { file }))
  if (flags.json === true) {
    await output.line(JSON.stringify(diagnostics.map(({ at, ...diagnostic }) => ({ ...diagnostic, ...at }))))
  } else {
    for (const { at, expected, message, severity, suggestion } of diagnostics) {
      const fix = suggestion === undefined ? (expected === undefined ? "" : `; expected ${expected}`) : `; did you mean ${suggestion}?`
      await output.line(`${at.file}:${at.line}:${at.column}: ${severity}: ${message}${fix}`)
    }
  }
  return diagnostics.some(({ severity }) => severity === "error") ? exitStatus.wrongInput : exitStatus.done
}
