import { Analyzer } from "./analyze/index.ts"
import { Engine } from "./Engine.ts"
import type { Diagnostic } from "./errors.ts"
import { RtfsError } from "./errors.ts"
import { Expander } from "./expand/Expander.ts"
import { defaultLimits } from "./Meter.ts"
import { readProgram } from "./Reader.ts"

export interface CheckOptions {
  readonly file?: string
  /** The capabilities there are; a call of another one by a literal id is a warning. */
  readonly capabilityIds?: Iterable<string>
  /** The symbols that the host will give the program. */
  readonly globals?: ReadonlyMap<string, unknown>
}

/**
 * All that is wrong with a program, without running it: what cannot be read or compiled, unknown symbols, calls with a
 * wrong number of arguments, and as warnings unknown capabilities. In order of their places.
 */
export const check = (source: string, options: CheckOptions = {}): ReadonlyArray<Diagnostic> => {
  const { forms, diagnostics: unreadable } = readProgram(source, options.file)
  const engine = new Engine(
    {
      call: () => null,
      globals: options.globals ?? new Map(),
      ...(options.capabilityIds === undefined ? {} : { capabilityIds: options.capabilityIds })
    },
    defaultLimits
  )
  const found: Array<Diagnostic> = [...unreadable]
  try {
    const expanded = new Expander(engine).expandAll(forms)
    const { errors, findings } = new Analyzer(engine, expanded.forms).program(expanded.forms)
    found.push(...expanded.diagnostics, ...errors, ...findings)
  } catch (error) {
    if (!(error instanceof RtfsError)) throw error
    found.push({
      severity: "error",
      kind: "syntax",
      type: error.type,
      message: error.message,
      at: error.at ?? { file: options.file ?? "program", line: 1, column: 1 }
    })
  }
  return found.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column)
}
