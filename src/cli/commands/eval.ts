import { print, toJson } from "../../rtfs/index.ts"
import type { Invocation } from "../Command.ts"
import { evaluatePure } from "../evaluatePure.ts"
import { exitStatus } from "../exitStatus.ts"
import { type Program, readProgram } from "../readProgram.ts"

/** Prints the value of an expression, as RTFS or as JSON. */
export const evaluate = async (invocation: Invocation): Promise<number> => {
  const { errors, flags, operand, output } = invocation
  const program = operand === "-" ? await readProgram(operand) : { source: operand!, file: "expression" }
  errors.source = program.source
  const show = flags.json === true ? toJson : print
  // Whatever says something of the host is checked by the host.
  const isPlain = Object.keys(flags).every((flag) => flag === "json" || flag === "debug")
  const pure = isPlain ? await evaluatePure(program.source, program.file) : undefined
  await (pure === undefined ? evaluateInHost(program, invocation, show) : output.line(show(pure.value)))
  return exitStatus.done
}

const evaluateInHost = async (
  { file, source }: Program,
  { flags, output }: Invocation,
  show: (value: unknown) => string
): Promise<void> => {
  const [{ isStreamValue, ProgramTimeout }, { withHost }, { within }] = await Promise.all([
    import("../../host/index.ts"),
    import("../withHost.ts"),
    import("../within.ts")
  ])
  await withHost(flags, output, async (host) => {
    const value = await within(flags.timeout, host.eval(source, { file }), () => {
      throw new ProgramTimeout(flags.timeout!)
    })
    await output.line(show(value))
    if (isStreamValue(value)) {
      await output.problem(
        "That is a stream which nothing consumes. (call :stream.await …) around it gives its items; `rtfs-streams run` prints them."
      )
    }
  })
}
