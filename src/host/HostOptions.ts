import { parseByteSize } from "../capabilities/index.ts"
import { nearestOrPart } from "../serialization/index.ts"
import { problemOfStoreUrl } from "../state/index.ts"
import type { ProviderUse } from "./MarketplaceAccess.ts"
import type { Authorize, Elicit } from "./McpHooks.ts"
import type { McpServerOptions } from "./McpServerOptions.ts"
import type { PolicyOptions } from "./PolicyOptions.ts"
import type { RunReport } from "./Report.ts"

export interface HostOptions {
  /** What mailboxes and buffers of the host may hold together: bytes, or a string such as `"256MB"` (the default). */
  readonly memory?: string | number
  /** What programs may touch; by default nothing but memory. */
  readonly policy?: PolicyOptions
  /** RTFS symbols: functions (each call of one is an effect; they may be asynchronous) and values. */
  readonly bindings?: Readonly<Record<string, unknown>>
  /** Where `println` goes; by default standard output. A promise is awaited: a slow reader slows the program. */
  readonly print?: (line: string) => unknown
  /** Where `(log …)` goes; by default standard error. */
  readonly log?: (line: string) => unknown
  /** Told how far sources have read, at most ten times a second for each. What it throws is a warning of the process, once. */
  readonly onProgress?: (progress: Progress) => void
  /** Told of each use of a provider that was registered: who opened what, and how it ended. What it throws is a warning of the process, once. */
  readonly onProviderUse?: (use: ProviderUse) => void
  /**
   * Where state is kept: `memory:` (as long as the host), `memory:NAME` (as long as the process), `sqlite:FILE`, `redis://…`
   * or `postgres://…`. By default `state.db` in `dataDir`, or memory where there is none. It is opened when it is first needed.
   */
  readonly store?: string
  /** URLs of servers by the names under which programs ask for them, such as `redis`. Programs never see the URLs. */
  readonly connections?: Readonly<Record<string, string>>
  /**
   * Secrets by name, such as tokens: `{{secret:NAME}}` in the URL or a header of a request becomes the value on its way to the
   * peer. Programs never see the values, and no message shows one.
   */
  readonly secrets?: Readonly<Record<string, string>>
  /** MCP servers by the names under which programs ask for them. Being here grants them: `:mcp` and their peer or process. */
  readonly mcpServers?: Readonly<Record<string, McpServerOptions>>
  /** What the names of endpoints of `:mcp.stream.start` stand for, such as `"weather/tool:watch"` or `{ sse: "https://…" }`. */
  readonly mcpEndpoints?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  /**
   * Takes a person to where an MCP server's authorization server asks them to allow this host (`auth` of the type
   * `authorization-code`), and gives the URL that the browser came back to. Without it such a server needs
   * `rtfs-streams login` first. Streams wait meanwhile, for ten minutes at most.
   */
  readonly authorize?: Authorize
  /** Answers what an MCP server asks a person while a tool of it runs. Without it, no server is told that it may ask. */
  readonly elicit?: Elicit
  /**
   * A folder for spill files and state, which this host takes for itself alone; by default spill files are in a folder of the
   * host's own in the system's temporary folder.
   */
  readonly dataDir?: string
  /** How much one evaluation, or the work on one item, may spend. */
  readonly limits?: EvaluationLimits
  /**
   * Refuses programs and flows in which a node may hold any amount, with `UnboundedProgram`, before anything of them runs. By
   * default `false`; `explain` lists such nodes.
   */
  readonly bounded?: boolean
  /** Threads of the worker pool, which is started when it is first needed; by default one less than there are cores. */
  readonly workers?: number
}

/** Budgets of one evaluation or one item; never of the life of a stream. */
export interface EvaluationLimits {
  /** Evaluation steps. */
  readonly fuel?: number
  readonly memoryBytes?: number
  readonly timeMs?: number
  /** Nested calls. */
  readonly depth?: number
}

export interface Progress {
  /** The actor that reads. */
  readonly address: string
  /** How far it has read, and how much there is, where that is known. */
  readonly done: number
  readonly total: number | undefined
  readonly unit: "bytes" | "items"
}

