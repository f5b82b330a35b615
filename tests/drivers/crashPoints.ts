// Lets a process kill itself at its first, second, third … change of a file or of the store, and goes on after it.
//
//   node tests/drivers/crashPoints.ts
//
// Prints a line for each point. Exit status 1 where an output was not exact afterwards.
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { numbersExpected } from "./numbersProgram.ts"

const child = fileURLToPath(new URL("./crashingHost.ts", import.meta.url))

export type Moment = "before" | "after"

export interface CrashFolder {
  readonly path: string
  readonly mode: "replace" | "append"
}

const before = "from before\n"

export const crashFolder = (mode: CrashFolder["mode"]): CrashFolder => {
  const path = mkdtempSync(join(tmpdir(), "rtfs-streams-crash-"))
  if (mode === "append") writeFileSync(join(path, "out.txt"), before)
  return { path, mode }
}

/** Runs the program until it kills itself at a point. @returns the name of the point, or `done` */
export const crashAt = ({ mode, path }: CrashFolder, point: number, moment: Moment): string => {
  const { signal, status, stderr, stdout } = spawnSync(process.execPath, [child, path, String(point), moment, mode], { encoding: "utf8" })
  if (signal === "SIGKILL" || (status === 0 && stdout === "done")) return stdout
  throw new Error(`It ended with ${String(status ?? signal)}: ${stderr}`)
}

/** What is wrong with the output, if anything. */
export const problemOf = ({ mode, path }: CrashFolder): string | undefined => {
  const names = readdirSync(path).filter((name) => name !== "data")
  if (names.join() !== "out.txt") return `there is ${names.join(", ") || "nothing"}`
  const text = readFileSync(join(path, "out.txt"), "utf8")
  return text === (mode === "append" ? before : "") + numbersExpected
    ? undefined
    : `${text.split("\n").length} lines, not as they should be`
}

const never = 1_000_000

if (import.meta.main) {
  let problems = 0
  for (const mode of ["replace", "append"] as const) {
    for (const moment of ["before", "after"] as const) {
      for (let point = 1, name = ""; name !== "done"; point++) {
        const folder = crashFolder(mode)
        name = crashAt(folder, point, moment)
        if (name !== "done") crashAt(folder, never, "before")
        const problem = problemOf(folder)
        if (problem !== undefined) problems++
        console.log(`${mode.padEnd(8)} ${String(point).padStart(3)} ${name.padEnd(28)} ${problem ?? "exact"}`)
        rmSync(folder.path, { recursive: true })
      }
    }
  }
  process.exitCode = problems === 0 ? 0 : 1
}
