import type { FlagName, FlagValues } from "./Flag.ts"
import type { Output } from "./Output.ts"
import type { ErrorContext } from "./renderError.ts"

/** What a command was asked to do. */
export interface Invocation {
  /** The operand: FILE, EXPR or ID. */
  readonly operand: string | undefined
  /** All operands, for a command that takes several. */
  readonly operands: ReadonlyArray<string>
  readonly flags: FlagValues
  readonly output: Output
  /** What an error that ends the command is shown with; a command adds its program's text once it has it. */
  readonly errors: ErrorContext
}

/** One command. Its code is loaded only when it is the one that was asked for. */
export interface Command {
  readonly summary: string
  readonly operand?: { readonly name: string; readonly required: boolean; readonly repeated?: boolean; readonly summary: string }
  readonly flags: ReadonlyArray<FlagName>
  readonly requiredFlags?: ReadonlyArray<FlagName>
  /** Resolves with the exit status; rejects with an error that `exitStatusOf` knows. */
  readonly load: () => Promise<(invocation: Invocation) => Promise<number>>
}

const program = { name: "FILE", required: true, summary: "the program; - reads it from standard input" } as const

/** What decides on what a program may use. */
const environment = [
  "bindings",
  "config",
  "memory",
  "timeout",
  "fs-root",
  "allow-read",
  "allow-write",
  "allow-net",
  "allow-db",
  "allow-queue",
  "allow-all",
  "secret"
] as const satisfies ReadonlyArray<FlagName>

export const commands = {
  run: {
    summary: "runs a program until all its streams have ended",
    operand: program,
    flags: [...environment, "data-dir", "store", "bounded", "json", "report", "progress", "shutdown-timeout"],
    load: async () => (await import("./commands/run.ts")).run
  },
  eval: {
    summary: "prints the value of an expression",
    operand: { name: "EXPR", required: true, summary: "the expression, such as '(+ 1 2)'; - reads it from standard input" },
    flags: [...environment, "bounded", "json"],
    load: async () => (await import("./commands/eval.ts")).evaluate
  },
  repl: {
    summary: "evaluates what is typed, form by form; through a pipe, prints the values only",
    flags: [...environment, "no-history"],
    load: async () => (await import("./commands/repl.ts")).repl
  },
  check: {
    summary: "lists the errors of a program without running it",
    operand: program,
    flags: ["bindings", "json"],
    load: async () => (await import("./commands/check.ts")).check
  },
  expand: {
    summary: "prints a program after its macros have been lowered",
    operand: program,
    flags: [],
    load: async () => (await import("./commands/expand.ts")).expand
  },
  explain: {
    summary: "prints the plan, the effects and the bounds of a program, or a picture of it",
    operand: program,
    flags: [...environment.filter((name) => name !== "timeout"), "bounded", "format", "json"],
    load: async () => (await import("./commands/explain.ts")).explain
  },
  fmt: {
    summary: "formats programs in the house style; comments stay",
    operand: {
      name: "FILE",
      required: false,
      repeated: true,
      summary: "the programs; without one, standard input is formatted to standard output"
    },
    flags: ["check", "write"],
    load: async () => (await import("./commands/fmt.ts")).fmt
  },
  capabilities: {
    summary: "lists the capabilities, or shows one in full",
    operand: { name: "ID", required: false, summary: "such as stream.filter" },
    flags: ["json"],
    load: async () => (await import("./commands/capabilities.ts")).capabilities
  },
  "dead-letters": {
    summary: "lists, shows, drops or replays the items that were given up on",
    operand: {
      name: "ACTION",
      required: true,
      repeated: true,
      summary: "list; show ID; drop ID…, drop --queue QUEUE or drop --all; replay ID…, --queue QUEUE or --all, with --program FILE"
    },
    flags: ["data-dir", "store", "queue", "limit", "after", "all", "program", ...environment, "shutdown-timeout", "json"],
    load: async () => (await import("./commands/deadLetters.ts")).deadLetters
  },
  queues: {
    summary: "lists queues of a store and their messages, returns what was put aside, or drops messages",
    operand: {
      name: "ACTION",
      required: true,
      repeated: true,
      summary: "list [QUEUE]; show QUEUE ID; return QUEUE ID…, or return QUEUE --all; drop QUEUE ID…, or drop QUEUE --all"
    },
    flags: ["data-dir", "store", "limit", "after", "all", "json"],
    load: async () => (await import("./commands/queues.ts")).queues
  },
  serve: {
    summary: "runs programs as supervised services, and answers on HTTP",
    operand: { name: "FILE", required: true, repeated: true, summary: "the programs; each is a service with the name of its file" },
    flags: [
      ...environment.filter((name) => name !== "timeout"),
      "data-dir",
      "store",
      "bounded",
      "restart",
      "host",
      "port",
      "token-file",
      "allow-host",
      "shutdown-timeout"
    ],
    load: async () => (await import("./commands/serve.ts")).serve
  },
  inspect: {
    summary: "prints what a service is doing, or one stream of it",
    operand: { name: "ID", required: false, summary: "a service or stream; without one, all of them" },
    flags: ["host", "port", "token-file", "json"],
    load: async () => (await import("./commands/inspect.ts")).inspect
  },
  top: {
    summary: "shows live what a service is doing",
    flags: ["host", "port", "token-file", "once"],
    load: async () => (await import("./commands/top.ts")).top
  },
  mcp: {
    summary: "serves MCP, by which agents start, read and steer streams",
    flags: [
      ...environment.filter((name) => name !== "timeout"),
      "data-dir",
      "store",
      "bounded",
      "http",
      "host",
      "port",
      "token-file",
      "allow-host"
    ],
    load: async () => (await import("./commands/mcp.ts")).mcp
  },
  login: {
    summary: "lets a person allow the use of an MCP server, in a browser",
    operand: { name: "SERVER", required: true, summary: "its name in mcpServers of --config" },
    flags: ["config", "data-dir", "secret", "allow-net", "timeout"],
    requiredFlags: ["config", "data-dir"],
    load: async () => (await import("./commands/login.ts")).login
  },
  logout: {
    summary: "forgets what login has got for an MCP server",
    operand: { name: "SERVER", required: true, summary: "its name in mcpServers of --config" },
    flags: ["config", "data-dir"],
    requiredFlags: ["config", "data-dir"],
    load: async () => (await import("./commands/login.ts")).logout
  },
  decode: {
    summary: "prints what is in a frame, segment or JSON file, as JSON lines",
    flags: ["in", "format"],
    requiredFlags: ["in"],
    load: async () => (await import("./commands/decode.ts")).decode
  }
} satisfies Readonly<Record<string, Command>>

export type CommandName = keyof typeof commands

export const isCommandName = (name: string): name is CommandName => Object.hasOwn(commands, name)
