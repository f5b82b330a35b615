import type { CapabilityDescription } from "../../host/index.ts"
import { print } from "../../rtfs/index.ts"
import { ToolProblem } from "./ToolProblem.ts"

/** What a stream is to be made of: RTFS text, or an endpoint with its settings. */
export interface StartRequest {
  readonly rtfs?: string
  readonly endpoint?: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly processor?: string
  readonly initial_state?: unknown
}

const mcpStart = "mcp.stream.start"

/** What an MCP endpoint gives where no processor says so. */
const passingOn = "(fn [state chunk metadata] {:state state :output chunk})"

/**
 * The program that a request to start stands for. **Fails** by throwing `ToolProblem`.
 *
 * Texts and settings go into it as literals, so that none of them is read as code; RTFS text and a processor are code, and
 * run under the policy of the server like any other.
 */
export const programText = (request: StartRequest, capabilities: ReadonlyArray<CapabilityDescription>): string => {
  const { config, endpoint, initial_state, processor, rtfs } = request
  if ((rtfs === undefined) === (endpoint === undefined))
    throw new ToolProblem("A stream is started from either rtfs or endpoint", "Call stream_start with one of them.")
  if (rtfs !== undefined) {
    if (config !== undefined || processor !== undefined || initial_state !== undefined) {
      throw new ToolProblem("config, processor and initial_state belong to an endpoint", "Write them into the RTFS text.")
    }
    return rtfs
  }
  const id = endpoint!.replace(/^:/, "")
  const capability = capabilities.find((one) => one.id === id)
  if (capability !== undefined) {
    if (capability.kind !== "source")
      throw new ToolProblem(`${id} is no source of a stream`, "Call stream_sources for those that are, or start RTFS text that uses it.")
    if (processor !== undefined || initial_state !== undefined) {
      throw new ToolProblem(
        "A processor with a state is for MCP endpoints",
        `Write RTFS text: (call :stream.map (call :${id} …) {:transform (fn [item] …)}).`
      )
    }
    return callOf(capability, config ?? {})
  }
  if (!capabilities.some((one) => one.id === mcpStart)) {
    throw new ToolProblem(`There is no source ${JSON.stringify(endpoint)}`, "Call stream_sources for those there are.")
  }
  const settings = [":endpoint", literal(endpoint), ":processor", processor ?? passingOn]
  if (initial_state !== undefined) settings.push(":initial-state", literal(initial_state))
  for (const [name, value] of Object.entries(config ?? {})) settings.push(keyOf(name), literal(value))
  return `(call :stream.map (call :${mcpStart} {${settings.join(" ")}}) {:transform (fn [output] output)})`
}

/** The arguments of the capability come from the settings of their names. */
const callOf = (capability: CapabilityDescription, config: Readonly<Record<string, unknown>>): string => {
  const left = new Map(Object.entries(config))
  const words = [`call :${capability.id}`]
  for (const name of capability.arguments) {
    if (name === "options" || !left.has(name)) continue
    words.push(literal(left.get(name)))
    left.delete(name)
  }
  if (left.size > 0) words.push(`{${[...left].map(([name, value]) => `${keyOf(name)} ${optionText(capability, name, value)}`).join(" ")}}`)
  return `(${words.join(" ")})`
}

/** JSON has neither keywords nor functions: a text stands for them where the option takes one. */
const optionText = ({ options }: CapabilityDescription, name: string, value: unknown): string => {
  const type = options.find((option) => option.name === name)?.type ?? ""
  if (typeof value === "string" && /^:[a-z]/.test(type)) {
    const word = value.replace(/^:/, "")
    if (!/^[\w.-]+$/.test(word)) throw new ToolProblem(`config.${name} can't be ${JSON.stringify(value)}`, `It is one of ${type}.`)
    return `:${word}`
  }
  return typeof value === "string" && type.includes("function") && value.startsWith("(fn ") ? value : literal(value)
}

/** A value of JSON as RTFS text that reads back as it, and as nothing else. */
const literal = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(literal).join(" ")}]`
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([name, item]) => `${keyOf(name)} ${literal(item)}`)
      .join(" ")}}`
  }
  if (typeof value === "number" && !Number.isFinite(value))
    throw new ToolProblem("A number is too large", "Send one that a double can hold.")
  return print(value)
}

const keyOf = (name: string): string => {
  if (!/^[A-Za-z][\w.?!*+-]*$/.test(name))
    throw new ToolProblem(
      `config has the name ${JSON.stringify(name)}, which is no name of an option`,
      "Call stream_sources for the options of a source."
    )
  return `:${name}`
}
