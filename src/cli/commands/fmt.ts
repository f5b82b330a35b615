import { chmod, realpath, rename, rm, stat, writeFile } from "node:fs/promises"
import { loadFormatter } from "../../rtfs/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus, exitStatusOf } from "../exitStatus.ts"
import { readProgram } from "../readProgram.ts"
import { renderError } from "../renderError.ts"
import { UsageError } from "../UsageError.ts"

/**
 * Formats programs: to standard output, with `--write` in place, with `--check` not at all.
 *
 * A file that can't be read or formatted does not keep the others from being formatted; the status is that of the first one.
 */
export const fmt = async ({ errors, flags, operands, output }: Invocation): Promise<number> => {
  if (flags.check === true && flags.write === true) throw new UsageError("--check writes nothing, so it does not go with --write.", "fmt")
  if (flags.write === true && (operands.length === 0 || operands.includes("-"))) {
    throw new UsageError("--write needs files: there is nothing to write standard input back to.", "fmt")
  }
  const format = await loadFormatter()
  let status: number = exitStatus.done
  for (const operand of operands.length === 0 ? ["-"] : operands) {
    let source: string | undefined
    try {
      const program = await readProgram(operand)
      ;({ source } = program)
      const formatted = format(source, { file: program.file })
      if (flags.check !== true && flags.write !== true) {
        if (formatted !== "") await output.line(formatted.slice(0, -1))
      } else if (formatted !== source) {
        if (flags.write === true) await replaceFile(await realpath(operand), formatted)
        else if (status === exitStatus.done) status = exitStatus.wrongInput
        await output.line(program.file)
      }
    } catch (error) {
      await output.problem(renderError(error, { ...errors, ...(source === undefined ? {} : { source }) }))
      if (status === exitStatus.done) status = exitStatusOf(error)
    }
  }
  return status
}

/** Whoever reads the file finds the old text or the new one, never a part. */
const replaceFile = async (file: string, text: string): Promise<void> => {
  const temporary = `${file}.${process.pid}.tmp`
  try {
    await writeFile(temporary, text, { flag: "wx" })
    await chmod(temporary, (await stat(file)).mode)
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
