import { closeSync, lstatSync, openSync, renameSync, writeFileSync } from "node:fs"
import type { RunReport } from "../host/index.ts"
import { toJson } from "../rtfs/index.ts"

/** How a run ended. */
export type Ending = "done" | "failed" | "drained" | "killed"

/**
 * The file of `--report`: what became of every item, however the run ends.
 *
 * **Fails** when it is made, if the file can't be written: a run is not worth starting whose report is lost.
 */
export class ReportFile {
  private readonly path: string | undefined
  private readonly began = performance.now()
  private isWritten = false
  /** Tells where the run stands; set once it is under way. */
  current: (() => RunReport) | undefined

  constructor(path: string | undefined) {
    this.path = path
    if (path === undefined) return
    // A pipe would hold us here until somebody reads it, and be replaced by a file in the end.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFIFO() === true) {
      throw Object.assign(new Error(`${path} is a pipe: the report is a file that appears as a whole. Give --report another name.`), {
        code: "EINVAL",
        syscall: "open",
        path
      })
    }
    closeSync(openSync(path, "a"))
    // Whatever ends the process by exiting, a fault of ours included.
    process.once("exit", () => this.write("failed"))
  }

  /** Writes it, once and whole: synchronously, since this may be the last thing that the process does. */
  write(ending: Ending, error?: unknown): void {
    if (this.path === undefined || this.isWritten) return
    this.isWritten = true
    const temporary = `${this.path}.${process.pid}.tmp`
    writeFileSync(temporary, `${toJson({ ending, ...(this.current?.() ?? this.nothing()), ...described(error) })}\n`)
    renameSync(temporary, this.path)
  }

  /** The report of a run that did not start. */
  private nothing(): RunReport {
    const none = { accepted: 0, processed: 0, skipped: 0, retried: 0, dropped: 0, deadLettered: 0, undrained: 0 }
    return { value: null, durationMs: Math.round(performance.now() - this.began), ...none, streams: [] }
  }
}

const described = (error: unknown): { readonly error?: string } =>
  error === undefined ? {} : { error: error instanceof Error ? error.message : String(error) }
