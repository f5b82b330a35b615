import { Writable } from "node:stream"
import { commands, type Invocation } from "../../src/cli/Command.ts"
import { exitStatusOf } from "../../src/cli/exitStatus.ts"
import { Output } from "../../src/cli/Output.ts"
import { parseArguments } from "../../src/cli/parseArguments.ts"

/** A command line in this process, since a process for each would take seconds. */
export const rtfsStreams = async (argv: ReadonlyArray<string>) => {
  const texts = { stdout: "", stderr: "" }
  const into = (name: "stdout" | "stderr") =>
    new Writable({
      write: (chunk, _, done) => {
        texts[name] += String(chunk)
        done()
      }
    })
  const output = new Output({ out: into("stdout"), err: into("stderr") })
  let status: number
  try {
    const asked = parseArguments(argv)
    if (asked.kind !== "command") throw new Error("a command is expected")
    const command: (invocation: Invocation) => Promise<number> = await commands[asked.command].load()
    status = await command({ operand: asked.operands[0], operands: asked.operands, flags: asked.flags, output, errors: { debug: false } })
  } catch (error) {
    status = exitStatusOf(error)
    texts.stderr += (error as Error).message
  }
  await output.flushed()
  return { status, ...texts }
}
