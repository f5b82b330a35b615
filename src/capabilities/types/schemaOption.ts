import * as Schema from "effect/Schema"
import type { OptionType } from "../Option.ts"
import { compileSchema, InvalidSchema, type SchemaOptions } from "../schemas/index.ts"

/** A schema as a program writes it. It stays as it was written, so that a graph can be printed. */
export const schema: OptionType<unknown> = { type: "schema", schema: Schema.Unknown }

/** Why a schema can't be read, if it can't: what is wrong, and where. For the `check` of a capability. */
export const problemOfSchema = (option: string, written: unknown, options: SchemaOptions = {}): string | undefined => {
  try {
    compileSchema(written, options)
    return undefined
  } catch (error) {
    if (!(error instanceof InvalidSchema)) throw error
    return `can't read its schema at ${[`:${option}`, ...error.path].join(" ")}: ${error.problem}`
  }
}
