import type { CapabilityDescription } from "../../host/index.ts"
import { print, readForms } from "../../rtfs/index.ts"
import { ToolProblem } from "./ToolProblem.ts"

/** What a stream is to be made of: RTFS text, or an endpoint with its settings. */
export interface StartRequest {
  readonly rtfs?: string
  readonly endpoint?: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly processor?: string
  readonly initial_state?: unknown
}

/** A program, and how it is begun again after a restart of the server. */
export interface ProgramText {
  readonly source: string
  readonly again: string
  /** Whether it gives an MCP stream's outputs together with the chunks that they came of. */
  readonly isMcp: boolean
}

const mcpStart = "mcp.stream.start"

/** What an MCP endpoint gives where no processor says so. */
const passingOn = "(fn [state chunk metadata] {:state state :output chunk})"

/**
 * The program that a request to start stands for. **Fails** by throwing `ToolProblem`, or with the `RtfsError` of a processor
 * that can't be read.
 *
 * Texts and settings go into it as literals, so that none of them is read as code; RTFS text and a processor are code, and
 * run under the policy of the server like any other.
 *
 * @param id the name that an MCP stream gets, by which it is found again
 */
export const programText = (request: StartRequest, capabilities: ReadonlyArray<CapabilityDescription>, id: string): ProgramText => {
  const { config, endpoint, initial_state, processor, rtfs } = request
  if ((rtfs === undefined) === (endpoint === undefined))
    throw new ToolProblem("A stream is started from either rtfs or endpoint", "Call stream_start with one of them.")
  if (rtfs !== undefined) {
    if (config !== undefined || processor !== undefined || initial_state !== undefined) {
      throw new ToolProblem("config, processor and initial_state belong to an endpoint", "Write them into the RTFS text.")
    }
    return { source: rtfs, again: rtfs, isMcp: false }
  }
  const name = endpoint!.replace(/^:/, "")
  const capability = capabilities.find((one) => one.id === name)
  if (capability === undefined) {
    if (!capabilities.some((one) => one.id === mcpStart))
      throw new ToolProblem(`There is no source ${JSON.stringify(endpoint)}`, "Call stream_sources for those there are.")
    return mcpText(request, id)
  }
  if (capability.kind !== "source")
    throw new ToolProblem(`${name} is no source of a stream`, "Call stream_sources for those that are, or start RTFS text that uses it.")
  if (processor !== undefined || initial_state !== undefined) {
    throw new ToolProblem(
      "A processor with a state is for MCP endpoints",
      `Write RTFS text: (call :stream.map (call :${name} …) {:transform (fn [item] …)}).`
    )
  }
  const source = callOf(capability, config ?? {})
  return { source, again: source, isMcp: false }
}

/** What a line of a list shows of a program. */
export const shortened = (source: string): string => {
  const line = source.replaceAll(/\s+/g, " ").trim()
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}

/**
 * Each chunk comes out, together with what the processor made of it, so that both can be read.
 *
 * A call that its server lost is made again where the tool allows it: nobody is there to be asked after a restart.
 */
const mcpText = ({ config, endpoint, initial_state, processor = passingOn }: StartRequest, id: string): ProgramText => {
  const settings = [":endpoint", literal(endpoint), ":stream-id", literal(id), ":reissue true", ":processor", withChunk(processor)]
  if (initial_state !== undefined) settings.push(":initial-state", literal(initial_state, anyKey))
  if (config !== undefined) settings.push(":config", literal(config, anyKey))
  const start = `(call :${mcpStart} {${settings.join(" ")}})`
  const unknown = "(= (get (get error :data) :reason) :unknown-stream)"
  const resume = `(try (call :mcp.stream.resume {:stream-id ${literal(id)}}) (catch error (if ${unknown} ${start} (throw error))))`
  const consumed = (handle: string) => `(call :stream.map ${handle} {:transform (fn [output] output)})`
  return { source: consumed(start), again: consumed(resume), isMcp: true }
}

/** Calls the processor with as many of state, chunk and metadata as it takes. */
const withChunk = (processor: string): string => {
  const taken = ["state", "chunk", "metadata"].slice(0, parameterCount(processor)).join(" ")
  const output = "{:chunk chunk :metadata metadata :given (contains? result :output) :value (get result :output)}"
  // On lines of its own, since it may end in a comment.
  return `(let [given\n${processor}\n] (fn [state chunk metadata] (let [result (given ${taken})] (if (map? result) (assoc result :output ${output}) result))))`
}

const parameterCount = (processor: string): number => {
  const forms = readForms(processor, { file: "processor" })
  if (forms.length !== 1)
    throw new ToolProblem(`The processor has ${forms.length} expressions`, "Give one: (fn [state chunk metadata] {:state … :output …}).")
  const [form] = forms
  if (form?.kind !== "list" || form.items[0]?.kind !== "symbol" || form.items[0].name !== "fn") return 3
  const parameters = form.items.slice(1, 3).find(({ kind }) => kind === "vector")
  if (parameters?.kind !== "vector") return 3
  const isRest = parameters.items.some((item) => item.kind === "symbol" && item.name === "&")
  // A type stands behind a colon.
  const names = parameters.items.filter((item, index) => item.kind !== "colon" && parameters.items[index - 1]?.kind !== "colon")
  return isRest ? 3 : Math.min(3, names.length)
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
const literal = (value: unknown, key: (name: string) => string = keyOf): string => {
  if (Array.isArray(value)) return `[${value.map((item) => literal(item, key)).join(" ")}]`
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([name, item]) => `${key(name)} ${literal(item, key)}`)
      .join(" ")}}`
  }
  if (typeof value === "number" && !Number.isFinite(value))
    throw new ToolProblem("A number is too large", "Send one that a double can hold.")
  return print(value)
}

/** The arguments of a tool are named as its server wants it. */
const anyKey = (name: string): string => (isName(name) ? `:${name}` : print(name))

const keyOf = (name: string): string => {
  if (!isName(name))
    throw new ToolProblem(
      `config has the name ${JSON.stringify(name)}, which is no name of an option`,
      "Call stream_sources for the options of a source."
    )
  return `:${name}`
}

const isName = (name: string): boolean => /^[A-Za-z][\w.?!*+-]*$/.test(name)