export interface RunOptions {
  /** The name of the file, for messages. */
  readonly file?: string
  /** Receives each item of a stream that is the program's last value. */
  readonly onItem?: (item: unknown) => unknown
  /** Cancels the program after so long. */
  readonly timeoutMs?: number
  /** Called with the program once it is under way: for `drain` from a signal handler. */
  readonly onStart?: (program: RunningProgram) => void
}

/** A program under way, in the hand of whoever has to steer it, or end it early and still tell what became of it. */
export interface RunningProgram {
  /** Pauses its streams, those too that have not begun; what it starts later runs. */
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
  readonly drain: (options?: { readonly timeoutMs?: number }) => Promise<void>
  /** @param options.withinMs what its actors have together for closing what they opened: 5 s; with 0 they are killed */
  readonly cancel: (options?: { readonly withinMs?: number }) => Promise<void>
  readonly report: () => RunReport
  /** What its streams are doing, actor by actor, as plain data. */
  readonly inspect: () => ReadonlyArray<unknown>
}

export interface SpawnOptions {
  /** Unique among the services of the host: 1 to 128 of letters, digits, `.`, `_` and `-`. */
  readonly name: string
  /** `permanent` (the default): starts again whenever it ends; `transient`: after a failure; `temporary`: never. */
  readonly restart?: "permanent" | "transient" | "temporary"
  readonly file?: string
}

/** An option of the host that can't be used as it is. */
export class InvalidHostOption extends Error {
  readonly _tag = "InvalidHostOption"
  readonly option: string

  constructor(option: string, problem: string) {
    super(`The host's option ${option} ${problem}.`)
    this.name = "InvalidHostOption"
    this.option = option
  }
}

const known = [
  "memory",
  "policy",
  "bindings",
  "print",
  "log",
  "onProgress",
  "onProviderUse",
  "store",
  "connections",
  "secrets",
  "mcpServers",
  "mcpEndpoints",
  "authorize",
  "elicit",
  "dataDir",
  "limits",
  "bounded",
  "workers"
]
const knownOfPolicy = ["read", "write", "net", "db", "queue", "fsRoot", "all"]

/** **Fails** by throwing `InvalidHostOption` for the first option that is unknown or wrong. */
export const checkHostOptions = (options: HostOptions): { readonly memoryBytes: number } => {
  checkNames(options, known, "")
  if (options.policy !== undefined) checkNames(options.policy, knownOfPolicy, "policy.")
  if (options.store !== undefined) checkStoreUrl("store", options.store)
  if (options.connections !== undefined) checkConnections(options.connections)
  if (options.workers !== undefined && !(Number.isInteger(options.workers) && options.workers >= 1)) {
    throw new InvalidHostOption("workers", `is ${options.workers}, but must be a whole number of at least 1`)
  }
  const { memory = "256MB" } = options
  const memoryBytes = typeof memory === "number" ? memory : parseByteSize(memory)
  if (memoryBytes === undefined || !(memoryBytes >= smallestMemory)) {
    throw new InvalidHostOption("memory", `is ${JSON.stringify(memory)}, but must be at least 8MB: bytes, or a string such as "256MB"`)
  }
  return { memoryBytes }
}

const checkStoreUrl = (option: string, url: unknown): void => {
  if (typeof url !== "string") throw new InvalidHostOption(option, `is a ${typeof url}, but must be a URL as text`)
  const problem = problemOfStoreUrl(url)
  if (problem !== undefined) throw new InvalidHostOption(option, `${problem.what}: ${problem.fix.replace(/\.$/, "")}`)
}

/** Their values may hold passwords, so no message shows one. */
const checkConnections = (connections: unknown): void => {
  if (typeof connections !== "object" || connections === null || Array.isArray(connections)) {
    throw new InvalidHostOption("connections", "must be an object of names and URLs")
  }
  for (const [name, url] of Object.entries(connections)) {
    if (typeof url !== "string" || url === "") throw new InvalidHostOption(`connections.${name}`, "must be a URL as text")
  }
}

const smallestMemory = 8 * 1024 * 1024

const checkNames = (options: object, names: ReadonlyArray<string>, prefix: string): void => {
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue
    const near = nearestOrPart(name, names)
    throw new InvalidHostOption(
      `${prefix}${name}`,
      `does not exist; ${near === undefined ? `there are ${names.join(", ")}` : `did you mean ${prefix}${near}?`}`
    )
  }
}
