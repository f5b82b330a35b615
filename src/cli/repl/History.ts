import { appendFileSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { makeFolders } from "../../serialization/index.ts"

/** How many inputs are offered again. The file may grow to twice as many before it is cut. */
export const maximumEntries = 1000

/**
 * The inputs of earlier sessions, in a file that only its user can read: one line for each, the newest last.
 *
 * Inputs are appended one by one, so that sessions side by side do not undo each other. A file that can't be read or
 * written is no reason not to work: then there is no history.
 */
export class History {
  readonly #file: string | undefined
  /** The newest first, as readline wants them. */
  readonly entries: ReadonlyArray<string>

  constructor(file: string | undefined) {
    this.#file = file
    const lines = file === undefined ? [] : linesOf(file)
    this.entries = lines.slice(-maximumEntries).toReversed()
    if (file !== undefined && lines.length > 2 * maximumEntries) rewrite(file, lines.slice(-maximumEntries))
  }

  add(entry: string): void {
    if (this.#file === undefined || entry.trim() === "" || /[\n\r]/.test(entry)) return
    try {
      makeFolders(dirname(this.#file))
      appendFileSync(this.#file, `${entry}\n`, { mode: 0o600 })
    } catch {
      // As said above.
    }
  }
}

/** Where the state of this user's programs goes. */
export const historyFile = (environment: NodeJS.ProcessEnv = process.env): string =>
  join(environment["XDG_STATE_HOME"] || environment["LOCALAPPDATA"] || join(homedir(), ".local", "state"), "rtfs-streams", "repl-history")

const linesOf = (file: string): ReadonlyArray<string> => {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
  } catch {
    return []
  }
}

const rewrite = (file: string, lines: ReadonlyArray<string>): void => {
  try {
    const temporary = `${file}.${process.pid}`
    writeFileSync(temporary, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 })
    renameSync(temporary, file)
  } catch {
    // It is cut another time.
  }
}
