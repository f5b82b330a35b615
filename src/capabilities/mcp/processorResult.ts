import { isKeyword, isPlainMap, nearest } from "../../serialization/index.ts"
import { shown } from "../errors.ts"
import type { Validator } from "../schemas/index.ts"
import { McpFailure } from "./errors.ts"
import type { McpEvent } from "./mcpStream.machine.ts"

/** What a processor wants: a new state, something to give on, something to happen. Each only where it is there. */
export interface ProcessorResult {
  readonly state?: { readonly value: unknown }
  readonly output?: { readonly value: unknown }
  readonly event: McpEvent | undefined
}

const actions: Readonly<Record<string, McpEvent | undefined>> = {
  continue: undefined,
  pause: "pause",
  resume: "resume",
  cancel: "cancel",
  stop: "stop",
  complete: "complete"
}

/**
 * Reads what a processor has given.
 *
 * **Fails** by throwing `McpFailure` for anything but a map, an unknown action, and an output that is not as its schema says.
 */
export const readResult = (stream: string, result: unknown, outputSchema: Validator | undefined): ProcessorResult => {
  const fail = (problem: string, fix: string) => new McpFailure({ stream, reason: "processor", problem, fix })
  if (typeof result !== "object" || result === null || !isPlainMap(result)) {
    throw fail(
      `its processor gave ${shown(result)}, which is no map`,
      "Give a map such as {:state state :action :continue :output value}; each key may be left out."
    )
  }
  const { action, output, state } = result as { readonly action?: unknown; readonly output?: unknown; readonly state?: unknown }
  const isGiven = (name: string): boolean => Object.hasOwn(result as object, name)
  if (outputSchema !== undefined) checkOutput(fail, outputSchema, isGiven("output"), output)
  return {
    ...(isGiven("state") ? { state: { value: state } } : {}),
    ...(isGiven("output") ? { output: { value: output } } : {}),
    event: isGiven("action") ? readAction(fail, action) : undefined
  }
}

type Fail = (problem: string, fix: string) => McpFailure

const readAction = (fail: Fail, action: unknown): McpEvent | undefined => {
  if (action === null) return undefined
  const name = isKeyword(action) ? action.name : action
  if (typeof name === "string" && Object.hasOwn(actions, name)) return actions[name]
  const near = typeof name === "string" ? nearest(name, Object.keys(actions)) : undefined
  throw fail(
    `its processor asked for the unknown action ${isKeyword(action) ? `:${action.name}` : shown(action)}`,
    near === undefined
      ? `There are ${Object.keys(actions)
          .map((known) => `:${known}`)
          .join(" ")}.`
      : `Did you mean :${near}?`
  )
}

const checkOutput = (fail: Fail, schema: Validator, isGiven: boolean, output: unknown): void => {
  if (!isGiven)
    throw fail(
      "its processor gave no :output, but the stream has an :output-schema",
      "Give :output each time, or leave :output-schema out."
    )
  const [error] = schema(output)
  if (error === undefined) return
  throw fail(`its processor's :output is not as :output-schema says: ${error.message}`, "Correct the processor, or the schema.")
}
